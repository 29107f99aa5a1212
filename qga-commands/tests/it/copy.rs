//! Copies to and from a guest that goes wrong at every message, and one that lies.

use std::fs;
use std::future::IntoFuture;
use std::path::Path;
use std::time::Duration;

use crate::support::faults::{at_every_message, dropped_at_every_poll, reconnecting};
use qga_commands::guest::copy::CopyFault;
use qga_commands::{Guest, GuestError};
use qga_testserver::{Profile, Script, TestAgent};
use serde_json::json;

const LONG: Duration = Duration::from_secs(1800);

/// More than one piece of a download, so that it can break between two.
fn content() -> Vec<u8> {
    bytes(70_000)
}

/// More than one piece of an upload.
fn short() -> Vec<u8> {
    bytes(33_000)
}

fn bytes(count: u32) -> Vec<u8> {
    (0..count).flat_map(u32::to_le_bytes).collect()
}

/// Gives the guest a shell that lists this and does nothing else but succeed.
fn shell(agent: &TestAgent, list: impl Into<Vec<u8>>) {
    let list = list.into();
    agent.program("sh").runs(move |call| {
        let script = &call.args[1];
        if script.starts_with(": qga-list ") {
            Script::new().stdout(&list)
        } else if script.starts_with(": qga-checksums ") {
            Script::new().stdout("0".repeat(64) + "  -\n")
        } else if script.starts_with(": qga-publish ") {
            Script::new().stdout("atomic\nsynced\n")
        } else {
            Script::new()
        }
    });
}

