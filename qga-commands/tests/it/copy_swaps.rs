//! Copies while somebody swaps what lies on the way.

#![cfg(unix)]

use std::fs;
use std::future::IntoFuture;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::faults::reconnecting;
use qga_commands::guest::copy::{Copied, CopyFault};
use qga_commands::{Guest, GuestError};
use qga_testserver::TestAgent;
use tempfile::TempDir;

/// A tree with two files, of which the second is copied after the first.
fn tree(folder: &TempDir) -> PathBuf {
    let tree = folder.path().join("tree");
    for name in ["a", "b"] {
        let inner = tree.join(name);
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "inside").unwrap();
    }
    let secret = folder.path().join("secret");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("file"), "outside").unwrap();
    tree
}

/// Uploads a tree, and does something to the folder that is not copied yet once the first file is.
async fn upload_while(
    guest: &Guest,
    tree: &Path,
    swap: impl Fn(&Path) + Send + 'static,
) -> Result<Copied, GuestError> {
    let root = tree.to_owned();
    let mut first = true;
    let upload = guest.upload(tree, "/srv/target").progress(move |now| {
        if std::mem::take(&mut first) {
            let other = if now.file.starts_with('a') { "b" } else { "a" };
            swap(&root.join(other));
        }
    });
    // A pipe that is waited for would block for ever.
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, upload).await.unwrap()
}

fn mkfifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

type Swap = fn(&Path);

#[tokio::test]
async fn what_takes_the_place_of_a_listed_file_is_not_uploaded() {
    let swaps: [(&str, Swap); 7] = [
        ("a link for the file", |inner| {
            fs::remove_file(inner.join("file")).unwrap();
            symlink("../../secret/file", inner.join("file")).unwrap();
        }),
        ("a link for the folder", |inner| {
            fs::remove_dir_all(inner).unwrap();
            symlink("../secret", inner).unwrap();
        }),
        ("another folder", |inner| {
            fs::rename(inner, inner.with_file_name("moved")).unwrap();
            fs::create_dir(inner).unwrap();
            fs::write(inner.join("file"), "outside").unwrap();
        }),
        ("another folder with the same file", |inner| {
            let moved = inner.with_file_name("moved");
            fs::rename(inner, &moved).unwrap();
            fs::create_dir(inner).unwrap();
            fs::hard_link(moved.join("file"), inner.join("file")).unwrap();
        }),
        ("another file", |inner| {
            fs::rename(inner.join("file"), inner.join("moved")).unwrap();
            fs::write(inner.join("file"), "outside").unwrap();
        }),
        ("a pipe", |inner| {
            fs::remove_file(inner.join("file")).unwrap();
            mkfifo(&inner.join("file"));
        }),
        ("a socket", |inner| {
            fs::remove_file(inner.join("file")).unwrap();
            std::os::unix::net::UnixListener::bind(inner.join("file")).unwrap();
        }),
    ];
    for (name, swap) in swaps {
        let (agent, guest) = in_memory();
        let folder = tempfile::tempdir().unwrap();
        let error = upload_while(&guest, &tree(&folder), swap)
            .await
            .unwrap_err();
        let GuestError::Copy { fault, .. } = &error else {
            panic!("{name}: {error:?}");
        };
        assert!(
            matches!(**fault, CopyFault::Changed(_)),
            "{name}: {error:?}"
        );
        assert!(
            error.to_string().contains("something else lies there"),
            "{name}"
        );
        assert!(!guest.try_exists("/srv/target").await.unwrap(), "{name}");
        for request in agent.requests_of("guest-file-write") {
            assert_eq!(request.arguments["buf-b64"], "aW5zaWRl", "{name}");
        }
    }
}

#[tokio::test]
async fn a_tree_that_was_moved_while_it_is_uploaded_is_uploaded_all_the_same() {
    let (_agent, guest) = in_memory();
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(&folder);
    let root = tree.clone();
    let moved = move |_: &Path| {
        fs::rename(&root, root.with_file_name("moved")).unwrap();
        symlink("secret", &root).unwrap();
    };
    let copied = upload_while(&guest, &tree, moved).await.unwrap();
    assert_eq!(copied.files, 2);
    for name in ["a", "b"] {
        let path = format!("/srv/target/{name}/file");
        assert_eq!(guest.read_to_string(path).await.unwrap(), "inside");
    }
}

