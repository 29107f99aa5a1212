//! Copies with a guest's shell.

use std::collections::BTreeMap;
use std::fs;
use std::future::IntoFuture;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use qga_commands::guest::copy::{CopyFault, Transfer};
use qga_commands::guest::files::OpenOptions;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution};
use qga_testserver::TestAgent;
use tokio::io::AsyncWriteExt as _;

use super::places;

/// Each path with its mode, time and content; of a link only where it leads to.
pub(crate) type Tree = BTreeMap<String, (u32, i64, Option<Vec<u8>>)>;

pub(crate) fn tree(root: &Path) -> Tree {
    let mut found = Tree::new();
    let mut left = vec![root.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let content = match metadata.file_type() {
            kind if kind.is_file() => Some(fs::read(&path).unwrap()),
            kind if kind.is_symlink() => {
                Some(fs::read_link(&path).unwrap().into_os_string().into_vec())
            }
            _ => None,
        };
        if metadata.is_dir() {
            let inside = fs::read_dir(&path).unwrap();
            left.extend(inside.map(|entry| entry.unwrap().path()));
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        found.insert(
            name.to_owned(),
            if metadata.is_symlink() {
                (0, 0, content)
            } else {
                (metadata.mode() & 0o7777, metadata.mtime(), content)
            },
        );
    }
    found
}

const ODD: [&str; 9] = [
    "a b",
    "new\nline",
    "-rf",
    "ümlaut 😀",
    "quote'\"`$(id)",
    "back\\slash",
    "\n",
    " %n",
    "*",
];

/// Where links lead to: outside, nowhere, in a circle, and with what a shell could take for something else.
const TARGETS: [&str; 12] = [
    "/etc/passwd",
    "../../../..",
    "nowhere",
    ".",
    "link 4",
    "-rf",
    "--help",
    "=",
    "\n",
    "two\nlines\n\n",
    "*",
    "\\0 $(id) `id` ' \" ü",
];

/// A tree with odd names, modes and times.
fn make(root: &Path) {
    fs::create_dir(root).unwrap();
    for (number, name) in (1_u64..).zip(ODD) {
        let folder = root.join(name);
        fs::create_dir(&folder).unwrap();
        let file = folder.join(name);
        let times = usize::try_from(number % 3).unwrap();
        fs::write(&file, name.repeat(1000 * times)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000 * (number % 3));
        let mode = [0o640, 0o755, 0o500][times];
        for path in [&file, &folder] {
            fs::File::open(path).unwrap().set_modified(time).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    fs::create_dir_all(root.join("empty/empty")).unwrap();
    for (number, target) in TARGETS.iter().enumerate() {
        symlink(target, root.join(format!("empty/{number}\nlink"))).unwrap();
        let lone = root.join(format!("link {number}"));
        symlink(target, &lone).unwrap();
    }
    // Nothing of what a link leads to may be changed, nor may a link stand in the way of a time.
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    let folder = fs::File::open(root.join("empty")).unwrap();
    folder.set_modified(time).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o555)).unwrap();
}

#[tokio::test]
async fn a_tree_with_odd_names_comes_back_as_it_went() {
    for place in places("a tree").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
        make(&here);
        let there = place.path("there");
        let up = place.guest.upload(&here, &there).verify(true);
        let up = up.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((up.files, up.folders, up.links), (9, 12, 24), "{name}");
        assert!(up.atomic && up.synced, "{name}: {up:?}");
        let down = place.guest.download(&there, &back).verify(true).await;
        let down = down.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (down.files, down.bytes, down.links),
            (9, up.bytes, 24),
            "{name}"
        );
        assert_eq!((up.skipped, down.skipped), (0, 0), "{name}");
        assert!(down.atomic && down.synced, "{name}: {down:?}");
        assert!(tree(&here) == tree(&back), "{name}");
        assert_eq!(place.names().await, ["there"], "{name}");
    }
}

