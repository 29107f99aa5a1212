//! The steps of a copy into the guest: a folder beside the target, which becomes the target.

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::files::{Files, Why};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// The target is there already.
const THERE: i64 = 17;
/// The target is a folder.
const FOLDER: i64 = 21;

/// `qga-begin TEMP TARGET KIND REPLACE`
pub(super) fn begin(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, target, kind, replace] = call.exactly()?;
    may_replace(files, target, kind, replace)?;
    match files.make_private_folder(temp) {
        Err(why) if !(call.again && files.is_folder(temp)) => {
            let text = format!("mkdir: cannot create directory '{temp}': {why}");
            Err(Failed(text, 1))
        }
        _ => Ok(Script::new()),
    }
}

/// `qga-make-folders FOLDER...`
pub(super) fn make_folders(call: &Call<'_>, machine: &mut Machine) -> Done {
    for path in call.args {
        let failed = |why| Failed(format!("mkdir: cannot create directory '{path}': {why}"), 1);
        if !machine.files.is_folder(path) {
            machine.files.make_folders(path).map_err(failed)?;
            machine.files.set_mode(path, 0o700).map_err(failed)?;
        }
    }
    Ok(Script::new())
}

/// `qga-set-metadata`, and for each group `time SECONDS STAMP COUNT PATH...` or
/// `mode MODE - COUNT PATH...`
pub(super) fn set_metadata(call: &Call<'_>, machine: &mut Machine) -> Done {
    let mut left = call.args;
    while let [what, value, _, count, rest @ ..] = left {
        let count: usize = count.parse().map_err(|_| wrong_arguments())?;
        let (paths, after) = rest.split_at_checked(count).ok_or_else(wrong_arguments)?;
        for path in paths {
            let set = match what.as_str() {
                "time" => value
                    .parse()
                    .map_err(|_| "invalid date")
                    .and_then(|at| machine.files.set_modified(path, at)),
                _ => u32::from_str_radix(value, 8)
                    .map_err(|_| "invalid mode")
                    .and_then(|mode| machine.files.set_mode(path, mode)),
            };
            set.map_err(|why| Failed(format!("chmod: cannot access '{path}': {why}"), 1))?;
        }
        left = after;
    }
    Ok(Script::new())
}

/// `qga-publish TEMP TARGET KIND REPLACE PARENT`
pub(super) fn publish(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, target, kind, replace, _] = call.exactly()?;
    let (content, old) = (format!("{temp}/content"), format!("{temp}/old"));
    let failed = |why: Why| Failed(format!("mv: cannot move '{content}': {why}"), 1);
    let done = call.again && !files.is_there(&content) && files.is_there(target);
    if !done {
        may_replace(files, target, kind, replace)?;
        if files.is_there(target) && (kind == "folder" || files.is_folder(target)) {
            files.rename(target, &old).map_err(failed)?;
        }
        if let Err(why) = files.rename(&content, target) {
            if files.is_there(&old) {
                files.rename(&old, target).map_err(failed)?;
            }
            return Err(failed(why));
        }
    }
    let in_steps = files.is_there(&old) || (done && replace == "yes");
    files.remove_all(temp);
    let printed = if in_steps {
        "synced\n"
    } else {
        "atomic\nsynced\n"
    };
    Ok(Script::new().stdout(printed))
}

/// `qga-discard TEMP TARGET`
pub(super) fn discard(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, target] = call.exactly()?;
    let (content, old) = (format!("{temp}/content"), format!("{temp}/old"));
    if files.is_there(&old) && files.is_there(&content) {
        if files.is_there(target) {
            return Err(Failed(String::new(), THERE));
        }
        let back = files.rename(&old, target);
        back.map_err(|why| Failed(format!("mv: cannot move '{old}': {why}"), 1))?;
    }
    files.remove_all(temp);
    Ok(Script::new())
}

pub(super) fn may_replace(
    files: &Files,
    target: &str,
    kind: &str,
    replace: &str,
) -> Result<(), Failed> {
    match (kind, replace) {
        ("folder", "no") if files.is_there(target) => Err(Failed(String::new(), THERE)),
        ("file", "no") if files.is_folder(target) => Err(Failed(String::new(), FOLDER)),
        ("folder" | "file", "yes" | "no") => Ok(()),
        _ => Err(wrong_arguments()),
    }
}
