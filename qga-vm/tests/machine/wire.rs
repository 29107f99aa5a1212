//! The bytes of a channel, without the library.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::net::UnixStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing that is on its way takes longer, unless its guest is at rest.
const SILENCE: Duration = Duration::from_millis(400);

/// A client that knows nothing but bytes.
pub(crate) struct Wire(BufReader<UnixStream>);

impl Wire {
    pub(crate) async fn connect(path: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(path).await.unwrap()))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The next line with its newline, one character a byte.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.unwrap();
        assert!(line.ends_with(b"\n"), "the channel has ended");
        line.into_iter().map(char::from).collect()
    }

    /// Reads the next line that is no error.
    pub(crate) async fn reply(&mut self) -> String {
        loop {
            let line = self.line().await;
            if !line.contains("\"error\"") {
                return line;
            }
        }
    }

    /// Reads so many bytes at least, and leaves the rest.
    pub(crate) async fn begin_to_read(&mut self, bytes: usize) {
        let mut some = vec![0; bytes];
        self.0.read_exact(&mut some).await.unwrap();
    }

    pub(crate) async fn is_silent(&mut self) -> bool {
        timeout(SILENCE, self.0.fill_buf()).await.is_err()
    }

    /// Reads and forgets what is there, until it is silent.
    pub(crate) async fn drain(&mut self) {
        while let Ok(read) = timeout(SILENCE, self.0.fill_buf()).await {
            let bytes = read.unwrap().len();
            assert!(bytes > 0, "the channel has ended");
            self.0.consume(bytes);
        }
    }

    /// Reads lines until it is silent.
    pub(crate) async fn lines_so_far(&mut self) -> String {
        let mut lines = String::new();
        while !self.is_silent().await {
            lines += &self.line().await;
        }
        lines
    }

    /// Reads on until the other end has closed it.
    pub(crate) async fn ends(&mut self) -> std::io::Result<usize> {
        self.0.read_to_end(&mut Vec::new()).await
    }

    pub(crate) async fn try_send(&mut self, bytes: &str) -> std::io::Result<()> {
        self.0.write_all(bytes.as_bytes()).await
    }
}

/// Asks for the number back.
pub(crate) fn sync(number: i64) -> String {
    format!("{{\"execute\": \"guest-sync\", \"arguments\": {{\"id\": {number}}}}}\n")
}

/// Creates this file, without a word from the client that has asked for it.
pub(crate) fn create(path: &str) -> String {
    format!(
        "{{\"execute\": \"guest-file-open\", \"arguments\": {{\"path\": \"{path}\", \"mode\": \"w\"}}}}\n"
    )
}

/// The answer to a [`sync`].
pub(crate) fn synced(number: i64) -> String {
    format!("{{\"return\": {number}}}\n")
}

/// A connection that lets so many bytes of the agent's pass, and then none until it is opened.
pub(crate) struct Valve {
    is_full: Option<oneshot::Receiver<()>>,
    open: Option<oneshot::Sender<()>>,
    tasks: [JoinHandle<()>; 2],
}

impl Valve {
    pub(crate) async fn connect(path: &Path, bytes: usize) -> (DuplexStream, Self) {
        let stream = UnixStream::connect(path).await.unwrap();
        let (mut from_agent, mut to_agent) = stream.into_split();
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (mut from_client, mut to_client) = tokio::io::split(theirs);
        let (full, is_full) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        let requests = tokio::spawn(async move {
            drop(tokio::io::copy(&mut from_client, &mut to_agent).await);
            drop(to_agent.shutdown().await);
        });
        let replies = tokio::spawn(async move {
            let mut first = (&mut from_agent).take(bytes as u64);
            drop(tokio::io::copy(&mut first, &mut to_client).await);
            let _ = full.send(());
            drop(opened.await);
            drop(tokio::io::copy(&mut from_agent, &mut to_client).await);
        });
        let valve = Self {
            is_full: Some(is_full),
            open: Some(open),
            tasks: [requests, replies],
        };
        (ours, valve)
    }

    /// Waits until so many bytes have passed.
    pub(crate) async fn full(&mut self) {
        self.is_full.take().unwrap().await.unwrap();
    }

    pub(crate) fn open(&mut self) {
        self.open.take().unwrap().send(()).unwrap();
    }
}

impl Drop for Valve {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