#[tokio::test]
async fn a_file_replaces_a_file_and_a_tree_nothing_unless_it_is_to() {
    for place in places("a target that is there").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let [file, tree] = ["file", "tree"].map(|name| folder.path().join(name));
        fs::write(&file, "new").unwrap();
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("new"), "new").unwrap();
        let target = place.path("target");
        for (from, was_folder, replace, atomic) in [
            (&file, false, false, Some(true)),
            (&file, false, true, Some(true)),
            (&file, true, false, None),
            (&file, true, true, Some(false)),
            (&tree, false, false, None),
            (&tree, false, true, Some(false)),
            (&tree, true, false, None),
            (&tree, true, true, Some(false)),
        ] {
            let context =
                format!("{name}: {from:?} over a folder: {was_folder}, replace: {replace}");
            if was_folder {
                place
                    .guest
                    .create_dir_all(format!("{target}/old"))
                    .await
                    .unwrap();
            } else {
                place.guest.write(&target, "old").await.unwrap();
            }
            let copied = place.guest.upload(from, &target).replace(replace).await;
            let read = |path: String| place.guest.read_to_string(path);
            match (copied, atomic) {
                (Ok(copied), Some(atomic)) => {
                    assert_eq!(copied.atomic, atomic, "{context}");
                    let new = if from == &tree {
                        format!("{target}/new")
                    } else {
                        target.clone()
                    };
                    assert_eq!(read(new).await.unwrap(), "new", "{context}");
                    let old = place.guest.metadata(format!("{target}/old")).await;
                    assert!(old.is_err(), "{context}");
                }
                (Err(error), None) => {
                    assert_eq!(error.execution(), Execution::NotRun, "{context}: {error:?}");
                    assert!(error.to_string().contains("replace"), "{context}: {error}");
                    let old = place.guest.metadata(&target).await.unwrap();
                    assert_eq!(old.is_dir(), was_folder, "{context}");
                }
                (other, _) => panic!("{context}: {other:?}"),
            }
            assert_eq!(place.names().await, ["target"], "{context}");
            // The place is to be as it was.
            place
                .guest
                .upload(&file, &target)
                .replace(true)
                .await
                .unwrap();
            place.guest.remove_file(&target).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_download_replaces_a_tree_if_it_is_to() {
    for place in places("a local target that is there").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        place
            .guest
            .create_dir_all(place.path("tree"))
            .await
            .unwrap();
        place
            .guest
            .write(place.path("tree/new"), "new")
            .await
            .unwrap();
        fs::create_dir_all(target.join("old/older")).unwrap();
        fs::set_permissions(target.join("old"), fs::Permissions::from_mode(0o500)).unwrap();
        let refused = place.guest.download(place.path("tree"), &target).await;
        assert!(refused.is_err() && target.join("old").exists(), "{name}");
        let copied = place
            .guest
            .download(place.path("tree"), &target)
            .replace(true);
        let copied = copied
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(copied.atomic, cfg!(target_os = "linux"), "{name}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
        assert_eq!(fs::read(target.join("new")).unwrap(), b"new", "{name}");
        assert!(!target.join("old").exists(), "{name}");
    }
}

#[tokio::test]
async fn what_cannot_be_copied_says_whether_anything_was_changed() {
    for place in places("a missing file").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let error = place
            .guest
            .upload(&file, place.path("x"))
            .await
            .unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{name}: {error:?}");
        let text = error.to_string();
        assert!(
            text.contains("No such file") && text.contains("file"),
            "{name}: {text}"
        );
        fs::write(&file, "x").unwrap();
        let error = place
            .guest
            .upload(&file, place.path("none/x"))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("No such file"),
            "{name}: {error}"
        );
        let error = place
            .guest
            .download(place.path("none"), folder.path().join("x"))
            .await;
        let error = error.unwrap_err();
        assert!(
            error.to_string().contains("No such file"),
            "{name}: {error}"
        );
        assert!(place.names().await.is_empty(), "{name}");
    }
}

#[tokio::test]
async fn many_files_are_copied_with_few_programs_and_verified() {
    for place in places("many files").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        fs::create_dir(&here).unwrap();
        for number in 0..300 {
            // The names of all are more than one program takes.
            let file = here.join(format!("{number:0>150}"));
            fs::write(&file, format!("content of {number}")).unwrap();
        }
        let there = place.path("there");
        let copied = place
            .guest
            .upload(&here, &there)
            .verify(true)
            .await
            .unwrap();
        assert_eq!((copied.files, copied.synced), (300, true), "{name}");
        let back = folder.path().join("back");
        place
            .guest
            .download(&there, &back)
            .verify(true)
            .await
            .unwrap();
        assert!(tree(&here) == tree(&back), "{name}");
    }
}

