//! What a POSIX guest's shell is asked to run, for those who write a fake of one.
//!
//! Where an operation needs more than the agent's own commands, it runs a script as
//! `sh -c TEXT ATTEMPT ARGUMENT...`. Each text is fixed, and begins with a line such as `: qga-list 1`, which
//! a shell passes over: a name and a version, which changes when anything below does. Whatever varies is an
//! argument, so an agent without a shell can tell by that line what to do. `ATTEMPT` is `first`, or `again`
//! where the answer of an earlier run was lost, so that the script may have been carried out already.
//! (It is `sh` for the two that become the caller's own program.)
//!
//! | name | arguments | prints | exit codes beside 0 |
//! |---|---|---|---|
//! | `qga-list 1` | WHAT PATH, see below | records, see below | 1: as the last line of standard error says |
//! | `qga-checksums 1` | `together` or `each`, PATH...; or `first`, and SIZE PATH for each file | a line for each file that begins with its SHA-256 checksum in hexadecimal | 127: there is no program that makes them |
//! | `qga-begin 1` | TEMP TARGET KIND REPLACE | | 17: TARGET is there; 21: it is a folder |
//! | `qga-continue 2` | TEMP TARGET KIND REPLACE ID | an ID, and KiB | 1: as standard error says; 17, 21 |
//! | `qga-renew 3` | TEMP | | 1 |
//! | `qga-remove 1` | PATH... | | 1 |
//! | `qga-make-folders 1` | FOLDER... | | 1 |
//! | `qga-unpack 1` | FOLDER | | any: the files have to be written in another way |
//! | `qga-pack 1` | FOLDER BYTES PATH... | an archive, cut after so many bytes; `whole` on standard error, if all of the files could be read | 127: there is no `tar` |
//! | `qga-are-empty 1` | FOLDER PATH... | something, if not all of the files could be read and are empty | 1 |
//! | `qga-read-links 1` | PATH... | what each link leads to, a newline and a NUL; a NUL alone for what is no link | 127: there is no `readlink` |
//! | `qga-make-links 1` | PATH and `=TARGET` for each link | | 1 |
//! | `qga-set-metadata 1` | groups, see below | | 1 |
//! | `qga-set-owner 1` | OWNER PATH... | | 1: as standard error says |
//! | `qga-publish 2` | TEMP TARGET KIND REPLACE PARENT | `atomic`, `synced`, each on a line and only if it is so | 17, 21 |
//! | `qga-discard 1` | TEMP TARGET | | 17: something else has taken the place of what was moved aside, which is left in TEMP |
//! | `qga-make-directory 1` | PATH | | 1: as standard error says |
//! | `qga-remove-file 1` | PATH | | 1: as standard error says |
//! | `qga-make-streams 1` | FOLDER | | 1, 2 |
//! | `qga-stream 1` | FOLDER PROGRAM ARGUMENT... | | the program's; 127: it is not there |
//! | `qga-remove-streams 1` | FOLDER | | 1 |
//! | `qga-run-in 1` | FOLDER PROGRAM ARGUMENT... | what the program prints | the program's; 125: FOLDER cannot be entered; 127: the program is not there |
//! | `qga-kill 1` | PID | | 1: there is no such process |
//!
//! - **`qga-list`**: WHAT is `file` (what is at PATH, links followed), `link` (links not followed),
//!   `directory` (what is in a folder) or `tree` (a folder and all below it; as `file` if PATH is none). A record is
//!   `//MODE SIZE TIME USER GROUP NAME` and a newline: the mode with its type in hexadecimal, bytes, seconds since 1970,
//!   numbers of the owner. NAME is `.` for PATH itself, and `./a/b` for what is below it. No name holds two slashes, so
//!   a newline and two slashes part the records whatever the names are. A folder comes before what is in it.
//! - **`qga-begin`** makes the folder TEMP, which nobody else may enter, beside TARGET, if that may become a
//!   KIND (`file` or `folder`): a file replaces a file, and if REPLACE is `yes` rather than `no`, anything
//!   replaces anything. What is copied becomes `TEMP/content`.
//! - **`qga-unpack`** reads an archive from its standard input, in the form `ustar`, and writes the files that are in it
//!   below FOLDER, with their permissions and times. If it is run again, it waits up to ten seconds for the first run.
//! - **`qga-pack`** archives files by their paths, such as `./a/b`, below FOLDER. The archive is in any form that a `tar`
//!   writes by itself. Links are not followed.
//! - **`qga-continue`** makes the folder TEMP as `qga-begin` does, and the file `TEMP/id`, which holds ID. If TEMP is there
//!   already and belongs to the agent's user, it is kept, with its ID. It prints that, and what `TEMP/content` takes on the disk
//!   and 1 more, or 0 if it is not there.
//! - **`qga-renew`** puts a copy of `TEMP/content`, a file or a folder, in its place, so that whoever has something of it open writes
//!   elsewhere. Links are copied as links; if `TEMP/content` is one itself, it is removed. Pipes, sockets and devices are removed.
//! - **`qga-remove`** removes what is at each PATH and below, if it is there. Links are not followed.
//! - **`qga-set-metadata`** takes groups of arguments: `time SECONDS STAMP COUNT PATH...` sets the time of the last
//!   change of so many paths (SECONDS since 1970, and the same as `touch -t` takes it in UTC), `mode MODE - COUNT PATH...`
//!   the permissions, in octal. A time that cannot be set is no failure.
//! - **`qga-make-links`** makes a link at each PATH, which leads to TARGET. A link or a file that is there is removed before.
//! - **`qga-set-owner`** sets who each PATH belongs to, without following links. OWNER is `USER`, `USER:GROUP` or `:GROUP`, by name or
//!   number.
//! - **`qga-publish`** writes all of `TEMP/content` through to the disk, moves it to TARGET, removes TEMP, and writes the
//!   folder PARENT through. What cannot be replaced in one step is moved to `TEMP/old` before; then it does not print `atomic`.
//! - **`qga-discard`** removes TEMP. If `TEMP/old` and `TEMP/content` are both there, the former goes back to TARGET before.
//! - **`qga-make-streams`** makes FOLDER, which must not be there, and empty files `out` and `err` in it. **`qga-stream`** opens these
//!   for its output, removes FOLDER, and becomes the program.

