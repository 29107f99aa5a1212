//! Links read and made.

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// `qga-read-links PATH...`
pub(super) fn read(call: &Call<'_>, machine: &Machine) -> Script {
    let mut printed = Vec::new();
    for path in call.args {
        if let Some(target) = machine.files.link_target(path) {
            printed.extend_from_slice(target);
            printed.push(b'\n');
        }
        printed.push(0);
    }
    Script::new().stdout(printed)
}

/// `qga-make-links`, and for each link `PATH =TARGET`
pub(super) fn make(call: &Call<'_>, machine: &mut Machine) -> Done {
    for pair in call.args.chunks_exact(2) {
        let [path, target] = pair else {
            return Err(wrong_arguments());
        };
        let target = target.strip_prefix('=').unwrap_or(target);
        let failed = |program: &str, why| Failed(format!("{program}: '{path}': {why}"), 1);
        if machine.files.is_there(path) {
            let removed = machine.files.remove_file(path);
            removed.map_err(|why| failed("rm", why))?;
        }
        let made = machine.files.make_link(path, target);
        made.map_err(|why| failed("ln", why))?;
    }
    Ok(Script::new())
}