#[tokio::test]
async fn a_file_that_grows_is_verified_as_far_as_it_was_copied() {
    for place in places("a growing file").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let (log, target) = (place.path("log"), folder.path().join("log"));
        let content = vec![b'x'; 900_000];
        (place.put)(&log, &content);
        let (put, path, grown) = (Arc::clone(&place.put), log.clone(), vec![b'x'; 900_001]);
        let mut first = true;
        let download = place.guest.download(&log, &target).verify(true);
        let download = download.progress(move |_| {
            if std::mem::take(&mut first) {
                put(&path, &grown);
            }
        });
        let copied = download
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((copied.bytes, copied.grown), (900_000, 1), "{name}");
        assert!(fs::read(&target).unwrap() == content, "{name}");
    }
}

/// What a guest's `sync` may be, and what is said then of a copy that succeeded; nothing if it fails.
const SYNCS: [(&str, Option<bool>); 4] = [
    (
        "[ $# = 0 ] || { echo 'Usage: sync' >&2; exit 1; }",
        Some(true),
    ),
    ("", Some(true)),
    (
        "echo 'sync: error syncing: Invalid argument' >&2; exit 1",
        Some(false),
    ),
    (
        "echo 'sync: error syncing: Input/output error' >&2; exit 1",
        None,
    ),
];

#[tokio::test]
async fn a_copy_is_written_through_or_says_that_it_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let syncs = SYNCS
        .iter()
        .map(|(script, wanted)| (Some(*script), *wanted));
    for (script, wanted) in syncs.chain([(None, Some(false))]) {
        let programs = tempfile::tempdir().unwrap();
        for name in ["sh", "mkdir", "mv", "rm", "touch", "chmod", "find"] {
            let program = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
            let program = program
                .into_iter()
                .find(|program| program.exists())
                .unwrap();
            symlink(program, programs.path().join(name)).unwrap();
        }
        if let Some(script) = script {
            let sync = programs.path().join("sync");
            fs::write(&sync, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&sync, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (agent, stream) = TestAgent::in_memory();
        let root = agent.host_shell_with_path(programs.path());
        let guest = Guest::new(Client::new(stream));
        for path in [&*file, folder.path()] {
            let copied = guest.upload(path, "/tmp/target").await;
            let context = format!("{script:?} {}: {copied:?}", path.display());
            match wanted {
                Some(synced) => assert_eq!(copied.unwrap().synced, synced, "{context}"),
                None => assert!(
                    copied.unwrap_err().to_string().contains("Input/output"),
                    "{context}"
                ),
            }
            let left = fs::read_dir(root.join("tmp")).unwrap().count();
            assert_eq!(left, usize::from(wanted.is_some()), "{context}");
            let _ = fs::remove_file(root.join("tmp/target"));
        }
    }
}

/// Numbers that this process may set: its own, or any if it is root.
fn numbers(folder: &Path) -> (u32, u32) {
    let ours = fs::metadata(folder).unwrap();
    if ours.uid() == 0 {
        (1234, 2345)
    } else {
        (ours.uid(), ours.gid())
    }
}

#[tokio::test]
async fn an_upload_belongs_to_whom_it_is_given_and_links_themselves_too() {
    for place in places("an owner").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        make(&here);
        let (user, group) = numbers(folder.path());
        let there = place.path("there");
        let upload = place.guest.upload(&here, &there);
        let upload = upload.owner(format!("{user}:{group}"));
        upload
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let wanted = (Some(user), Some(group));
        for path in [
            "",
            "/a b",
            "/a b/a b",
            "/link 2",
            "/link 3",
            "/empty/5\nlink",
        ] {
            let found = place.guest.symlink_metadata(format!("{there}{path}"));
            let found = found.await.unwrap();
            let found = (Some(found.uid()), Some(found.gid()));
            assert_eq!(found, wanted, "{name}: {path}");
        }
        // The group alone leaves the user alone.
        let file = here.join("*/*");
        let upload = place.guest.upload(&file, place.path("file"));
        upload.owner(format!(":{group}")).await.unwrap();
        let found = place.guest.metadata(place.path("file")).await.unwrap();
        let us = if name == "fake" {
            0
        } else {
            fs::metadata(folder.path()).unwrap().uid()
        };
        assert_eq!((found.uid(), found.gid()), (us, group), "{name}");
        let upload = place.guest.upload(&file, place.path("x"));
        let error = upload.owner("nobody-at-all").await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("nobody-at-all"), "{name}: {text}");
        assert!(
            !place.guest.try_exists(place.path("x")).await.unwrap(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn owners_are_kept_there_and_back_if_that_is_wanted_and_no_setuid_bit() {
    for place in places("owners that are kept").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
        fs::create_dir(&here).unwrap();
        let (user, group) = numbers(folder.path());
        let names = ["file", "other", "link"];
        fs::write(here.join("file"), "x").unwrap();
        fs::write(here.join("other"), "x").unwrap();
        symlink("nowhere", here.join("link")).unwrap();
        for name in ["file", "link"] {
            std::os::unix::fs::lchown(here.join(name), Some(user), Some(group)).unwrap();
        }
        let setuid = fs::Permissions::from_mode(0o6755);
        fs::set_permissions(here.join("file"), setuid).unwrap();
        let there = place.path("there");
        let up = place.guest.upload(&here, &there).preserve_owner(true);
        up.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let down = place.guest.download(&there, &back).preserve_owner(true);
        down.await.unwrap_or_else(|error| panic!("{name}: {error}"));
        for path in names.iter().chain(&["."]) {
            let [source, copy] = [&here, &back].map(|tree| {
                let found = fs::symlink_metadata(tree.join(path)).unwrap();
                (found.uid(), found.gid(), found.mode() & 0o777)
            });
            assert_eq!(source, copy, "{name}: {path}");
        }
        let mode = fs::metadata(back.join("file")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o755, "{name}");
    }
}

/// Drops a copy once half of it is there, as when its process is killed.
async fn broken_off(transfer: Transfer) {
    let (send, mut reached) = tokio::sync::mpsc::unbounded_channel();
    let transfer = transfer.resume(true).progress(move |now| {
        if now.bytes >= now.total / 2 {
            let _ = send.send(());
        }
    });
    tokio::select! {
        biased;
        _ = reached.recv() => {}
        copied = transfer.into_future() => panic!("{copied:?}"),
    }
}

#[tokio::test]
async fn a_copy_that_was_broken_off_goes_on_and_is_not_spoilt_by_what_is_still_open() {
    for place in places("a copy that goes on").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
        let content: Vec<u8> = (0..=250).cycle().take(4_000_000).collect();
        fs::write(&here, &content).unwrap();
        let there = place.path("there");
        broken_off(place.guest.upload(&here, &there)).await;
        let part = place.names().await;
        assert_eq!(part.len(), 1, "{name}: {part:?}");
        // What an agent has not written for a client that is gone.
        let part = place.path(&format!("{}/content", part[0]));
        let mut open = OpenOptions::new();
        let open = open.write(true).open(&place.guest, part).await;
        let mut open = open.unwrap();
        let copied = place.guest.upload(&here, &there).resume(true).await;
        let copied = copied.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(copied.resumed > 1_000_000, "{name}: {copied:?}");
        open.write_all(b"stale").await.unwrap();
        open.close().await.unwrap();
        assert_eq!(place.names().await, ["there"], "{name}");
        broken_off(place.guest.download(&there, &back)).await;
        let copied = place.guest.download(&there, &back).resume(true);
        let copied = copied
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(copied.resumed > 1_000_000, "{name}: {copied:?}");
        assert!(fs::read(&back).unwrap() == content, "{name}");
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 2, "{name}");
    }
}

