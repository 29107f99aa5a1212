//! What stands on an agent's channel, without the library.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// A client that only writes and reads lines.
pub(crate) struct Raw {
    stream: UnixStream,
    read: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: &str) -> Self {
        let path = address.strip_prefix("unix:").unwrap();
        loop {
            match UnixStream::connect(path).await {
                Ok(stream) => {
                    let read = Vec::new();
                    return Self { stream, read };
                }
                // QEMU lets few clients wait.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    sleep(Duration::from_millis(10)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Sends a command with this id.
    pub(crate) async fn send(&mut self, command: &str, arguments: &str, id: u32) {
        let line = format!(r#"{{"execute":"{command}","arguments":{{{arguments}}},"id":{id}}}"#);
        self.write(format!("{line}\n").as_bytes()).await;
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Writes until nothing is taken for a second, or so many bytes are; returns how many were.
    pub(crate) async fn write_until_full(&mut self, most: usize) -> usize {
        let mut count = 0;
        while count < most {
            let write = self.stream.write(&[b' '; 1024]);
            let Ok(written) = timeout(Duration::from_secs(1), write).await else {
                break;
            };
            count += written.unwrap();
        }
        count
    }

    /// The next line, or `None` at the end of the channel.
    pub(crate) async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                return Some(self.read.drain(..=end).collect());
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer).await {
                // Whether it ends or is reset depends on what was left unread.
                Ok(0) | Err(_) => return None,
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
            }
        }
    }

    /// The ids of all replies until the channel ends.
    pub(crate) async fn ids_to_the_end(&mut self) -> Vec<i64> {
        let mut ids = Vec::new();
        while let Some(line) = self.line().await {
            ids.push(id(&line));
        }
        ids
    }
}

/// The id of a reply.
pub(crate) fn id(line: &[u8]) -> i64 {
    let json = line.strip_prefix(&[0xFF]).unwrap_or(line);
    let reply: serde_json::Value = serde_json::from_slice(json).unwrap();
    reply["id"].as_i64().unwrap()
}