use super::GuestError;

/// A script, by its text.
#[derive(Clone, Copy)]
pub(super) struct Script(&'static str);

pub(super) const LIST: Script = Script(include_str!("scripts/list.sh"));
pub(super) const CHECKSUMS: Script = Script(include_str!("scripts/checksums.sh"));
pub(super) const BEGIN: Script = Script(include_str!("scripts/begin.sh"));
pub(super) const CONTINUE: Script = Script(include_str!("scripts/continue.sh"));
pub(super) const RENEW: Script = Script(include_str!("scripts/renew.sh"));
pub(super) const REMOVE: Script = Script(include_str!("scripts/remove.sh"));
pub(super) const MAKE_FOLDERS: Script = Script(include_str!("scripts/make_folders.sh"));
pub(super) const UNPACK: Script = Script(include_str!("scripts/unpack.sh"));
pub(super) const PACK: Script = Script(include_str!("scripts/pack.sh"));
pub(super) const ARE_EMPTY: Script = Script(include_str!("scripts/are_empty.sh"));
pub(super) const READ_LINKS: Script = Script(include_str!("scripts/read_links.sh"));
pub(super) const MAKE_LINKS: Script = Script(include_str!("scripts/make_links.sh"));
pub(super) const SET_METADATA: Script = Script(include_str!("scripts/set_metadata.sh"));
pub(super) const SET_OWNER: Script = Script(include_str!("scripts/set_owner.sh"));
pub(super) const PUBLISH: Script = Script(include_str!("scripts/publish.sh"));
pub(super) const DISCARD: Script = Script(include_str!("scripts/discard.sh"));
pub(super) const MAKE_DIRECTORY: Script = Script(include_str!("scripts/make_directory.sh"));
pub(super) const REMOVE_FILE: Script = Script(include_str!("scripts/remove_file.sh"));
pub(super) const MAKE_STREAMS: Script = Script(include_str!("scripts/make_streams.sh"));
pub(super) const STREAM: Script = Script(include_str!("scripts/stream.sh"));
pub(super) const REMOVE_STREAMS: Script = Script(include_str!("scripts/remove_streams.sh"));
pub(super) const RUN_IN: Script = Script(include_str!("scripts/run_in.sh"));
pub(super) const KILL: Script = Script(include_str!("scripts/kill.sh"));

impl Script {
    pub(super) fn text(self) -> &'static str {
        self.0
    }

    /// The words that run a program through it, which it becomes.
    pub(super) fn words(self, folder: &str, program: Vec<String>) -> Vec<String> {
        let shell = ["/bin/sh", "-c", self.0, "sh", folder].map(str::to_owned);
        shell.into_iter().chain(program).collect()
    }
}

/// A path of the guest that no program takes for an option, or for another path.
pub(super) fn path(path: impl Into<String>) -> Result<String, GuestError> {
    let path = path.into();
    if path.is_empty() {
        return Err(GuestError::InvalidInput("a path is empty".into()));
    }
    if path.contains('\0') {
        return Err(GuestError::InvalidInput(
            "a path has a NUL, at which the agent would cut it".into(),
        ));
    }
    Ok(match path.strip_prefix('-') {
        Some(_) => format!("./{path}"),
        None => path,
    })
}

#[cfg(test)]
mod tests;
