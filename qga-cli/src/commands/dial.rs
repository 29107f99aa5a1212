//! `qga dial-stdio`.

use anyhow::Context as _;
use clap::Args;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, copy, split};
use tokio::net::TcpStream;

use super::Context;
use crate::options::Target;

/// Carry bytes between standard input and output and the channel of an agent.
///
/// This is for the other side of an ssh connection: `ssh://` addresses use it where it is installed on the host. It ends
/// when either side has ended.
#[derive(Debug, Args)]
pub(crate) struct DialStdio {
    #[command(flatten)]
    target: Target,
}

impl DialStdio {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let address = context.config.address(&self.target.guest)?;
        let cannot = || format!("{address} cannot be connected to");
        match address.split_once(':') {
            #[cfg(unix)]
            Some(("unix", path)) => {
                carry(
                    tokio::net::UnixStream::connect(path)
                        .await
                        .with_context(cannot)?,
                )
                .await
            }
            Some(("tcp", host)) => {
                carry(TcpStream::connect(host).await.with_context(cannot)?).await
            }
            _ => anyhow::bail!(
                "{address} is no channel of bytes that this can carry: unix: and tcp: are"
            ),
        }
    }
}

async fn carry(stream: impl AsyncRead + AsyncWrite) -> anyhow::Result<()> {
    let (mut reader, mut writer) = split(stream);
    let (mut stdin, mut stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let there = async {
        copy(&mut stdin, &mut writer).await?;
        writer.shutdown().await
    };
    let back = async {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = tokio::io::AsyncReadExt::read(&mut reader, &mut buffer).await?;
            let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else {
                return Ok::<_, std::io::Error>(());
            };
            stdout.write_all(read).await?;
            // Somebody waits for it.
            stdout.flush().await?;
        }
    };
    tokio::select! {
        ended = there => ended?,
        ended = back => ended?,
    }
    Ok(())
}