#[tokio::test]
async fn a_tree_that_was_broken_off_goes_on_and_keeps_nothing_that_is_not_of_the_source() {
    for place in places("a tree that goes on").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
        fs::create_dir_all(here.join("deep")).unwrap();
        let content: Vec<u8> = (0..=250).cycle().take(2_000_000).collect();
        for path in ["a", "b\n\\", "deep/c"] {
            fs::write(here.join(path), &content).unwrap();
        }
        for path in ["1", "-2", "deep/ 3", "4", "5"] {
            fs::write(here.join(path), "small").unwrap();
        }
        symlink("a", here.join("link")).unwrap();
        let there = place.path("there");
        broken_off(place.guest.upload(&here, &there)).await;
        let part = place.names().await;
        assert_eq!(part.len(), 1, "{name}: {part:?}");
        let left = place.path(&format!("{}/content", part[0]));
        let foreign = "cd \"$1\" && mkdir -p foreign/-x && ln -s /etc foreign/etc && \
                       rm -f 4 && ln -s /nowhere 4 && chmod 0 1";
        if name != "fake" {
            let mut plant = place.guest.command("sh");
            let planted = plant
                .args(["-c", foreign, "sh", &left])
                .output()
                .await
                .unwrap();
            assert!(planted.status.success(), "{name}: {planted:?}");
        }
        fs::write(here.join("5"), "SMALL").unwrap();
        let copied = place.guest.upload(&here, &there).resume(true).await;
        let copied = copied.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(copied.resumed > 2_000_000, "{name}: {copied:?}");
        assert_eq!(place.names().await, ["there"], "{name}");
        broken_off(place.guest.download(&there, &back)).await;
        let copied = place.guest.download(&there, &back).resume(true).await;
        let copied = copied.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(copied.resumed > 2_000_000, "{name}: {copied:?}");
        let same = std::process::Command::new("diff")
            .args(["-r", "--no-dereference"])
            .args([&here, &back])
            .output()
            .unwrap();
        assert!(same.status.success(), "{name}: {same:?}");
    }
}

