//! What a program prints, kept for an object of JSON.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use qga_commands::guest::process::ExitStatus;
use serde_json::json;
use tokio::io::AsyncWrite;

use crate::show;

/// The most that is kept of each stream, in bytes.
const MOST: usize = 64 << 20;

/// What was written to one of its streams.
#[derive(Default)]
pub(crate) struct Captured(Vec<u8>);

impl Captured {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl AsyncWrite for Captured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.0.len() + bytes.len() > MOST {
            let words = "it prints more than 64 MiB, which is too much for JSON";
            return Poll::Ready(Err(io::Error::other(words)));
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Prints how a program has ended, and what it has printed.
pub(crate) fn print(status: &ExitStatus, stdout: &[u8], stderr: &[u8]) -> anyhow::Result<()> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let process = json!({
        "exit_code": status.code(),
        "signal": status.signal(),
        "stdout": text(stdout),
        "stdout_base64": show::base64_unless_text(stdout),
        "stderr": text(stderr),
        "stderr_base64": show::base64_unless_text(stderr),
    });
    show::json("process", process)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn no_more_than_a_limit_is_kept() {
        let mut captured = Captured(vec![0; MOST - 1]);
        captured.write_all(b"a").await.unwrap();
        let error = captured.write_all(b"b").await.unwrap_err();
        assert!(error.to_string().contains("64 MiB"), "{error}");
        assert_eq!(captured.bytes().len(), MOST);
    }
}
