//! Copies that go on with what an earlier one has left.

#![cfg(unix)]

use std::fs::{self, File};
use std::future::IntoFuture;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::faults::{at_every_message, dropped_at_every_poll, reconnecting};
use qga_commands::guest::copy::{CopyFault, Transfer};
use qga_commands::{Guest, GuestError};
use qga_core::Execution;
use qga_testserver::{Profile, TestAgent};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(1800);

pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

pub(crate) fn refusal(error: &GuestError) -> &'static str {
    match error {
        GuestError::Copy { fault, .. } => match **fault {
            CopyFault::Refused(why) => why,
            _ => panic!("{error}"),
        },
        error => panic!("{error}"),
    }
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

pub(crate) async fn names_there(guest: &Guest) -> Vec<String> {
    let entries = guest.read_dir("/srv").await.unwrap();
    let names = entries.iter().map(|entry| entry.file_name().into_owned());
    names.collect()
}

/// Drops a copy once so many bytes of it are copied, as when its process is killed.
pub(crate) async fn broken_off(transfer: Transfer, after: u64) {
    let (send, mut reached) = tokio::sync::mpsc::unbounded_channel();
    let transfer = transfer.resume(true).progress(move |now| {
        if now.bytes >= after {
            let _ = send.send(());
        }
    });
    tokio::select! {
        biased;
        _ = reached.recv() => {}
        copied = transfer.into_future() => panic!("{copied:?}"),
    }
    // What was under way on this host ends.
    tokio::time::sleep(Duration::from_millis(100)).await;
}

struct Case {
    agent: Arc<TestAgent>,
    guest: Guest,
    folder: TempDir,
    is_upload: bool,
}

/// A file to upload, and one to download.
async fn cases(content: &[u8]) -> Vec<Case> {
    let mut cases = Vec::new();
    for is_upload in [true, false] {
        let (agent, guest) = reconnecting().await;
        agent.folder("/srv");
        let folder = tempfile::tempdir().unwrap();
        let case = Case {
            agent,
            guest,
            folder,
            is_upload,
        };
        case.put(content);
        cases.push(case);
    }
    cases
}

impl Case {
    fn local(&self) -> PathBuf {
        self.folder.path().join("local")
    }

    fn put(&self, content: &[u8]) {
        if self.is_upload {
            fs::write(self.local(), content).unwrap();
        } else {
            self.agent.file("/etc/remote", content);
        }
    }

    fn copy(&self) -> Transfer {
        if self.is_upload {
            self.guest.upload(self.local(), "/srv/remote")
        } else {
            self.guest.download("/etc/remote", self.local())
        }
    }

    fn found(&self) -> Option<Vec<u8>> {
        if self.is_upload {
            self.agent.file_content("/srv/remote")
        } else {
            fs::read(self.local()).ok()
        }
    }

    /// What lies beside the target.
    async fn beside(&self) -> Vec<String> {
        let (names, target) = if self.is_upload {
            (names_there(&self.guest).await, "remote")
        } else {
            (names(self.folder.path()), "local")
        };
        names.into_iter().filter(|name| name != target).collect()
    }

