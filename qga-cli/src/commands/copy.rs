//! `qga cp`.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use clap_complete::ArgValueCompleter;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use qga_commands::guest::copy::{Copied, CopyFault, Transfer};
use qga_commands::{Guest, GuestError};
use tokio::io::{AsyncWriteExt as _, copy};
use tokio::time::{Instant, sleep};

use super::{Context, exec};
use crate::completing;
use crate::exit::{Interrupted, TimeIsUp};
use crate::guest_path::Place;
use crate::options::duration;
use crate::show;
use crate::signals::Signals;

/// How long an interrupted copy has to clean up.
const CLEAN_UP: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "Example: qga cp -r ./site web1:/srv/site")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// Keep the numbers of users and groups too; on this host that takes root.
    #[arg(short, long, conflicts_with = "owner")]
    preserve: bool,
    /// Whom the copy in the guest is to belong to: USER, USER:GROUP or :GROUP, by name or number.
    #[arg(long)]
    owner: Option<String>,
    /// Replace a folder that is there.
    #[arg(long)]
    replace: bool,
    /// Go on with what an earlier copy of the same file or folder has left, and leave what is there if this one breaks off.
    #[arg(long)]
    resume: bool,
    /// Compare checksums at the end.
    #[arg(long)]
    verify: bool,
    /// Give up after this time; the target is as it was or the whole copy, and the exit code is 124.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    timeout: Option<Duration>,
}

