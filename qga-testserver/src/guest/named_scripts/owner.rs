//! `qga-set-owner OWNER PATH...`

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

pub(super) fn set(call: &Call<'_>, machine: &mut Machine) -> Done {
    let Some((owner, paths)) = call.args.split_first() else {
        return Err(wrong_arguments());
    };
    let (user, group) = match owner.split_once(':') {
        Some((user, group)) => (user, group),
        None => (owner.as_str(), ""),
    };
    let user = number(machine, "user", user, "/etc/passwd")?;
    let group = number(machine, "group", group, "/etc/group")?;
    for path in paths {
        let set = machine.files.set_owner(path, user, group);
        set.map_err(|why| Failed(format!("chown: cannot access '{path}': {why}"), 1))?;
    }
    Ok(Script::new())
}

/// The number of a name in one of the guest's files, or the number itself.
fn number(machine: &Machine, what: &str, name: &str, file: &str) -> Result<Option<u32>, Failed> {
    if name.is_empty() {
        return Ok(None);
    }
    let lines = machine.files.content(file.as_bytes()).unwrap_or_default();
    let lines = String::from_utf8_lossy(&lines).into_owned();
    let known = lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(name);
        is_it.then(|| fields.nth(1)).flatten()?.parse().ok()
    });
    match known.or_else(|| name.parse().ok()) {
        Some(number) => Ok(Some(number)),
        None => Err(Failed(format!("chown: invalid {what}: '{name}'"), 1)),
    }
}
