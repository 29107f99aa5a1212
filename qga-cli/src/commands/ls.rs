//! `qga ls`.

use std::time::SystemTime;

use clap::Args;
use clap_complete::ArgValueCompleter;
use qga_commands::guest::fs::{DirEntry, FileType};
use serde_json::json;

use super::Context;
use crate::completing;
use crate::options::Target;
use crate::show;

#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    target: Target,
    /// The folder.
    #[arg(default_value = "/", add = ArgValueCompleter::new(completing::paths))]
    path: String,
    /// Tell of mode, owner, size and time too.
    #[arg(short, long)]
    long: bool,
}

impl Ls {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let mut entries = guest.read_dir(self.path).await?;
        entries.sort_by(|one, other| one.file_name_bytes().cmp(other.file_name_bytes()));
        if context.is_json() {
            let entries: Vec<_> = entries.iter().map(as_json).collect();
            return show::json("entries", entries);
        }
        if !self.long {
            return show::lines(entries.iter().map(DirEntry::file_name));
        }
        show::table(
            ["mode", "owner", "group", "size", "changed", "name"],
            entries.iter().map(|entry| {
                let found = entry.metadata();
                [
                    format!("{}{:04o}", letter(entry.file_type()), found.mode() & 0o7777),
                    found.uid().to_string(),
                    found.gid().to_string(),
                    found.len().to_string(),
                    found.modified().map_or_else(String::new, time),
                    entry.file_name().into_owned(),
                ]
            }),
        )
    }
}

fn as_json(entry: &DirEntry) -> serde_json::Value {
    let found = entry.metadata();
    let seconds = found
        .modified()
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    json!({
        "name": entry.file_name(),
        "name_base64": show::base64_unless_text(entry.file_name_bytes()),
        "type": kind(entry.file_type()),
        "mode": found.mode() & 0o7777,
        "uid": found.uid(),
        "gid": found.gid(),
        "bytes": found.len(),
        "modified": seconds.map(|since| since.as_secs()),
    })
}

fn kind(kind: FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "folder",
        kind if kind.is_file() => "file",
        kind if kind.is_symlink() => "link",
        _ => "other",
    }
}

fn letter(kind: FileType) -> char {
    match kind {
        kind if kind.is_dir() => 'd',
        kind if kind.is_file() => '-',
        kind if kind.is_symlink() => 'l',
        _ => '?',
    }
}

fn time(time: SystemTime) -> String {
    show::time(time)
}
