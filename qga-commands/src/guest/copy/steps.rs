//! What a guest's shell does for many files at once.

use std::collections::HashSet;

use super::CopyFault;
use super::entry::{Entry, Kind, Meta};
use super::listing::{Listing, parse};
use super::names::join;
use super::send_bundles::{has_mode, has_time};
use super::stamp::stamp;
use crate::guest::scripts::{LIST, MAKE_FOLDERS, SET_METADATA, Script};
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT, may_have_shell};
use crate::guest::{Guest, GuestError};
use crate::limits;

/// What the arguments of one program may take, in bytes: libvirt and every kernel take that much.
const BYTES: usize = 48 * 1024;
/// What stands beside a path: the length of a file, where it is needed.
const BESIDE: usize = 24;
/// What stands before a group of paths that are to be set alike.
const SETTING: usize = 64;

/// What the arguments of a script may take, in bytes, where the channel carries less too.
pub(super) fn most(guest: &Guest, script: Script) -> usize {
    limits::arguments(guest.client(), script.text()).min(BYTES)
}

/// What there is in the guest; nothing where it has no shell to tell.
pub(super) async fn list(
    guest: &Guest,
    remote: &str,
    max_bytes: u64,
) -> Result<Option<Listing>, GuestError> {
    if !may_have_shell(guest).await? {
        return Ok(None);
    }
    let Some(output) = LIST.run(guest, &["tree", remote], SCRIPT_TIMEOUT).await? else {
        return Ok(None);
    };
    if !output.status.success() {
        return Err(CopyFault::Program(output).at(remote));
    }
    if output.truncated {
        let why = "its list is longer than the 16 MiB that the agent keeps of a program's output";
        return Err(CopyFault::TooMuch(why.into()).at(remote));
    }
    let listing = parse(&output.stdout, max_bytes);
    let listing = listing.map_err(|(path, fault)| fault.at(join(remote, &path)))?;
    Ok(Some(listing))
}

pub(super) async fn make_folders(guest: &Guest, folders: &[String]) -> Result<(), GuestError> {
    let most = most(guest, MAKE_FOLDERS);
    for batch in batches(folders.iter().map(String::as_str), most) {
        run(guest, MAKE_FOLDERS, &batch).await?;
    }
    Ok(())
}

/// Sets times and permissions of what lies in `content`, as far as the files that went together do not have them.
pub(super) async fn set_metadata(
    guest: &Guest,
    listing: &Listing,
    content: &str,
    bundled: &HashSet<usize>,
) -> Result<(), GuestError> {
    for args in packed(
        &changes(&listing.entries, content, bundled),
        most(guest, SET_METADATA),
    ) {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        run(guest, SET_METADATA, &args).await?;
    }
    Ok(())
}

/// Runs a script that has to succeed.
pub(super) async fn run(guest: &Guest, script: Script, args: &[&str]) -> Result<(), GuestError> {
    let path = || {
        let path = args.iter().find(|arg| arg.contains('/'));
        path.copied().unwrap_or_default()
    };
    match script.run(guest, args, SCRIPT_TIMEOUT).await? {
        Some(output) if output.status.success() => Ok(()),
        Some(output) => Err(CopyFault::Program(output).at(path())),
        None => Err(CopyFault::Refused(NO_SHELL).at(path())),
    }
}

/// Cuts a list into pieces of at most so many bytes, which one program takes; what is longer itself is alone.
pub(super) fn batches<'a>(args: impl Iterator<Item = &'a str>, most: usize) -> Vec<Vec<&'a str>> {
    let mut batches: Vec<Vec<&str>> = Vec::new();
    let mut bytes = 0;
    for arg in args {
        let size = size(arg);
        bytes += size;
        if bytes > most || batches.is_empty() {
            batches.push(Vec::new());
            bytes = size;
        }
        if let Some(batch) = batches.last_mut() {
            batch.push(arg);
        }
    }
    batches
}

/// What an argument takes, in bytes.
pub(super) fn size(path: &str) -> usize {
    limits::length_of(path) + BESIDE
}

/// What is to be set: `time` or `mode`, the value, and the same as a stamp.
type Setting = [String; 3];

