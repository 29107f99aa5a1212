//! `qga cp`.

#[cfg(test)]
mod tests;

use std::future::IntoFuture as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap_complete::ArgValueCompleter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qga_commands::guest::copy::{Copied, Transfer};
use qga_commands::{Guest, GuestError};
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::time::sleep;

use super::{Context, exec};
use crate::completing;
use crate::exit::Interrupted;
use crate::guest_path::Place;
use crate::show;
use crate::signals::Signals;

/// How long an interrupted copy has to clean up.
const CLEAN_UP: Duration = Duration::from_secs(1);

/// Copy files and folders into a guest, out of it, or from one to another.
///
/// A word is a guest's path if it has a name or an address before its last `:/`; what begins with `.` or `/` is a path of
/// this host, and `-` is standard input or standard output. Everything is copied to a place beside the target first, and
/// moved there when it is complete. Permissions and times are kept, owners are not. Links, pipes and devices below a folder
/// are not copied; how many is said.
#[derive(Debug, Args)]
#[command(after_help = "Example: qga cp -r ./site web1:/srv/site")]
pub(crate) struct Cp {
    /// What is copied.
    #[arg(add = ArgValueCompleter::new(completing::places))]
    source: String,
    /// Where to: the path of the copy, or a folder for it if it ends with a slash.
    #[arg(add = ArgValueCompleter::new(completing::places))]
    target: String,
    /// Copy a folder with all that is in it.
    #[arg(short, long)]
    recursive: bool,
    /// Replace a folder that is there.
    #[arg(long)]
    replace: bool,
    /// Compare checksums at the end.
    #[arg(long)]
    verify: bool,
}

impl Cp {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let source = Place::of(&self.source);
        let target = in_folder(&source, Place::of(&self.target))?;
        match (source, target) {
            (Place::Host(local), Place::Guest { address, path }) => {
                self.check_folder(Path::new(&local))?;
                let guest = context.guest(&address).await?;
                self.copy(context, guest.upload(local, path)).await
            }
            (Place::Guest { address, path }, Place::Host(local)) => {
                let guest = context.guest(&address).await?;
                self.download(context, &guest, path, local.into()).await
            }
            (Place::Guest { address, path }, Place::Standard) => {
                let guest = context.guest(&address).await?;
                print(&guest, path).await
            }
            (Place::Standard, Place::Guest { address, path }) => {
                let guest = context.guest(&address).await?;
                let file =
                    tempfile::NamedTempFile::new().context("there is no place for what comes")?;
                let mut spool = tokio::fs::File::create(file.path()).await?;
                copy(&mut tokio::io::stdin(), &mut spool)
                    .await
                    .context("standard input")?;
                spool.flush().await?;
                self.copy(context, guest.upload(file.path(), path)).await
            }
            (
                Place::Guest { address, path },
                Place::Guest {
                    address: other,
                    path: target,
                },
            ) => {
                let (from, to) = (context.guest(&address).await?, context.guest(&other).await?);
                let folder = tempfile::tempdir().context("there is no place for what is copied")?;
                let between = folder.path().join("copy");
                self.download(context, &from, path, between.clone()).await?;
                self.copy(context, to.upload(between, target)).await
            }
            _ => anyhow::bail!("one of the two has to be of a guest: ADDR:/path"),
        }
    }

    /// Folders are copied only where that was asked for.
    fn check_folder(&self, path: &Path) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.recursive || !path.is_dir(),
            "{} is a folder; copy it with -r",
            path.display()
        );
        Ok(())
    }

    async fn download(
        &self,
        context: &Context,
        guest: &Guest,
        path: String,
        local: PathBuf,
    ) -> anyhow::Result<()> {
        if !self.recursive {
            match guest.metadata(path.clone()).await {
                Ok(found) if found.is_dir() => {
                    anyhow::bail!("{path} is a folder of the guest; copy it with -r")
                }
                // Without a shell there are only files.
                Ok(_) | Err(GuestError::Unsupported(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.copy(context, guest.download(path, local)).await
    }

    async fn copy(&self, context: &Context, transfer: Transfer) -> anyhow::Result<()> {
        let mut signals = Signals::listen()?;
        let bar = progress_bar(context);
        let copied = self.carry(transfer, &mut signals, &bar).await;
        bar.finish_and_clear();
        let copied = copied?;
        if copied.skipped > 0 {
            context.note(&format!(
                "{} links, pipes or devices were not copied",
                copied.skipped
            ));
        }
        report(context, &copied)
    }

    async fn carry(
        &self,
        transfer: Transfer,
        signals: &mut Signals,
        bar: &ProgressBar,
    ) -> anyhow::Result<Copied> {
        let shown = bar.clone();
        let transfer = transfer
            .verify(self.verify)
            .replace(self.replace)
            .progress(move |now| {
                shown.set_length(now.total);
                shown.set_position(now.bytes);
            });
        tokio::select! {
            copied = transfer.into_future() => Ok(copied?),
            signal = signals.next() => {
                bar.finish_and_clear();
                // What was copied until now is removed in the background.
                tokio::select! {
                    () = sleep(CLEAN_UP) => {}
                    _ = signals.next() => {}
                }
                let words = "interrupted; the target is as it was".to_owned();
                Err(Interrupted { signal, words }.into())
            }
        }
    }
}

fn report(context: &Context, copied: &Copied) -> anyhow::Result<()> {
    if !context.is_json() {
        return Ok(());
    }
    show::json(
        "copied",
        serde_json::json!({
            "files": copied.files, "folders": copied.folders, "bytes": copied.bytes,
            "skipped": copied.skipped, "grown": copied.grown,
        }),
    )
}

fn progress_bar(context: &Context) -> ProgressBar {
    if context.is_quiet || !exec::is_watched() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(
        "{bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar
}

async fn print(guest: &Guest, path: String) -> anyhow::Result<()> {
    let mut file = guest.open(path).await?;
    let mut stdout = tokio::io::stdout();
    copy(&mut file, &mut stdout).await?;
    stdout.flush().await?;
    Ok(file.close().await?)
}

/// A target that is a folder stands for a file of the source's name in it.
fn in_folder(source: &Place, target: Place) -> anyhow::Result<Place> {
    let name = || match source {
        Place::Host(path) | Place::Guest { path, .. } => {
            let name = Path::new(path).file_name().and_then(|name| name.to_str());
            name.with_context(|| format!("{path} has no name that the copy could have"))
        }
        Place::Standard => anyhow::bail!("the copy of standard input needs a name"),
    };
    Ok(match target {
        Place::Host(path) if Path::new(&path).is_dir() => {
            let joined = Path::new(&path).join(name()?);
            Place::Host(joined.to_str().context("the path is not UTF-8")?.to_owned())
        }
        Place::Guest { address, path } if path.ends_with('/') => Place::Guest {
            address,
            path: path + name()?,
        },
        target => target,
    })
}