    async fn part(&self) -> String {
        let beside = self.beside().await;
        assert_eq!(beside.len(), 1, "{beside:?}");
        beside[0].clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_goes_on_where_another_was_broken_off() {
    for case in cases(&bytes(3_000_000)).await {
        broken_off(case.copy(), 1_500_000).await;
        assert!(case.found().is_none());
        assert!(case.part().await.contains(".part"));
        let copied = case.copy().resume(true).verify(true).await.unwrap();
        assert!(copied.resumed > 500_000, "{copied:?}");
        assert_eq!(copied.bytes, 3_000_000);
        assert!(case.found().unwrap() == bytes(3_000_000));
        assert!(case.beside().await.is_empty());
        let whole = case.copy().resume(true).await.unwrap();
        assert_eq!(whole.resumed, 0);
        assert!(case.beside().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_not_the_beginning_of_the_source_is_not_used() {
    for case in cases(&bytes(3_000_000)).await {
        for other in [vec![7; 3_000_000], vec![7; 10], Vec::new(), bytes(2)] {
            case.put(&bytes(3_000_000));
            broken_off(case.copy(), 1_500_000).await;
            case.put(&other);
            let copied = case.copy().resume(true).await.unwrap();
            assert_eq!(copied.resumed, 0, "{}", other.len());
            assert!(case.found().unwrap() == other, "{}", other.len());
            assert!(case.beside().await.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_was_changed_meanwhile_is_not_used() {
    for case in cases(&bytes(3_000_000)).await {
        broken_off(case.copy(), 1_500_000).await;
        let part = format!("{}/content", case.part().await);
        if case.is_upload {
            case.agent.file(&format!("/srv/{part}"), vec![1; 500_000]);
        } else {
            fs::write(case.folder.path().join(part), vec![1; 500_000]).unwrap();
        }
        let copied = case.copy().resume(true).await.unwrap();
        assert_eq!(copied.resumed, 0);
        assert!(case.found().unwrap() == bytes(3_000_000));
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_another_source_is_left_alone() {
    let (agent, guest) = reconnecting().await;
    agent.folder("/srv");
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    fs::write(&one, bytes(3_000_000)).unwrap();
    fs::write(&other, bytes(3_000_000)).unwrap();
    broken_off(guest.upload(&one, "/srv/it"), 1_500_000).await;
    let part = names_there(&guest).await;
    let copied = guest.upload(&other, "/srv/it").resume(true).await.unwrap();
    assert_eq!(copied.resumed, 0);
    let all = names_there(&guest).await;
    assert_eq!(all, [&part[..], &["it".to_owned()]].concat());
    // Nor is a part used by a copy that is not to be resumed.
    let copied = guest.upload(&one, "/srv/it").await.unwrap();
    assert_eq!(copied.resumed, 0);
    assert_eq!(names_there(&guest).await, all);
}

/// Locks a part, as another process that goes on with it.
pub(crate) fn locked(agent: &TestAgent, folder: &Path, is_upload: bool, part: &str) -> File {
    let path = if is_upload {
        let id = agent.file_content(&format!("/srv/{part}/id")).unwrap();
        let id = String::from_utf8(id).unwrap();
        std::env::temp_dir().join(format!("qga-copy-{}.lock", id.trim_end()))
    } else {
        folder.join(part).join("lock")
    };
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).unwrap();
    file.try_lock().unwrap();
    file
}

#[tokio::test(start_paused = true)]
async fn only_one_at_a_time_goes_on_with_a_part() {
    for case in cases(&bytes(3_000_000)).await {
        broken_off(case.copy(), 1_500_000).await;
        let part = case.part().await;
        let lock = locked(&case.agent, case.folder.path(), case.is_upload, &part);
        let error = case.copy().resume(true).await.unwrap_err();
        assert!(refusal(&error).contains("another process"), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
        assert_eq!(case.part().await, part);
        // Whoever dies gives it up.
        drop(lock);
        let copied = case.copy().resume(true).await.unwrap();
        assert!(copied.resumed > 500_000, "{copied:?}");
        assert!(case.found().unwrap() == bytes(3_000_000));
        assert!(case.beside().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn two_copies_at_once_end_in_one_whole_file() {
    for case in cases(&bytes(3_000_000)).await {
        let copies = [(); 4].map(|()| tokio::spawn(case.copy().resume(true).into_future()));
        let mut done = 0;
        for copy in copies {
            match copy.await.unwrap() {
                Ok(_) => done += 1,
                Err(error) => drop(refusal(&error)),
            }
        }
        assert!(done > 0);
        assert!(case.found().unwrap() == bytes(3_000_000));
        assert!(case.beside().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_lies_in_the_place_of_a_part_and_is_none_is_left_alone() {
    for case in cases(&bytes(3_000_000)).await {
        broken_off(case.copy(), 1_500_000).await;
        let part = case.part().await;
        let inside = case.folder.path().join(&part);
        for kind in ["file", "link", "folder"] {
            if case.is_upload {
                let there = format!("/srv/{part}");
                let content = match kind {
                    "folder" => format!("{there}/theirs"),
                    _ => there.clone(),
                };
                let discard = ["-c", ": qga-discard 1", "first", &there, "/none"];
                let gone = case.guest.command("sh").args(discard).output().await;
                assert!(gone.unwrap().status.success());
                match kind {
                    "link" => case.agent.symlink(&there, "/etc"),
                    _ => case.agent.file(&content, "theirs"),
                }
            } else {
                let _ = fs::remove_dir_all(&inside);
                let _ = fs::remove_file(&inside);
                match kind {
                    "file" => fs::write(&inside, "theirs").unwrap(),
                    "link" => symlink("/etc", &inside).unwrap(),
                    _ => {
                        fs::create_dir(&inside).unwrap();
                        fs::set_permissions(&inside, fs::Permissions::from_mode(0o700)).unwrap();
                        fs::write(inside.join("theirs"), "theirs").unwrap();
                    }
                }
            }
            let error = case.copy().resume(true).await.unwrap_err();
            assert!(case.found().is_none(), "{kind}: {error}");
            assert_eq!(case.part().await, part, "{kind}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_resumed_is_refused_before_anything_is_copied() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("x");
    agent.file("/tree/file", "x");
    agent.profile(Profile::Windows);
    let error = guest.download("/tree/file", &target).resume(true).await;
    assert!(refusal(&error.unwrap_err()).contains("shell"));
    assert!(agent.requests_of("guest-file-write").is_empty());
    assert!(names(folder.path()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_was_dropped_anywhere_is_ended_by_the_next_one() {
    let content = bytes(600_000);
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::write(&from, &content).unwrap();
    dropped_at_every_poll(
        Duration::from_secs(5),
        |agent| agent.folder("/srv"),
        async |guest| guest.upload(&from, "/srv/to").resume(true).await,
        async |agent, guest, context| {
            let copied = guest.upload(&from, "/srv/to").resume(true).await;
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(
                agent.file_content("/srv/to").unwrap() == content,
                "{context}"
            );
            assert_eq!(names_there(guest).await, ["to"], "{context}");
        },
    )
    .await;
    dropped_at_every_poll(
        Duration::from_secs(5),
        |agent| agent.file("/f", content.clone()),
        async |guest| guest.download("/f", &to).resume(true).await,
        async |_, guest, context| {
            let whole = fs::read(&to);
            assert!(whole.is_err() || whole.unwrap() == content, "{context}");
            let copied = guest.download("/f", &to).resume(true).await;
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(fs::read(&to).unwrap() == content, "{context}");
            fs::remove_file(&to).unwrap();
            assert_eq!(names(folder.path()), ["from"], "{context}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_goes_on_is_whole_whatever_message_is_spoilt() {
    let content = bytes(140_000);
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::write(&from, &content).unwrap();
    at_every_message(
        LONG,
        |agent| agent.folder("/srv"),
        async |guest| guest.upload(&from, "/srv/to").resume(true).await,
        |agent, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(
                agent.file_content("/srv/to").unwrap() == content,
                "{context}"
            );
        },
    )
    .await;
    at_every_message(
        LONG,
        |agent| agent.file("/f", content.clone()),
        async |guest| guest.download("/f", &to).resume(true).await,
        |_, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(fs::read(&to).unwrap() == content, "{context}");
            fs::remove_file(&to).unwrap();
        },
    )
    .await;
}
