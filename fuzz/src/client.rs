use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use qga_commands::commands::{file, net};
use qga_core::{Client, Error, NoReply, Options, QgaCommand};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::block_on;

/// Ends an answer: what is behind it comes after the next request.
const NEXT: u8 = 0;
/// Stands for the id of the last request.
const ID: u8 = 1;
/// Stands for the token of the last sync.
const TOKEN: u8 = 2;

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_response)]
struct Shutdown;

/// A client gets any bytes for answers: every command ends in time, and its error can be shown.
/// In the bytes, 0 waits for the next request, 1 stands for its id, and 2 for a sync's token.
pub fn client(data: &[u8]) {
    let Some((first, script)) = data.split_first() else {
        return;
    };
    let peer = Peer {
        answers: script
            .split(|byte| *byte == NEXT)
            .map(<[u8]>::to_vec)
            .collect(),
        answers_syncs: first & 1 == 0,
        piece: usize::from(first >> 1).max(1),
        ..Peer::default()
    };
    let options = Options::new()
        .timeout(Duration::from_secs(3))
        .reply_limit(8 * 1024);
    let client = Client::builder().options(options).build(peer);
    block_on(async {
        check(
            within(client.execute_raw("test", json!({"a": 1})))
                .await
                .map(drop),
        );
        check(
            within(client.execute(net::NetworkGetInterfaces))
                .await
                .map(drop),
        );
        let reads = (0..3).map(|_| file::FileRead::new(1000));
        let mut reads = client.pipeline(reads).in_flight(2);
        while let Some(read) = within(reads.next()).await {
            check(read.map(drop));
        }
        check(within(client.execute(Shutdown)).await.map(|_: NoReply| ()));
        check(
            within(client.execute(net::NetworkGetInterfaces))
                .await
                .map(drop),
        );
    });
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    let limit = Duration::from_millis(3010);
    tokio::time::timeout(limit, future)
        .await
        .expect("it ends by its deadline")
}

fn check(result: Result<(), Error>) {
    let Err(error) = result else {
        return;
    };
    let mut shown = vec![error.to_string()];
    let mut below = std::error::Error::source(&error);
    while let Some(source) = below {
        shown.push(source.to_string());
        below = source.source();
    }
    for text in shown {
        assert!(
            !text.contains(char::is_control) && text.len() < 8000,
            "{text:?}"
        );
    }
}

/// The other side of the channel.
#[derive(Default)]
struct Peer {
    answers: VecDeque<Vec<u8>>,
    answers_syncs: bool,
    /// How many bytes are read at once.
    piece: usize,
    request: Vec<u8>,
    ahead: VecDeque<u8>,
}

impl Peer {
    fn answer(&mut self) {
        let line = std::mem::take(&mut self.request);
        let line = line.strip_prefix(b"\xFF").unwrap_or(&line);
        let request: Value = serde_json::from_slice(line).expect("the client writes JSON");
        let (id, token) = (&request["id"], &request["arguments"]["id"]);
        let is_sync = request["execute"] == "guest-sync-delimited";
        if is_sync && self.answers_syncs {
            let reply = format!("{{\"return\": {token}, \"id\": {id}}}\n");
            self.ahead.push_back(0xFF);
            self.ahead.extend(reply.bytes());
            return;
        }
        for byte in self.answers.pop_front().unwrap_or_default() {
            match byte {
                ID => self.ahead.extend(id.to_string().bytes()),
                TOKEN => self.ahead.extend(token.to_string().bytes()),
                byte => self.ahead.push_back(byte),
            }
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_empty() && !self.answers.is_empty() {
            // Time goes on, to the next deadline.
            return Poll::Pending;
        }
        for _ in 0..self.piece.min(buffer.remaining()) {
            let Some(byte) = self.ahead.pop_front() else {
                break;
            };
            buffer.put_slice(&[byte]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let count = end.map_or(bytes.len(), |end| end + 1);
        self.request.extend_from_slice(&bytes[..count]);
        if end.is_some() {
            self.answer();
        }
        cx.waker().wake_by_ref();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