/// What is in a folder of this host, at any depth but the folders themselves.
fn found(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn fault(error: &GuestError) -> &CopyFault {
    match error {
        GuestError::Copy { fault, .. } => fault,
        error => panic!("{error}"),
    }
}

/// The temporary folders of the guest that scripts with this in them were called for.
fn called(agent: &TestAgent, script: &str) -> Vec<String> {
    let calls = agent.requests_of("guest-exec").into_iter();
    calls
        .filter(|call| call.arguments["arg"][1].as_str().unwrap().contains(script))
        .map(|call| call.arguments["arg"][3].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_download_is_whole_or_absent_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    at_every_message(
        LONG,
        |agent| {
            agent.file("/tree/a", content());
            agent.file("/tree/b", "");
            shell(
                agent,
                format!(
                    "//41ed 0 5 0 0 .\n//81a4 {} 5 0 0 ./a\n//81a4 0 5 0 0 ./b\n",
                    content().len()
                ),
            );
        },
        async |guest| guest.download("/tree", &target).await,
        |_, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(found(folder.path()), ["target"], "{context}");
            assert!(
                fs::read(target.join("a")).unwrap() == content(),
                "{context}"
            );
            assert_eq!(fs::read(target.join("b")).unwrap(), b"");
            fs::remove_dir_all(&target).unwrap();
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_moved_to_its_place_only_when_it_is_whole_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::write(&source, short()).unwrap();
    at_every_message(
        LONG,
        |agent| shell(agent, ""),
        async |guest| guest.upload(&source, "/tmp/target").await,
        |agent, context, copied| {
            let copied = copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert!(copied.atomic, "{context}");
            let moved = called(agent, "qga-publish");
            let path = format!("{}/content", moved.first().unwrap());
            assert!(agent.file_content(&path).unwrap() == short(), "{context}");
            assert!(agent.file_content("/tmp/target").is_none());
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_download_that_is_dropped_leaves_nothing_that_looks_whole() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    dropped_at_every_poll(
        Duration::from_secs(5),
        |agent| {
            agent.file("/a", content());
            shell(agent, format!("//81a4 {} 5 0 0 .\n", content().len()));
        },
        async |guest| guest.download("/a", &target).await,
        async |_, _, context| {
            // What was under way here ends, and the folder is removed.
            while found(folder.path()).iter().any(|name| name != "target") {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            if target.exists() {
                assert!(fs::read(&target).unwrap() == content(), "{context}");
                fs::remove_file(&target).unwrap();
            }
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_is_dropped_is_removed_from_the_guest() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::write(&source, short()).unwrap();
    dropped_at_every_poll(
        Duration::from_secs(60),
        |agent| shell(agent, ""),
        async |guest| guest.upload(&source, "/tmp/target").await,
        async |agent, _, context| {
            let (made, removed) = (called(agent, "qga-begin"), called(agent, "rm -rf"));
            // The script that moves removes the folder too.
            assert!(
                made.first().is_none_or(|temp| removed.contains(temp)),
                "{context}"
            );
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_breaks_off_by_a_freeze_is_removed_after_the_thaw() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    fs::write(&source, short()).unwrap();
    let (agent, guest) = reconnecting().await;
    shell(&agent, "");
    let upload = tokio::spawn(guest.upload(&source, "/tmp/target").into_future());
    agent.wait_for("guest-file-open", 1).await;
    let frozen = guest.freeze().await.unwrap();
    upload.await.unwrap().unwrap_err();
    assert!(called(&agent, "qga-discard").is_empty());
    frozen.thaw().await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(called(&agent, "qga-discard"), called(&agent, "qga-begin"));
}

#[tokio::test(start_paused = true)]
async fn names_that_a_guest_lists_never_leave_the_target() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("inner/target");
    fs::create_dir(folder.path().join("inner")).unwrap();
    agent.file("/evil", "x");
    let long = "x".repeat(256);
    let deep = "x/".repeat(70) + "x";
    let names = [
        "./..",
        "./../x",
        "./a/../../x",
        "/x",
        "x",
        "./",
        "./.",
        "./a//x",
        "./a\0b",
        &long,
        &deep,
    ];
    for name in names {
        shell(&agent, format!("//41ed 0 0 0 0 .\n//81a4 1 0 0 0 {name}\n"));
        guest.download("/", &target).await.unwrap_err();
        assert_eq!(found(folder.path()), ["inner"], "{name:?}");
        assert!(found(&folder.path().join("inner")).is_empty(), "{name:?}");
    }
    assert!(agent.requests_of("guest-file-open").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_lists_a_name_twice_or_a_file_as_a_folder_writes_nothing_elsewhere() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.file("/t/a", "x");
    agent.file("/t/a/b", "x");
    for list in [
        "//81a4 1 0 0 0 ./a\n//81a4 1 0 0 0 ./a\n",
        "//81a4 1 0 0 0 ./a\n//81a4 1 0 0 0 ./a/b\n",
        "//81a4 1 0 0 0 ./c/a\n",
    ] {
        shell(&agent, format!("//41ed 0 0 0 0 .\n{list}"));
        guest
            .download("/t", folder.path().join("t"))
            .await
            .unwrap_err();
        assert!(found(folder.path()).is_empty(), "{list:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn there_is_an_end_to_what_a_guest_may_send() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.file("/f", "12345");
    shell(&agent, "//81a4 5 0 0 0 .\n");
    let to = folder.path().join("f");
    let error = guest.download("/f", &to).max_bytes(4).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::TooMuch(_)), "{error}");
    let cut = json!({"exited": true, "exitcode": 0, "out-data": "", "out-truncated": true});
    agent.on("guest-exec-status").reply(cut);
    let error = guest.download("/f", &to).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::TooMuch(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_whose_checksum_differs_is_not_put_into_its_place() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.file("/f", "12345");
    shell(&agent, "//81a4 5 0 0 0 .\n");
    let to = folder.path().join("f");
    let error = guest.download("/f", &to).verify(true).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::Mismatch), "{error}");
    assert!(found(folder.path()).is_empty());
    fs::write(&to, "12345").unwrap();
    let error = guest.upload(&to, "/tmp/g").verify(true).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::Mismatch), "{error}");
    assert!(called(&agent, "qga-publish").is_empty());
    assert_eq!(called(&agent, "qga-begin"), called(&agent, "qga-discard"));
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_a_shell_has_single_files_copied() {
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    fs::write(&from, content()).unwrap();
    for windows in [true, false] {
        let (agent, guest) = reconnecting().await;
        if windows {
            agent.profile(Profile::Windows);
        } else {
            agent.disable("guest-exec");
        }
        let up = guest.upload(&from, "/tmp/f").await.unwrap();
        assert!(!up.atomic);
        assert!(agent.file_content("/tmp/f").unwrap() == content());
        let down = guest.download("/tmp/f", &to).await.unwrap();
        assert!(down.atomic);
        assert!(fs::read(&to).unwrap() == content());
        agent.fifo("/tmp/pipe");
        guest.download("/tmp/pipe", &to).await.unwrap_err();
        let error = guest.upload(folder.path(), "/tmp/tree").await.unwrap_err();
        assert!(matches!(fault(&error), CopyFault::Refused(_)), "{error}");
        guest
            .download("/tmp", folder.path().join("tree"))
            .await
            .unwrap_err();
        assert!(agent.requests_of("guest-exec").len() <= 5 * usize::from(!windows));
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_cannot_be_verified_is_an_error_before_anything_is_copied() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::write(&from, "x").unwrap();
    for kind in ["no program", "no shell", "windows"] {
        let (agent, guest) = reconnecting().await;
        match kind {
            "windows" => agent.profile(Profile::Windows),
            "no shell" => agent.disable("guest-exec"),
            _ => agent.program("sh").exit(127),
        }
        agent.file("/f", "x");
        let to = folder.path().join("to");
        for copy in [guest.upload(&from, "/tmp/g"), guest.download("/f", to)] {
            let error = copy.verify(true).await.unwrap_err();
            let refused = matches!(fault(&error), CopyFault::Refused(_));
            assert!(refused, "{kind}: {error}");
        }
        assert!(agent.requests_of("guest-file-open").is_empty(), "{kind}");
        assert_eq!(found(folder.path()), ["from"], "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shell_that_is_not_started_for_another_reason_is_not_taken_for_none() {
    const FORK: &str = "Failed to fork (Cannot allocate memory)";
    const NONE: &str =
        "Failed to execute child process \u{201C}sh\u{201D} (No such file or directory)";
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::write(&from, "new").unwrap();
    for (text, times, atomic) in [
        (FORK, 100, None),
        (FORK, 1, Some(true)),
        (NONE, 100, Some(false)),
    ] {
        let (agent, guest) = reconnecting().await;
        shell(&agent, "");
        agent.file("/tmp/to", "old");
        let stub = agent.on("guest-exec").up_to(times);
        stub.error("GenericError", text);
        let copied = guest.upload(&from, "/tmp/to").await;
        assert_eq!(copied.ok().map(|copied| copied.atomic), atomic, "{text}");
        let content = agent.file_content("/tmp/to").unwrap();
        assert_eq!(content == b"new", atomic == Some(false), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_does_not_end_in_time_is_an_error_and_is_removed() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.program("sh").never_ends();
    let copy = guest.download("/f", folder.path().join("f"));
    let error = copy.timeout(Duration::from_secs(3)).await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::TimedOut(_)), "{error}");
    assert!(found(folder.path()).is_empty());
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn nobody_else_may_enter_the_folder_in_which_a_download_becomes_whole() {
    use std::os::unix::fs::PermissionsExt;
    let (agent, guest) = reconnecting().await;
    agent.file("/t/a", "secret");
    shell(&agent, "//41ed 0 5 0 0 .\n//8100 6 5 0 0 ./a\n");
    let folder = tempfile::tempdir().unwrap();
    let (inside, target) = (folder.path().to_owned(), folder.path().join("t"));
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = std::sync::Arc::clone(&seen);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let copy = guest.download("/t", &target).progress(move |_| {
        let temp = inside.join(&found(&inside)[0]);
        let modes = [mode(&temp), mode(&temp.join("content"))];
        told.lock().unwrap().extend(modes);
    });
    copy.await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0o700, 0o700]);
    assert_eq!(
        [mode(&target), mode(&target.join("a"))],
        [0o755, 0o400],
        "afterwards"
    );
}

/// As root all of this goes well anyway.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn what_may_be_neither_read_nor_changed_in_the_end_is_downloaded_and_verified_too() {
    use std::os::unix::fs::PermissionsExt;
    const OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let (agent, guest) = reconnecting().await;
    agent.file("/t/in/a", "");
    agent.program("sh").runs(|call| {
        let list = "//416d 0 5 0 0 .\n//416d 0 5 0 0 ./in\n//8000 0 5 0 0 ./in/a\n";
        let sum = format!("{OF_NOTHING}  -\n");
        Script::new().stdout(if call.args[1].starts_with(": qga-list ") {
            list.to_owned()
        } else {
            sum
        })
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("t");
    guest.download("/t", &target).verify(true).await.unwrap();
    assert_eq!(found(folder.path()), ["t"]);
    for (path, mode) in [("", 0o555), ("in", 0o555), ("in/a", 0)] {
        let path = target.join(path);
        let permissions = fs::metadata(&path).unwrap().permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{}", path.display());
    }
    for path in ["", "in"] {
        fs::set_permissions(target.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn a_copy_may_move_to_another_thread_and_shows_no_content() {
    fn check<T: Send>(_: &T) {}
    fn try_it(guest: &Guest) {
        check(&guest.download("/f", "f").into_future());
        check(&guest.upload("f", "/f").into_future());
    }
    let _ = try_it;
}
