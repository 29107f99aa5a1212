//! Folders made and files removed by their paths.

use super::{Call, Done, Failed};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// `qga-make-directory PATH`
pub(super) fn make_directory(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [path] = call.exactly()?;
    let made = machine.files.make_folders(path);
    made.map_err(|why| Failed(format!("mkdir: cannot create directory '{path}': {why}"), 1))?;
    Ok(Script::new())
}

/// `qga-remove-file PATH`
pub(super) fn remove_file(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [path] = call.exactly()?;
    if call.again && !machine.files.is_there(path) {
        return Ok(Script::new());
    }
    let removed = machine.files.remove_file(path);
    removed.map_err(|why| Failed(format!("rm: cannot remove '{path}': {why}"), 1))?;
    Ok(Script::new())
}
