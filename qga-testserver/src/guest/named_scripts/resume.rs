//! Going on with what an earlier copy into the guest has left.

use super::copy::may_replace;
use super::{Call, Done, Failed};
use crate::guest::files::{Files, Stat, Why};
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// `qga-continue TEMP TARGET KIND REPLACE ID`
pub(super) fn go_on(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, target, kind, replace, new] = call.exactly()?;
    may_replace(files, target, kind, replace)?;
    let [id_file, content, old] = ["id", "content", "old"].map(|name| format!("{temp}/{name}"));
    if let Err(why) = files.make_private_folder(temp) {
        let failed = |why: &str| Failed(format!("{temp}: {why}"), 1);
        let is_folder = files.stat(temp, false).is_ok_and(|stat| stat.is_folder());
        if !is_folder {
            return Err(failed(why));
        }
        let below = files.below(temp).map_err(failed)?;
        if !files.is_there(&id_file) && !below.is_empty() {
            return Err(failed("Directory not empty"));
        }
        if files.is_there(&old) {
            return Err(failed("left by a replacement"));
        }
    }
    let failed = |why: &[u8]| Failed(String::from_utf8_lossy(why).into_owned(), 1);
    let mut id = files.content(id_file.as_bytes()).unwrap_or_default();
    if id.is_empty() {
        id = format!("{new}\n").into_bytes();
        let made = files.replace(id_file.as_bytes(), id.clone());
        made.map_err(failed)?;
    }
    let below = files.below(&content).unwrap_or_default();
    let below: u64 = below.iter().map(|(_, stat)| stat.size).sum();
    let kibibytes = files.stat(&content, false).map_or(0, |stat| {
        let bytes = below + stat.size;
        bytes.div_ceil(1024) + 1
    });
    let id = String::from_utf8_lossy(&id);
    Ok(Script::new().stdout(format!("{} {kibibytes}\n", id.trim_end())))
}

/// `qga-renew TEMP`
pub(super) fn renew(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp] = call.exactly()?;
    let [content, renewed] = ["content", "renewed"].map(|name| format!("{temp}/{name}"));
    let failed = |why: &str| Failed(format!("cp: '{content}': {why}"), 1);
    let stat = files.stat(&content, false).ok();
    let is_kept = |stat: &Stat| stat.is_file() || stat.is_folder();
    let Some(stat) = stat.filter(is_kept) else {
        files.remove_all(&content);
        return Ok(Script::new());
    };
    files.remove_all(&renewed);
    copy(files, &content, &renewed, &stat).map_err(failed)?;
    if stat.is_folder() {
        for (path, stat) in files.below(&content).map_err(failed)? {
            let path = String::from_utf8_lossy(&path);
            let [from, to] = [&content, &renewed].map(|folder| format!("{folder}/{path}"));
            copy(files, &from, &to, &stat).map_err(failed)?;
        }
    }
    files.remove_all(&content);
    files.rename(&renewed, &content).map_err(failed)?;
    Ok(Script::new())
}

/// `qga-remove PATH...`
pub(super) fn remove(call: &Call<'_>, machine: &mut Machine) -> Script {
    for path in call.args {
        machine.files.remove_all(path);
    }
    Script::new()
}

/// Copies something alone, which the owner may then change; neither a pipe nor a device.
fn copy(files: &mut Files, from: &str, to: &str, stat: &Stat) -> Result<(), Why> {
    if let Some(target) = files.link_target(from) {
        let target = String::from_utf8_lossy(target).into_owned();
        return files.make_link(to, &target);
    }
    if stat.is_folder() {
        return files.make_private_folder(to);
    }
    if !stat.is_file() {
        return Ok(());
    }
    let bytes = files.content(from.as_bytes()).unwrap_or_default();
    let made = files.replace(to.as_bytes(), bytes);
    made.map_err(|_| "No space left on device")?;
    files.set_mode(to, stat.mode & 0o777 | 0o600)
}