/// All changes, so that those which are alike follow each other as far as may be: one program does
/// them together.
fn changes(entries: &[Entry], content: &str, bundled: &HashSet<usize>) -> Vec<(Setting, String)> {
    let with_meta = |lacks: fn(Meta) -> bool| {
        let entries = entries.iter().enumerate().filter(move |(index, entry)| {
            // Nothing is ever set through a link.
            entry.kind != Kind::Link && (!bundled.contains(index) || entry.meta.is_some_and(lacks))
        });
        entries.filter_map(|(_, entry)| Some((entry, entry.meta?)))
    };
    let mut times: Vec<_> = with_meta(|meta| !has_time(meta)).collect();
    times.sort_by_key(|(_, meta)| meta.modified);
    let (mut files, mut folders): (Vec<_>, Vec<_>) =
        with_meta(|meta| !has_mode(meta)).partition(|(entry, _)| entry.kind == Kind::File);
    files.sort_by_key(|(_, meta)| meta.mode);
    // The innermost first, since one may become such that nobody may go through.
    folders.reverse();
    let time = times.into_iter().map(|(entry, meta)| {
        let (value, stamp) = (meta.modified.to_string(), stamp(meta.modified));
        (["time".to_owned(), value, stamp], entry)
    });
    let mode = files.into_iter().chain(folders).map(|(entry, meta)| {
        let value = format!("{:o}", meta.mode);
        (["mode".to_owned(), value, "-".to_owned()], entry)
    });
    time.chain(mode)
        .map(|(setting, entry)| (setting, join(content, &entry.path)))
        .collect()
}

/// The arguments of as many programs as it takes: in groups, each a setting, a number, and so many paths.
fn packed(changes: &[(Setting, String)], most: usize) -> Vec<Vec<String>> {
    let mut programs: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for group in changes.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((setting, _)) = group.first() else {
            continue;
        };
        let paths = group.iter().map(|(_, path)| path.as_str());
        for paths in batches(paths, most.saturating_sub(SETTING)) {
            let size = SETTING + paths.iter().map(|path| size(path)).sum::<usize>();
            bytes += size;
            if bytes > most || programs.is_empty() {
                programs.push(Vec::new());
                bytes = size;
            }
            if let Some(args) = programs.last_mut() {
                args.extend_from_slice(setting);
                args.push(paths.len().to_string());
                args.extend(paths.into_iter().map(str::to_owned));
            }
        }
    }
    programs
}

#[cfg(test)]
mod tests {
    use super::super::entry::Meta;
    use super::*;

    #[test]
    fn long_lists_are_cut_into_requests() {
        let args: Vec<String> = (0..4000).map(|n| format!("{n:0>40}")).collect();
        let cut = batches(args.iter().map(String::as_str), BYTES);
        assert!(cut.len() > 2);
        for batch in &cut {
            assert!(batch.iter().map(|arg| arg.len()).sum::<usize>() < 50_000);
        }
        assert!(cut.concat() == args);
        assert!(batches([].into_iter(), BYTES).is_empty());
    }

    fn entry(path: &str, kind: Kind, mode: u32, modified: i64) -> Entry {
        Entry {
            path: path.to_owned(),
            kind,
            meta: Some(Meta {
                mode,
                modified,
                owner: None,
            }),
            ..Entry::file(0)
        }
    }

    #[test]
    fn what_is_alike_is_set_together_and_folders_from_the_inside_out() {
        let entries = [
            entry("", Kind::Folder, 0o755, 7),
            entry("a", Kind::File, 0o644, 7),
            entry("in", Kind::Folder, 0o500, 8),
            entry("in/b", Kind::File, 0o600, 7),
            entry("in/c", Kind::File, 0o644, 7),
        ];
        let args = packed(&changes(&entries, "/t", &HashSet::new()), BYTES);
        assert_eq!(args.len(), 1);
        let wanted = "time 7 197001010000.07 4 /t /t/a /t/in/b /t/in/c time 8 197001010000.08 1 /t/in \
                      mode 600 - 1 /t/in/b mode 644 - 2 /t/a /t/in/c mode 500 - 1 /t/in mode 755 - 1 /t";
        assert_eq!(args[0].join(" "), wanted);
    }

    #[test]
    fn groups_of_any_length_are_cut_into_requests() {
        let many: Vec<_> = (0..5000)
            .map(|n| entry(&format!("{n:0>40}"), Kind::File, 0o644, n / 3000))
            .collect();
        let programs = packed(&changes(&many, "/t", &HashSet::new()), BYTES);
        let mut set = 0;
        for args in &programs {
            assert!(args.iter().map(String::len).sum::<usize>() < 50_000);
            let mut left = &args[..];
            while !left.is_empty() {
                let count: usize = left[3].parse().unwrap();
                set += count;
                left = &left[4 + count..];
            }
        }
        assert_eq!(set, 10_000);
    }
}
