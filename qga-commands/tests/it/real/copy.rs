//! Files and trees copied to and from a real agent, where one is installed.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::future::IntoFuture;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use qga_commands::GuestError;
use qga_commands::guest::copy::CopyFault;

use crate::real;

/// Each path with its mode, time and content.
type Tree = BTreeMap<String, (u32, i64, Option<Vec<u8>>)>;

fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = metadata.is_file().then(|| fs::read(&path).unwrap());
        if metadata.is_dir() {
            left.extend(
                fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        }
        let name = path
            .strip_prefix(root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        found.insert(name, (metadata.mode() & 0o7777, metadata.mtime(), content));
    }
    found
}

const ODD: [&str; 10] = [
    "a b",
    "new\nline",
    "-rf",
    "ümlaut 😀",
    "quote'\"`$(id)",
    "back\\slash",
    "\n",
    ".hidden",
    " %n",
    "*",
];

/// A tree with odd names, modes and times, of files and folders, some of them empty.
fn make(root: &Path) {
    fs::create_dir(root).unwrap();
    for (number, name) in (1_u64..).zip(ODD) {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        let file = folder.join(name);
        fs::write(
            &file,
            name.repeat(1000 * usize::try_from(number % 3).unwrap()),
        )
        .unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 * (number % 3));
        for path in [&file, &folder] {
            fs::File::open(path).unwrap().set_modified(time).unwrap();
            let mode = match number % 3 {
                0 => 0o640,
                1 => 0o755,
                _ => 0o500,
            };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    fs::create_dir_all(root.join("empty/empty")).unwrap();
}

/// What is in a folder, so that a temporary one would be seen.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_real_tree_with_odd_names_comes_back_as_it_went() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
    make(&here);
    let up = guest
        .upload(&here, text(&there))
        .verify(true)
        .await
        .unwrap();
    assert!(up.atomic, "{up:?}");
    assert_eq!((up.files, up.folders, up.skipped), (10, 13, 0));
    assert!(tree(&here) == tree(&there));
    let down = guest
        .download(text(&there), &back)
        .verify(true)
        .await
        .unwrap();
    assert_eq!(up, down);
    assert!(tree(&here) == tree(&back));
    assert_eq!(names(folder.path()), ["back", "here", "there"]);
}

#[tokio::test]
async fn a_real_tree_is_copied_with_its_links_but_without_pipes_and_setuid_bits() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("file"), "x").unwrap();
    fs::set_permissions(here.join("file"), fs::Permissions::from_mode(0o6755)).unwrap();
    symlink("/etc/passwd", here.join("link")).unwrap();
    symlink("/etc", here.join("folder-link")).unwrap();
    let pipe = Command::new("mkfifo").arg(here.join("pipe")).status();
    assert!(pipe.unwrap().success());
    for download in [true, false] {
        let target = folder.path().join(format!("target-{download}"));
        let copied = if download {
            guest.download(text(&here), &target).await.unwrap()
        } else {
            guest.upload(&here, text(&target)).await.unwrap()
        };
        assert_eq!((copied.files, copied.folders), (1, 1));
        assert_eq!((copied.links, copied.skipped), (2, 1));
        assert_eq!(names(&target), ["file", "folder-link", "link"]);
        for (link, wanted) in [("link", "/etc/passwd"), ("folder-link", "/etc")] {
            assert_eq!(fs::read_link(target.join(link)).unwrap(), Path::new(wanted));
        }
        assert_eq!(tree(&target)["file"].0, 0o755);
    }
    // What is named itself is followed if it is a link, and never opened if it is a pipe.
    let target = folder.path().join("target");
    let link = text(&here.join("link"));
    guest.download(link, &target).await.unwrap();
    assert_eq!(fs::read(&target).unwrap(), fs::read("/etc/passwd").unwrap());
    let error = guest
        .download(text(&here.join("pipe")), &target)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, GuestError::Copy { fault, .. } if matches!(**fault, CopyFault::Refused(_))),
        "{error}"
    );
}