impl Cp {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let source = Place::of(&self.source);
        let target = in_folder(&source, Place::of(&self.target))?;
        self.check_owner(&source, &target)?;
        self.check_resume(&source, &target)?;
        let mut signals = Signals::listen()?;
        let bar = progress_bar(context);
        let copied = self
            .unless_stopped(self.copy(context, source, target, &bar), &mut signals, &bar)
            .await;
        bar.finish_and_clear();
        if self.resume && copied.as_ref().is_err_and(leaves_a_part) {
            context.note("what was copied is kept; the same command goes on with it");
        }
        match copied? {
            Some(copied) => report(context, &copied),
            None => Ok(()),
        }
    }

    /// Copies it, and says how much, unless it goes to standard output.
    async fn copy(
        &self,
        context: &Context,
        source: Place,
        target: Place,
        bar: &ProgressBar,
    ) -> anyhow::Result<Option<Copied>> {
        match (source, target) {
            (Place::Host(local), Place::Guest { address, path }) => {
                self.check_folder(Path::new(&local))?;
                let guest = context.guest(&address).await?;
                self.send(guest.upload(local, path), bar).await
            }
            (Place::Guest { address, path }, Place::Host(local)) => {
                let guest = context.guest(&address).await?;
                self.download(&guest, path, local.into(), bar).await
            }
            (Place::Guest { address, path }, Place::Standard) => {
                let guest = context.guest(&address).await?;
                print(&guest, path).await.map(|()| None)
            }
            (Place::Standard, Place::Guest { address, path }) => {
                let guest = context.guest(&address).await?;
                let file = spool().await?;
                self.send(guest.upload(file.path(), path), bar).await
            }
            (
                Place::Guest { address, path },
                Place::Guest {
                    address: other,
                    path: target,
                },
            ) => {
                let from = context.guest(&address).await?;
                // An agent serves one client at a time.
                let is_same =
                    context.config.address(&address)? == context.config.address(&other)?;
                let to = if is_same {
                    from.clone()
                } else {
                    context.guest(&other).await?
                };
                let folder = tempfile::tempdir().context("there is no place for what is copied")?;
                let between = folder.path().join("copy");
                self.download(&from, path, between.clone(), bar).await?;
                self.send(to.upload(between, target), bar).await
            }
            _ => anyhow::bail!("one of the two has to be of a guest: ADDR:/path"),
        }
    }

    /// Owners are given to what lies in a guest, and kept of what has one.
    fn check_owner(&self, source: &Place, target: &Place) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.owner.is_none() || matches!(target, Place::Guest { .. }),
            "--owner is for copies into a guest"
        );
        let is_stream = |place| matches!(place, &Place::Standard);
        anyhow::ensure!(
            !self.preserve || !(is_stream(source) || is_stream(target)),
            "standard input and output have no owner that -p could keep"
        );
        Ok(())
    }

    /// Whether there is a place at which a part could be found again.
    fn check_resume(&self, source: &Place, target: &Place) -> anyhow::Result<()> {
        let is_host = |place| matches!(place, &Place::Host(_));
        anyhow::ensure!(
            !self.resume || is_host(source) || is_host(target),
            "--resume is for copies between a guest and a file or folder of this host"
        );
        Ok(())
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
        guest: &Guest,
        path: String,
        local: PathBuf,
        bar: &ProgressBar,
    ) -> anyhow::Result<Option<Copied>> {
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
        self.carry(guest.download(path, local), bar).await
    }

    async fn send(&self, upload: Transfer, bar: &ProgressBar) -> anyhow::Result<Option<Copied>> {
        match &self.owner {
            Some(owner) => self.carry(upload.owner(owner), bar).await,
            None => self.carry(upload, bar).await,
        }
    }

    async fn carry(&self, transfer: Transfer, bar: &ProgressBar) -> anyhow::Result<Option<Copied>> {
        let shown = bar.clone();
        let transfer = if self.preserve {
            transfer.preserve_owner(true)
        } else {
            transfer
        };
        let transfer = transfer
            .verify(self.verify)
            .replace(self.replace)
            .resume(self.resume)
            .progress(move |now| {
                shown.set_length(now.total);
                shown.set_position(now.bytes);
            });
        Ok(Some(transfer.await?))
    }

    async fn unless_stopped<T>(
        &self,
        copy: impl Future<Output = anyhow::Result<T>>,
        signals: &mut Signals,
        bar: &ProgressBar,
    ) -> anyhow::Result<T> {
        let end = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let outcome = match Place::of(&self.target) {
            Place::Standard => "it was not copied to its end",
            _ if self.resume => {
                "the target is as it was, or already the whole copy; with --resume again it goes on with what is there"
            }
            _ => "the target is as it was, or already the whole copy",
        };
        let stopped = tokio::select! {
            copied = copy => return copied,
            signal = signals.next() => {
                let words = format!("interrupted; {outcome}");
                Interrupted { signal, words }.into()
            }
            () = exec::at(end) => TimeIsUp(format!("the time is over; {outcome}")).into(),
        };
        bar.finish_and_clear();
        // What was copied until now is removed in the background.
        tokio::select! {
            () = sleep(CLEAN_UP) => {}
            _ = signals.next() => {}
        }
        Err(stopped)
    }
}

/// Keeps what comes from standard input, since its length has to be known.
async fn spool() -> anyhow::Result<tempfile::NamedTempFile> {
    let file = tempfile::NamedTempFile::new().context("there is no place for what comes")?;
    let mut spool = tokio::fs::File::create(file.path()).await?;
    copy(&mut tokio::io::stdin(), &mut spool)
        .await
        .context("standard input")?;
    spool.flush().await?;
    Ok(file)
}

/// Whether a copy that was begun has broken off.
fn leaves_a_part(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(GuestError::Copy { fault, .. }) => !matches!(**fault, CopyFault::Refused(_)),
        Some(_) => true,
        None => false,
    }
}

fn report(context: &Context, copied: &Copied) -> anyhow::Result<()> {
    if copied.skipped > 0 {
        context.note(&format!(
            "{} pipes, sockets, devices or links were not copied",
            copied.skipped
        ));
    }
    if copied.resumed > 0 {
        context.note(&format!("{} bytes were there already", copied.resumed));
    }
    if !context.is_json() {
        return Ok(());
    }
    show::json(
        "copied",
        serde_json::json!({
            "files": copied.files, "folders": copied.folders, "links": copied.links, "bytes": copied.bytes,
            "skipped": copied.skipped, "grown": copied.grown, "resumed": copied.resumed,
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
