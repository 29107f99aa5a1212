//! A transport of whole messages before the socket of an agent.

use std::io;
use std::time::Instant;

use qga_core::{Answering, Execution, MessageTransport, TransportError};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
use tokio::net::UnixStream;

/// Carries messages over a socket; it synchronizes before a message wherever a reply may still be on its way,
/// so that its user gets only the reply to what was asked.
pub(crate) struct Carried {
    stream: BufStream<UnixStream>,
    /// Whether the next line may be anything.
    is_dirty: bool,
    syncs: u64,
}

impl Carried {
    pub(crate) async fn open(socket: String) -> io::Result<Self> {
        Ok(Self {
            stream: BufStream::new(UnixStream::connect(socket).await?),
            is_dirty: true,
            syncs: 0,
        })
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Vec<u8>, TransportError> {
        if self.is_dirty {
            let synced = self.sync().await;
            synced.map_err(|error| closed(error).with_execution(Execution::NotRun))?;
        }
        self.is_dirty = true;
        let reply = async {
            self.write(request).await?;
            loop {
                let line = self.line().await?;
                if !is_of_another(&line, request) {
                    return Ok(line);
                }
            }
        };
        let reply = reply.await.map_err(closed)?;
        self.is_dirty = false;
        Ok(reply)
    }

    async fn sync(&mut self) -> io::Result<()> {
        self.syncs += 1;
        let token = self.syncs;
        let arguments = json!({"id": token});
        let sync = json!({"execute": "guest-sync-delimited", "arguments": arguments});
        // The byte ends half a request that was left behind.
        self.stream.write_all(b"\xFF").await?;
        self.write(sync.to_string().as_bytes()).await?;
        loop {
            let line = self.line().await?;
            let answer: Value = serde_json::from_slice(&line).unwrap_or_default();
            // A late reply may have the same number, and has the id of its request beside it.
            if answer == json!({"return": token}) {
                return Ok(());
            }
        }
    }

    async fn write(&mut self, message: &[u8]) -> io::Result<()> {
        self.stream.write_all(message).await?;
        self.stream.write_all(b"\n").await?;
        self.stream.flush().await
    }

    /// The next line, or what of it comes after a 0xFF.
    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).await?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let start = line.iter().rposition(|byte| *byte == 0xFF);
        Ok(line.split_off(start.map_or(0, |at| at + 1)))
    }
}

impl MessageTransport for Carried {
    fn call<'a>(&'a mut self, request: &'a [u8], _: Instant) -> Answering<'a> {
        Box::pin(self.exchange(request))
    }
}

/// Whether a line is a reply to something else, as one that came twice is.
fn is_of_another(line: &[u8], request: &[u8]) -> bool {
    let request: Value = serde_json::from_slice(request).unwrap();
    let line: Value = serde_json::from_slice(line).unwrap_or_default();
    line.get("return").is_some() && line["id"] != request["id"]
}

fn closed(error: io::Error) -> TransportError {
    TransportError::closed(Some(error))
}