#[tokio::test]
async fn a_real_file_replaces_a_file_and_a_folder_nothing() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("file"), "new").unwrap();
    fs::create_dir(path("folder")).unwrap();
    symlink(path("folder"), path("link-to-folder")).unwrap();
    for target in ["old", "link"] {
        for download in [true, false] {
            fs::write(path("old"), "old").unwrap();
            let _ = fs::remove_file(path("link"));
            symlink(path("old"), path("link")).unwrap();
            if download {
                guest
                    .download(text(&path("file")), path(target))
                    .await
                    .unwrap();
            } else {
                guest
                    .upload(path("file"), text(&path(target)))
                    .await
                    .unwrap();
            }
            assert_eq!(fs::read(path(target)).unwrap(), b"new");
            // A link is replaced, not written through.
            assert_eq!(
                fs::read(path("old")).unwrap(),
                if target == "old" { b"new" } else { b"old" }
            );
        }
    }
    let before = names(folder.path());
    for (source, target) in [
        ("folder", "old"),
        ("folder", "folder"),
        ("folder", "link"),
        ("file", "folder"),
    ] {
        guest
            .download(text(&path(source)), path(target))
            .await
            .unwrap_err();
        guest
            .upload(path(source), text(&path(target)))
            .await
            .unwrap_err();
    }
    guest
        .upload(path("file"), text(&path("link-to-folder")))
        .await
        .unwrap_err();
    guest
        .download(text(&path("none")), path("x"))
        .await
        .unwrap_err();
    guest
        .upload(path("none"), text(&path("x")))
        .await
        .unwrap_err();
    guest
        .upload(path("file"), text(&path("none/x")))
        .await
        .unwrap_err();
    assert_eq!(names(folder.path()), before);
}

#[tokio::test]
async fn a_long_real_file_comes_back_as_it_went_and_tells_how_far_it_is() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let [here, there, back] = ["here", "there", "back"].map(|name| folder.path().join(name));
    let bytes: Vec<u8> = (0_u32..(17 << 20)).flat_map(u32::to_le_bytes).collect();
    fs::write(&there, &bytes).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let tell = move |bytes, total| told.lock().unwrap().push((bytes, total));
    let down = guest
        .download(text(&there), &back)
        .progress(move |now| tell(now.bytes, now.total))
        .await
        .unwrap();
    assert_eq!(down.bytes, 68 << 20);
    assert!(fs::read(&back).unwrap() == bytes);
    let seen = seen.lock().unwrap().clone();
    assert!(seen.is_sorted() && seen.len() > 100);
    assert_eq!(seen.last(), Some(&(68 << 20, 68 << 20)));
    let part = &bytes[..5_000_001];
    fs::write(&here, part).unwrap();
    guest
        .upload(&here, text(&there))
        .verify(true)
        .await
        .unwrap();
    assert!(fs::read(&there).unwrap() == part);
}

#[tokio::test]
async fn a_copy_goes_on_after_the_real_agent_was_started_anew() {
    for download in [true, false] {
        let Some((mut agent, guest)) = real::guest().await else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
        let bytes: Vec<u8> = (0_u32..2_000_000).flat_map(u32::to_le_bytes).collect();
        fs::write(&from, &bytes).unwrap();
        let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
        let transfer = if download {
            guest.download(text(&from), &to)
        } else {
            guest.upload(&from, text(&to))
        };
        let transfer = transfer.verify(true).progress(move |now| {
            if now.bytes > now.total / 3 {
                let _ = begun.send(());
            }
        });
        let copy = tokio::spawn(transfer.into_future());
        begins.recv().await.unwrap();
        let agent = tokio::task::spawn_blocking(move || agent.restart().map(|()| agent));
        let _agent = agent.await.unwrap().unwrap();
        copy.await.unwrap().unwrap();
        assert!(fs::read(&to).unwrap() == bytes);
        assert_eq!(names(folder.path()), ["from", "to"]);
    }
}
