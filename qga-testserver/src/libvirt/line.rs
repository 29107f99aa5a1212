//! How the daemon speaks with an agent, with its weaknesses.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::{Instant, timeout_at};

/// A longer line breaks the agent, in bytes.
const LONGEST_LINE: u64 = 10 << 20;
/// A longer request is torn, in bytes with its newline.
const LONGEST_REQUEST: usize = 219_264;
/// How long the answer to a sync is waited for.
const SYNC: Duration = Duration::from_secs(5);

/// The channel to an agent.
pub(super) struct Line {
    stream: BufReader<DuplexStream>,
    is_synchronized: bool,
    syncs: u64,
}

/// Why there is no reply.
pub(super) enum Silence {
    /// The agent did not answer the sync, so nothing was sent.
    NotSynchronized,
    /// The time is up.
    Timeout,
    /// The agent has closed its port.
    Gone,
    /// The agent sent what makes no sense; nothing can be read from it any more.
    Broken,
}

impl Line {
    pub(super) fn new(stream: DuplexStream) -> Self {
        Self {
            stream: BufReader::new(stream),
            is_synchronized: false,
            syncs: 0,
        }
    }

    /// Sends a request, which is compact JSON, and returns the reply.
    pub(super) async fn command(
        &mut self,
        request: &Value,
        patience: Duration,
    ) -> Result<Value, Silence> {
        if !self.is_synchronized {
            self.synchronize().await?;
        }
        let end = Instant::now() + patience;
        let request = format!("{request}\n");
        let exchange = async {
            if request.len() > LONGEST_REQUEST {
                // The guest gets the beginning of it again and again.
                std::future::pending::<()>().await;
            }
            self.write(&request).await?;
            self.read().await
        };
        let reply = timeout_at(end, exchange).await;
        let reply = reply.unwrap_or(Err(Silence::Timeout));
        self.is_synchronized = reply.is_ok();
        reply
    }

    async fn synchronize(&mut self) -> Result<(), Silence> {
        self.syncs += 1;
        let id = self.syncs;
        let sync = json!({"execute": "guest-sync", "arguments": {"id": id}});
        let exchange = async {
            self.write(&format!("{sync}\n")).await?;
            // What comes before is late.
            while self.read().await?.get("return") != Some(&id.into()) {}
            Ok(())
        };
        let synchronized = timeout_at(Instant::now() + SYNC, exchange).await;
        synchronized.unwrap_or(Err(Silence::NotSynchronized))?;
        self.is_synchronized = true;
        Ok(())
    }

    async fn write(&mut self, line: &str) -> Result<(), Silence> {
        let written = self.stream.write_all(line.as_bytes()).await;
        written.map_err(|_| Silence::Gone)
    }

    async fn read(&mut self) -> Result<Value, Silence> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(LONGEST_LINE);
        match limited.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => Err(Silence::Gone),
            Ok(_) if line.ends_with(b"\n") => {
                serde_json::from_slice(&line).map_err(|_| Silence::Broken)
            }
            Ok(_) if u64::try_from(line.len()) == Ok(LONGEST_LINE) => Err(Silence::Broken),
            Ok(_) => Err(Silence::Gone),
        }
    }
}
