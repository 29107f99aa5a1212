use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A client that knows nothing but bytes.
pub(crate) struct Wire<S> {
    stream: S,
    unread: Vec<u8>,
}

/// Longer than any reply takes.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long silence must last to count.
const SILENCE: Duration = Duration::from_millis(100);

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends bytes, and reads meanwhile, so that neither side waits for the other.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let writing = async {
            writer.write_all(bytes.as_ref()).await.unwrap();
            writer.flush().await.unwrap();
        };
        let reading = async {
            let mut chunk = [0; 4096];
            loop {
                match reader.read(&mut chunk).await {
                    Ok(count @ 1..) => self.unread.extend_from_slice(&chunk[..count]),
                    _ => std::future::pending().await,
                }
            }
        };
        tokio::select! { biased; () = writing => {}, () = reading => {} }
    }

    /// The next line with its newline, one character a byte.
    pub(crate) async fn line(&mut self) -> String {
        let mut searched = 0;
        loop {
            let new = self.unread.iter().skip(searched);
            if let Some(end) = new.clone().position(|byte| *byte == b'\n') {
                let end = searched + end;
                let rest = self.unread.split_off(end + 1);
                return latin1(&std::mem::replace(&mut self.unread, rest));
            }
            searched = self.unread.len();
            let filled = timeout(PATIENCE, self.fill()).await;
            let text = || latin1(&self.unread);
            assert_eq!(
                filled.map_err(|_| text()),
                Ok(true),
                "end of stream after {:?}",
                text()
            );
        }
    }

    /// The next bytes, so many of them.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            let filled = timeout(PATIENCE, self.fill()).await;
            assert_eq!(filled, Ok(true), "end of stream");
        }
        let rest = self.unread.split_off(count);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Sends a request and takes a line.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> String {
        self.send(request).await;
        self.line().await
    }

    /// Nothing comes, and the stream does not end.
    pub(crate) async fn silence(&mut self) {
        let filled = timeout(SILENCE, self.fill()).await;
        assert!(
            filled.is_err() && self.unread.is_empty(),
            "{:?}",
            latin1(&self.unread)
        );
    }

    /// Everything up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> String {
        while timeout(PATIENCE, self.fill())
            .await
            .expect("the stream does not end")
        {}
        latin1(&std::mem::take(&mut self.unread))
    }

    pub(crate) async fn shut_down(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.unread).await.unwrap_or(0) > 0
    }
}

pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