#[tokio::test]
async fn pipes_and_sockets_that_were_put_into_a_part_are_gone_when_a_copy_goes_on() {
    for place in places("a part with pipes").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        fs::create_dir_all(here.join("deep")).unwrap();
        let content: Vec<u8> = (0..=250).cycle().take(2_000_000).collect();
        for path in ["a", "b", "deep/c"] {
            fs::write(here.join(path), &content).unwrap();
        }
        for path in ["1", "2", "3", "deep/4"] {
            fs::write(here.join(path), "small").unwrap();
        }
        let there = place.path("there");
        broken_off(place.guest.upload(&here, &there)).await;
        let part = place.names().await;
        assert_eq!(part.len(), 1, "{name}: {part:?}");
        let part = place.path(&format!("{}/content", part[0]));
        let Some(left) = place.here(&part) else {
            // It goes on without them, too.
            place
                .guest
                .upload(&here, &there)
                .resume(true)
                .await
                .unwrap();
            continue;
        };
        // One where a file is to be: whoever opened it would wait for ever.
        fs::remove_file(left.join("1")).unwrap();
        let pipes = ["1", "-pipe", "deep/\n"].map(|pipe| left.join(pipe));
        let made = std::process::Command::new("mkfifo").args(pipes).status();
        assert!(made.unwrap().success(), "{name}");
        UnixListener::bind(left.join("socket")).unwrap();
        let copied = place.guest.upload(&here, &there).resume(true).await;
        let copied = copied.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(copied.resumed > 1_000_000, "{name}: {copied:?}");
        let target = place.here(&there).unwrap();
        assert!(tree(&target) == tree(&here), "{name}");
        assert_eq!(place.names().await, ["there"], "{name}");
    }
}

/// The `fsync` of some systems opens what it is given, and so what a link leads to.
#[tokio::test]
async fn links_are_not_followed_to_be_written_through_to_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("here");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("file"), "x").unwrap();
    symlink("nowhere", here.join("link")).unwrap();
    let programs = tempfile::tempdir().unwrap();
    let fsync = programs.path().join("fsync");
    fs::write(
        &fsync,
        "#!/bin/sh\nfor file; do [ -e \"$file\" ] || exit 1; done\n",
    )
    .unwrap();
    fs::set_permissions(&fsync, fs::Permissions::from_mode(0o755)).unwrap();
    let (agent, stream) = TestAgent::in_memory();
    let path = std::env::var_os("PATH").unwrap();
    let mut path: Vec<_> = std::env::split_paths(&path).collect();
    path.insert(0, programs.path().to_owned());
    let root = agent.host_shell_with_path(std::env::join_paths(path).unwrap());
    let guest = Guest::new(Client::new(stream));
    let copied = guest.upload(&here, "/tmp/target").await.unwrap();
    assert!(copied.synced, "{copied:?}");
    let link = fs::read_link(root.join("tmp/target/link")).unwrap();
    assert_eq!(link, Path::new("nowhere"));
}

#[tokio::test]
async fn a_checksum_that_differs_is_found() {
    for place in places("a wrong checksum").await {
        let name = place.name;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, vec![7; 400_000]).unwrap();
        let target = place.path("target");
        let (changed, mut first) = (file.clone(), true);
        let upload = place.guest.upload(&file, &target).verify(true);
        let upload = upload.progress(move |_| {
            if std::mem::take(&mut first) {
                // Of the same length, after it was read.
                fs::write(&changed, vec![8; 400_000]).unwrap();
            }
        });
        let error = upload.await.unwrap_err();
        let mismatch = matches!(&error, GuestError::Copy { fault, .. } if matches!(**fault, CopyFault::Mismatch));
        assert!(mismatch, "{name}: {error:?}");
        assert_eq!(error.execution(), Execution::Answered, "{name}");
        assert!(place.names().await.is_empty(), "{name}");
    }
}
