//! A shell in the guest that does not need its agent.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;

/// A root shell in the guest, which runs one command at a time.
#[derive(Debug)]
pub struct Shell(Mutex<BufReader<UnixStream>>);

/// What a command has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printed {
    /// The exit code.
    pub code: i32,
    /// What it printed to standard output and standard error.
    pub text: String,
}

impl Shell {
    pub(crate) async fn connect(path: &Path) -> Result<Self> {
        Ok(Self(Mutex::new(BufReader::new(
            UnixStream::connect(path).await?,
        ))))
    }

    /// Runs a command and waits for its end. A guest that boots runs it as soon as it can. A future
    /// of it that is dropped leaves its answer to the next command.
    ///
    /// # Errors
    ///
    /// When the machine has ended.
    pub async fn run(&self, command: &str) -> Result<Printed> {
        let mut stream = self.0.lock().await;
        let request = BASE64_STANDARD.encode(command) + "\n";
        stream.write_all(request.as_bytes()).await?;
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let (code, text) = line
            .trim_end_matches('\n')
            .split_once(' ')
            .with_context(|| format!("no answer to {command}: {line:?}"))?;
        Ok(Printed {
            code: code.parse()?,
            text: String::from_utf8_lossy(&BASE64_STANDARD.decode(text)?).into_owned(),
        })
    }

    /// Runs a command that must succeed and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it fails, or the machine has ended.
    pub async fn must(&self, command: &str) -> Result<String> {
        let printed = self.run(command).await?;
        ensure!(
            printed.code == 0,
            "{command} ended with {}: {}",
            printed.code,
            printed.text
        );
        Ok(printed.text)
    }
}
