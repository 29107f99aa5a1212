//! `qga dial-stdio`.

use std::io;
use std::time::Duration;

use clap::Args;
use qga_core::Address;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::time::timeout;

use super::Context;
use crate::options::Target;

/// How long what the agent still says is passed on once standard input has ended.
const REST: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(
    after_help = "Example: echo '{\"execute\": \"guest-ping\"}' | qga dial-stdio /run/qga/web1.sock"
)]
pub(crate) struct DialStdio {
    #[command(flatten)]
    target: Target,
}

impl DialStdio {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let address = context.config.address(&self.target.guest)?;
        let address: Address = address.parse()?;
        let open = timeout(context.connect_timeout, qga_core::parts::open(&address));
        let Ok(stream) = open.await else {
            let time = humantime::format_duration(context.connect_timeout);
            anyhow::bail!("{address} cannot be connected to within {time}");
        };
        Ok(carry(stream?).await?)
    }
}

async fn carry(stream: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (mut reader, mut writer) = split(stream);
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let there = async {
        copy(&mut stdin, &mut writer).await?;
        writer.shutdown().await
    };
    let back = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = reader.read(&mut buffer).await?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                return io::Result::Ok(());
            };
            stdout.write_all(read).await?;
            // Somebody waits for it.
            stdout.flush().await?;
        }
    };
    tokio::pin!(back);
    tokio::select! {
        ended = there => ended?,
        ended = &mut back => return ended,
    }
    timeout(REST, back).await.unwrap_or(Ok(()))
}
