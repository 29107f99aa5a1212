//! `qga-list WHAT PATH`: prints a record for what there is.

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::files::{Files, Stat};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

pub(super) fn list(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &machine.files;
    let [what, path] = call.exactly()?;
    let stat = |follow| {
        let stat = files.stat(path, follow);
        stat.map_err(|why| Failed(format!("stat: cannot statx '{path}': {why}"), 1))
    };
    let records = match what {
        "tree" if files.is_folder(path) => below(files, path, true)?,
        "tree" | "file" => record(b".", &stat(true)?),
        "link" => record(b".", &stat(false)?),
        "directory" if stat(true)?.is_folder() => below(files, path, false)?,
        "directory" => return Err(Failed("Not a directory".into(), 1)),
        _ => return Err(wrong_arguments()),
    };
    Ok(Script::new().stdout(records))
}

/// The records of what is in a folder; of a whole tree, the folder's own comes first.
fn below(files: &Files, folder: &str, tree: bool) -> Result<Vec<u8>, Failed> {
    let failed = |why| Failed(format!("sh: 1: cd: can't cd to {folder}: {why}"), 2);
    let mut records = Vec::new();
    if tree {
        records = record(b".", &files.stat(folder, true).map_err(failed)?);
    }
    for (path, stat) in files.below(folder).map_err(failed)? {
        if tree || !path.contains(&b'/') {
            records.extend(record(&[b"./", &*path].concat(), &stat));
        }
    }
    Ok(records)
}

fn record(name: &[u8], stat: &Stat) -> Vec<u8> {
    let Stat {
        mode,
        size,
        modified,
        owner: (user, group),
    } = stat;
    let fields = format!("//{mode:x} {size} {modified} {user} {group} ");
    [fields.as_bytes(), name, b"\n"].concat()
}
