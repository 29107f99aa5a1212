//! The other end of a channel, played by the test, byte by byte.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use qga_core::{Client, Error, Options, QgaCommand};
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
pub(crate) struct Ping;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HostName {
    pub(crate) host_name: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", response = HostName)]
pub(crate) struct GetHostName;

/// Returns its own argument, so that a reply given to the wrong command is noticed.
#[derive(Clone, Debug, QgaCommand)]
#[qga(name = "test-echo", response = Value)]
pub(crate) struct Echo {
    pub(crate) text: String,
}

pub(crate) fn echo(text: impl ToString) -> Echo {
    Echo {
        text: text.to_string(),
    }
}

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_response)]
pub(crate) struct Shutdown;

pub(crate) const QUICK: Options = Options::new()
    .timeout(Duration::from_secs(10))
    .grace(Duration::from_secs(1));

pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The agent's end of a stream.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
}

/// A client and the other end of its channel, which holds `capacity` bytes in each direction.
pub(crate) fn pair(capacity: usize) -> (Client, Peer) {
    let (ours, theirs) = tokio::io::duplex(capacity);
    let client = Client::builder().options(QUICK).build(ours);
    (client, Peer::over(theirs))
}

/// A client that has synchronized, and the other end of its channel.
pub(crate) async fn synced_pair() -> (Client, Peer) {
    let (client, mut peer) = pair(64 * 1024);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.sync().await;
        peer.answer(Value::Object(Default::default())).await;
    });
    pinged.unwrap();
    (client, peer)
}

impl Peer {
    pub(crate) fn over(stream: impl Stream + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            received: Vec::new(),
        }
    }

    /// The next request as it came, without its newline.
    pub(crate) async fn request_bytes(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.pop();
                return line;
            }
            let count = self.stream.read_buf(&mut self.received).await.unwrap();
            assert_ne!(count, 0, "the client has closed the channel");
        }
    }

    /// The next request; a 0xFF resets, as it does in the agent.
    pub(crate) async fn request(&mut self) -> Value {
        let line = self.request_bytes().await;
        let start = line.iter().rposition(|byte| *byte == 0xFF);
        serde_json::from_slice(&line[start.map_or(0, |at| at + 1)..]).unwrap()
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Answers a sync as the agent does: with an error line, the 0xFF, and the token.
    pub(crate) async fn sync(&mut self) {
        let request = self.request().await;
        assert_eq!(request["execute"], "guest-sync-delimited", "{request}");
        let (token, id) = (&request["arguments"]["id"], &request["id"]);
        self.send(STRAY).await;
        self.send(b"\xFF").await;
        self.send(format!("{{\"return\": {token}, \"id\": {id}}}\n"))
            .await;
    }

    /// Answers a sync as an agent before QEMU 4.0 does.
    pub(crate) async fn sync_without_id(&mut self) {
        let request = self.request().await;
        let token = &request["arguments"]["id"];
        assert!(token.is_number(), "{request}");
        self.send(b"\xFF").await;
        self.send(format!("{{\"return\": {token}}}\n")).await;
    }

    /// Ends the direction to the client; what the client sends still arrives.
    pub(crate) async fn say_no_more(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Answers the next request.
    pub(crate) async fn answer(&mut self, returned: Value) {
        let request = self.request().await;
        self.send(reply(&request, &returned)).await;
    }

    /// Answers the next request with the text that it holds.
    pub(crate) async fn answer_echo(&mut self) {
        let request = self.request().await;
        self.send(echo_reply(&request)).await;
    }

    /// Whether the client has sent nothing that is not read yet.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        if !self.received.is_empty() {
            return false;
        }
        let more = self.stream.read_buf(&mut self.received);
        tokio::time::timeout(Duration::from_millis(1), more)
            .await
            .is_err()
    }
}

pub(crate) const STRAY: &str =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n";

pub(crate) fn reply(request: &Value, returned: &Value) -> String {
    format!("{{\"return\": {returned}, \"id\": {}}}\n", request["id"])
}

pub(crate) fn echo_reply(request: &Value) -> String {
    reply(request, &request["arguments"]["text"])
}

/// Shows an error with everything below it.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(below) = source {
        text = format!("{text}: {below}");
        source = below.source();
    }
    text
}

/// A peer that answers syncs and otherwise sends `flood` without end and without rest.
pub(crate) struct Flood {
    endless: &'static [u8],
    ahead: Vec<u8>,
    answers_sync: bool,
}

impl Flood {
    pub(crate) fn new(flood: &'static [u8], answers_sync: bool) -> Self {
        Self {
            endless: flood,
            ahead: Vec::new(),
            answers_sync,
        }
    }
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let ahead = std::mem::take(&mut self.ahead);
        buffer.put_slice(if ahead.is_empty() {
            self.endless
        } else {
            &ahead
        });
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes[0] == 0xFF && self.answers_sync {
            let request: Value = serde_json::from_slice(&bytes[1..]).unwrap();
            self.ahead = reply(&request, &request["arguments"]["id"]).into_bytes();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream that lets syncs through and takes nothing else.
pub(crate) struct TakesSyncsOnly(pub(crate) DuplexStream);

impl AsyncRead for TakesSyncsOnly {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TakesSyncsOnly {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes[0] != 0xFF {
            return Poll::Pending;
        }
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A stream whose reads fail once it is told to.
pub(crate) struct Breaking {
    stream: DuplexStream,
    broken: tokio::sync::oneshot::Receiver<()>,
    is_broken: bool,
}

impl Breaking {
    pub(crate) fn new(stream: DuplexStream, broken: tokio::sync::oneshot::Receiver<()>) -> Self {
        Self {
            stream,
            broken,
            is_broken: false,
        }
    }
}

impl AsyncRead for Breaking {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_broken || Pin::new(&mut self.broken).poll(cx).is_ready() {
            self.is_broken = true;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
