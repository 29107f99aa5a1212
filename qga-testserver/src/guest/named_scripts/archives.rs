//! Many small files at once: archives of them, and whether they are empty.

use std::io::{self, Read};

use tar::{Archive, Builder, EntryType, Header};

use super::{Call, Done, Failed, wrong_arguments};
use crate::guest::files::Files;
use crate::guest::machine::Machine;
use crate::guest::processes::Script;

/// `qga-unpack FOLDER`
pub(super) fn unpack(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder] = call.exactly()?;
    let failed = |why: String| Failed(format!("tar: {why}"), 1);
    let mut archive = Archive::new(&*call.invocation.stdin);
    let entries = archive.entries().map_err(|why| failed(why.to_string()))?;
    for entry in entries {
        let unpacked = entry.and_then(|entry| unpack_one(&mut machine.files, folder, entry));
        unpacked.map_err(|why| failed(why.to_string()))?;
    }
    Ok(Script::new())
}

fn unpack_one(
    files: &mut Files,
    folder: &str,
    mut entry: tar::Entry<'_, impl Read>,
) -> io::Result<()> {
    let path = [folder.as_bytes(), b"/", &*entry.path_bytes()].concat();
    let text = String::from_utf8_lossy(&path).into_owned();
    let mut content = Vec::new();
    entry.read_to_end(&mut content)?;
    let header = entry.header();
    let modified = i64::try_from(header.mtime()?).unwrap_or(i64::MAX);
    let failed = |why: &'static str| io::Error::other(format!("{text}: {why}"));
    let replaced = files.replace(&path, content);
    replaced.map_err(|why| io::Error::other(String::from_utf8_lossy(why)))?;
    files.set_mode(&text, header.mode()?).map_err(failed)?;
    files.set_modified(&text, modified).map_err(failed)
}

/// `qga-pack FOLDER BYTES PATH...`
pub(super) fn pack(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder, most, paths @ ..] = call.args else {
        return Err(wrong_arguments());
    };
    let most = most.parse().map_err(|_| wrong_arguments())?;
    let mut archive = Builder::new(Vec::new());
    let mut whole = true;
    for path in paths {
        let added = pack_one(&machine.files, folder, path, &mut archive);
        whole &= added.is_ok_and(|added| added);
    }
    let mut archive = archive
        .into_inner()
        .map_err(|why| Failed(format!("tar: {why}"), 1))?;
    archive.truncate(most);
    let script = Script::new().stdout(archive);
    Ok(if whole {
        script.stderr("whole\n")
    } else {
        script
    })
}

/// Whether it could be added.
fn pack_one(
    files: &Files,
    folder: &str,
    path: &str,
    archive: &mut Builder<Vec<u8>>,
) -> io::Result<bool> {
    let place = format!("{folder}/{path}");
    let Ok(stat) = files.stat(&place, false) else {
        return Ok(false);
    };
    let content = files.content(place.as_bytes()).unwrap_or_default();
    let mut header = Header::new_gnu();
    header.set_mode(stat.mode & 0o7777);
    header.set_mtime(u64::try_from(stat.modified).unwrap_or_default());
    let is_file = stat.mode & 0xF000 == 0x8000;
    if !is_file {
        header.set_entry_type(EntryType::Symlink);
        header.set_size(0);
        archive.append_data(&mut header, path, io::empty())?;
        return Ok(true);
    }
    header.set_size(content.len() as u64);
    archive.append_data(&mut header, path, &*content)?;
    Ok(true)
}

/// `qga-are-empty FOLDER PATH...`
pub(super) fn are_empty(call: &Call<'_>, machine: &mut Machine) -> Done {
    let [folder, paths @ ..] = call.args else {
        return Err(wrong_arguments());
    };
    let is_empty = |path: &String| {
        let content = machine.files.content(format!("{folder}/{path}").as_bytes());
        content.is_some_and(|content| content.is_empty())
    };
    let script = Script::new();
    Ok(if paths.iter().all(is_empty) {
        script
    } else {
        script.stdout("n")
    })
}
