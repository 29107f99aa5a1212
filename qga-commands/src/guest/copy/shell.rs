//! Programs of a POSIX guest. No script is ever made from names: they are arguments.

use std::time::Duration;

use qga_core::Error;

use super::CopyFault;
use super::patience::Patience;
use crate::guest::process::{Output, is_windows};
use crate::guest::{Guest, GuestError};

/// How long a script may take that does not read whole files.
pub(super) const USUAL: Duration = Duration::from_secs(600);

/// Lists a file, or a folder and what is in it; see [`parse`](super::listing::parse). GNU's and busybox's
/// `stat` take `-c`, BSD's takes `-f`.
pub(super) const LIST: &str = r#"
if [ -d "$1" ]; then
    CDPATH= cd "$1" || exit 1
    if stat -c %f / >/dev/null 2>&1; then
        exec find . -exec stat -c '//%f %s %Y %n' {} +
    fi
    exec find . -exec stat -f '//%Xp %z %m %N' {} +
fi
if stat -c %f / >/dev/null 2>&1; then
    exec stat -L -c '//%f %s %Y .' "$1"
fi
exec stat -L -f '//%Xp %z %m .' "$1"
"#;

/// Makes the folder `$1` that nobody else may enter, if `$2` may become a `$3`, a folder or a file.
pub(super) const BEGIN: &str = r#"
umask 077
if [ "$3" = folder ]; then
    if [ -e "$2" ] || [ -L "$2" ]; then exit 17; fi
elif [ -d "$2" ]; then exit 21; fi
mkdir -m 700 "$1" && exit 0
[ "$0" = again ] && [ -d "$1" ] && [ ! -L "$1" ]
"#;

/// Makes folders.
pub(super) const FOLDERS: &str = r#"
umask 077
for folder; do [ -d "$folder" ] || mkdir "$folder" || exit 1; done
"#;

/// Sets the permissions `$1` and the time `$2`, or as it is written `$3`, of `$4`, and so on.
pub(super) const META: &str = r#"
while [ $# -ge 4 ]; do
    touch -d "@$2" "$4" 2>/dev/null || TZ=UTC0 touch -t "$3" "$4" 2>/dev/null || :
    chmod "$1" "$4" || exit 1
    shift 4
done
"#;

/// Prints a line that begins with the checksum for each file.
pub(super) const CHECKSUMS: &str = r#"
has() { command -v "$1" >/dev/null 2>&1; }
if has sha256sum; then sum() { sha256sum; }
elif has shasum; then sum() { shasum -a 256; }
elif has sha256; then sum() { sha256 -q; }
elif has openssl; then sum() { openssl dgst -sha256 -r; }
else exit 127
fi
for file; do sum < "$file" || exit 1; done
"#;

/// Moves what is in `$1` to `$2`, which becomes a `$3`.
pub(super) const MOVE: &str = r#"
if [ "$0" = again ] && [ ! -e "$1/content" ] && [ -e "$2" ]; then rm -rf "$1"; exit 0; fi
if [ "$3" = folder ]; then
    if [ -e "$2" ] || [ -L "$2" ]; then exit 17; fi
elif [ -d "$2" ]; then exit 21; fi
mv -f "$1/content" "$2" || exit 1
rmdir "$1" || :
"#;

pub(super) const REMOVE: &str = r#"rm -rf "$1""#;

/// Runs a script, again if its answer was lost: each can be, and knows by its name that it is.
///
/// `None` where the guest has no shell or the agent does not run programs.
pub(super) async fn run(
    guest: &Guest,
    script: &str,
    args: &[&str],
    within: Duration,
) -> Result<Option<Output>, GuestError> {
    let mut patience = Patience::new();
    let mut name = "first";
    loop {
        let mut command = guest.command("sh");
        command
            .args(["-c", script, name])
            .args(args.iter().copied());
        command.deadline(within).kill_on_drop(true);
        match command.output().await {
            Ok(output) => return Ok(Some(output)),
            Err(GuestError::Command(error)) if says_none(&error) => return Ok(None),
            Err(error) => patience.after(error).await?,
        }
        name = "again";
    }
}

/// Whether an agent says that there is no shell, or that it runs no programs. Any other refusal, such
/// as for want of memory, is an error: the guest may well have a shell.
fn says_none(error: &Error) -> bool {
    error.agent_error().is_some_and(|refusal| {
        refusal.is_command_not_found() || refusal.desc.contains("No such file or directory")
    })
}

/// Whether it is worth while to look for a shell.
pub(super) async fn may_have_one(guest: &Guest) -> Result<bool, GuestError> {
    let mut patience = Patience::new();
    loop {
        match is_windows(guest).await {
            Ok(windows) => return Ok(!windows),
            Err(error) => patience.after(error).await?,
        }
    }
}

/// Runs a script that has to succeed, for so many of these as one request may hold.
pub(super) async fn run_for_all(
    guest: &Guest,
    script: &str,
    args: &[String],
    together: usize,
) -> Result<(), GuestError> {
    for batch in batches(args, together) {
        match run(guest, script, &batch, USUAL).await? {
            Some(output) if output.status.success() => {}
            Some(output) => return Err(CopyFault::Program(output).at(first_path(&batch))),
            None => return Err(CopyFault::Refused(NO_SHELL).at(first_path(&batch))),
        }
    }
    Ok(())
}

pub(super) const NO_SHELL: &str = "the agent does not run a POSIX shell";

fn first_path(batch: &[&str]) -> String {
    let path = batch.iter().find(|arg| arg.contains('/'));
    path.copied().unwrap_or_default().to_owned()
}

/// Cuts arguments into pieces that libvirt and every kernel take; `together` belong together.
pub(super) fn batches(args: &[String], together: usize) -> Vec<Vec<&str>> {
    const BYTES: usize = 48 * 1024;
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = BYTES;
    for group in args.chunks(together.max(1)) {
        let size: usize = group.iter().map(|arg| arg.len() + 8).sum();
        if bytes + size > BYTES {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.extend(group.iter().map(String::as_str));
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn long_lists_are_cut_into_requests_and_groups_stay_whole() {
        let args: Vec<String> = (0..4000).map(|n| format!("{n:0>40}")).collect();
        let cut = batches(&args, 4);
        assert!(cut.len() > 2);
        for batch in &cut {
            assert_eq!(batch.len() % 4, 0);
            assert!(batch.iter().map(|arg| arg.len()).sum::<usize>() < 50_000);
        }
        assert!(cut.concat() == args);
        assert!(batches(&[], 4).is_empty());
    }
}
