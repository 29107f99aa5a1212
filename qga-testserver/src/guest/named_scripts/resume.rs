//! Going on with what an earlier copy into the guest has left.

use super::copy::may_replace;
use super::{Call, Done, Failed};
use crate::guest::files::Stat;
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// `qga-continue TEMP TARGET REPLACE ID`
pub(super) fn go_on(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, target, replace, new] = call.exactly()?;
    may_replace(files, target, "file", replace)?;
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
    let part = files.stat(&content, false).ok();
    let size = part.filter(Stat::is_file).map_or(0, |part| part.size);
    let id = String::from_utf8_lossy(&id);
    Ok(Script::new().stdout(format!("{} {size}\n", id.trim_end())))
}

/// `qga-renew TEMP KEEP`
pub(super) fn renew(call: &Call<'_>, machine: &mut Machine) -> Done {
    let files = &mut machine.files;
    let [temp, keep] = call.exactly()?;
    let content = format!("{temp}/content");
    if keep == "no" {
        // A missing one is no failure.
        let _ = files.remove_file(&content);
        return Ok(Script::new());
    }
    let failed = |why: &str| Failed(format!("cp: '{content}': {why}"), 1);
    let bytes = files.content(content.as_bytes());
    let bytes = bytes.ok_or_else(|| failed("No such file or directory"))?;
    let renewed = format!("{temp}/renewed");
    let made = files.replace(renewed.as_bytes(), bytes);
    made.map_err(|why| failed(&String::from_utf8_lossy(why)))?;
    let moved = files.rename(&renewed, &content);
    moved.map_err(failed)?;
    files.set_mode(&content, 0o600).map_err(failed)?;
    Ok(Script::new())
}