#[tokio::test]
async fn pipes_and_devices_that_are_named_are_neither_opened_nor_waited_for() {
    let (_agent, guest) = in_memory();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifo(&pipe);
    symlink(&pipe, folder.path().join("link")).unwrap();
    for path in [pipe, folder.path().join("link"), "/dev/null".into()] {
        let upload = guest.upload(&path, "/srv/x").into_future();
        let limit = Duration::from_secs(60);
        let error = tokio::time::timeout(limit, upload)
            .await
            .unwrap()
            .unwrap_err();
        assert!(
            error.to_string().contains("neither a file nor a folder"),
            "{error}"
        );
    }
}

fn in_memory() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    agent.folder("/srv");
    (agent, Guest::new(qga_core::Client::new(stream)))
}

/// A guest with a tree to download.
fn with_tree() -> (TestAgent, Guest) {
    let (agent, guest) = in_memory();
    agent.file("/srv/tree/a/file", "new");
    agent.file("/srv/tree/b/file", "new");
    (agent, guest)
}

/// Downloads the tree, and does something in the folder of the target once the first file has come.
async fn download_while(
    guest: &Guest,
    target: &Path,
    swap: impl Fn(&Path, &str) + Send + 'static,
) -> Result<Copied, GuestError> {
    let parent = target.parent().unwrap().to_owned();
    let mut first = true;
    let download = guest.download("/srv/tree", target).progress(move |now| {
        if std::mem::take(&mut first) {
            swap(&parent, now.file);
        }
    });
    download.await
}

fn temporary(parent: &Path) -> PathBuf {
    let mut entries = fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .find(|path| path.extension().is_some_and(|end| end == "part"))
        .unwrap()
}

#[tokio::test]
async fn a_download_is_not_led_elsewhere_by_a_link_in_place_of_its_folder() {
    let (_agent, guest) = with_tree();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join("content")).unwrap();
    let parent = folder.path().join("parent");
    fs::create_dir(&parent).unwrap();
    let target = parent.join("target");
    let (victim, aside) = (elsewhere.clone(), folder.path().join("aside"));
    let swap = move |parent: &Path, _: &str| {
        let temp = temporary(parent);
        fs::rename(&temp, &aside).unwrap();
        symlink(&victim, &temp).unwrap();
    };
    let copied = download_while(&guest, &target, swap).await;
    assert_eq!(fs::read_dir(elsewhere.join("content")).unwrap().count(), 0);
    assert!(elsewhere.exists(), "what the link leads to was removed");
    // All that was written lies in the folder that was made, which was moved to its place from there.
    if copied.is_ok() {
        assert_eq!(fs::read(target.join("b/file")).unwrap(), b"new");
    }
}

#[tokio::test]
async fn a_download_writes_nothing_through_a_link_within_its_own_tree() {
    let (_agent, guest) = with_tree();
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let parent = folder.path().join("parent");
    fs::create_dir(&parent).unwrap();
    let victim = elsewhere.clone();
    let swap = move |parent: &Path, file: &str| {
        let other = if file.starts_with('a') { "b" } else { "a" };
        let inner = temporary(parent).join("content").join(other);
        fs::remove_dir(&inner).unwrap();
        symlink(&victim, &inner).unwrap();
    };
    let copied = download_while(&guest, &parent.join("target"), swap).await;
    assert!(copied.is_err(), "{copied:?}");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(fs::read_dir(&parent).unwrap().count(), 0);
}

#[tokio::test]
async fn what_appears_at_the_target_while_a_tree_is_downloaded_is_not_replaced() {
    let (_agent, guest) = with_tree();
    for file in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let swap = move |parent: &Path, _: &str| {
            let target = parent.join("target");
            if file {
                fs::write(target, "theirs").unwrap();
            } else {
                fs::create_dir(target).unwrap();
            }
        };
        let error = download_while(&guest, &target, swap).await.unwrap_err();
        assert!(error.to_string().contains("there already"), "{error}");
        assert!(if file {
            target.is_file()
        } else {
            fs::read_dir(&target).unwrap().count() == 0
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_path_that_is_wrong_is_told_before_the_guest_is_asked() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    for path in [folder.path().join("none"), file.join("x")] {
        let error = guest.upload(&path, "/tmp/x").await.unwrap_err();
        assert_eq!(error.execution(), qga_core::Execution::NotRun, "{error:?}");
        let shown = path.file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(shown), "{error}");
    }
    assert!(agent.requests_of("guest-exec").is_empty());
    agent.file("/f", "x");
    for path in [folder.path().join("none/x"), file.join("x"), "/".into()] {
        let error = guest.download("/f", &path).await.unwrap_err();
        assert_eq!(error.execution(), qga_core::Execution::NotRun, "{error:?}");
    }
}
