//! Links in copies: kept as they are, and never followed.

#![cfg(unix)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use crate::support::faults::{at_every_message, reconnecting};
use qga_commands::GuestError;
use qga_commands::guest::copy::CopyFault;
use qga_core::Execution;
use qga_testserver::{Script, TestAgent};

const LONG: Duration = Duration::from_secs(1800);

/// Gives the guest a shell that lists this, and prints this for its links.
fn lists(agent: &TestAgent, list: &str, links: impl Into<Vec<u8>>) {
    let (list, links) = (format!("//41ed 0 5 0 0 .\n{list}"), links.into());
    agent.program("sh").runs(move |call| {
        let script = &call.args[1];
        if script.starts_with(": qga-list ") {
            Script::new().stdout(&*list)
        } else if script.starts_with(": qga-read-links ") {
            Script::new().stdout(&links)
        } else {
            Script::new()
        }
    });
}

fn fault(error: &GuestError) -> &CopyFault {
    match error {
        GuestError::Copy { fault, .. } => fault,
        error => panic!("{error}"),
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn leads_to(link: &Path) -> Vec<u8> {
    fs::read_link(link).unwrap().as_os_str().as_bytes().to_vec()
}

#[tokio::test(start_paused = true)]
async fn links_that_a_guest_sends_are_made_as_they_are_and_change_nothing_that_they_lead_to() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("victim");
    fs::write(&victim, "as it was").unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(&victim).unwrap();
    let absolute = victim.to_str().unwrap();
    let links = format!("{absolute}\n\0../victim\n\0..\n\0/\n\0");
    agent.file("/t/in/file", "x");
    lists(
        &agent,
        "//a1ff 7 5 0 0 ./absolute\n//a1ff 7 5 0 0 ./above\n//41c0 0 5 0 0 ./in\n//a1ff 7 5 0 0 ./in/folder\n\
         //81a4 1 5 0 0 ./in/file\n//a1ff 7 5 0 0 ./root\n",
        links,
    );
    let target = folder.path().join("t");
    let copied = guest.download("/t", &target).await.unwrap();
    assert_eq!((copied.files, copied.folders, copied.links), (1, 2, 4));
    assert_eq!(copied.skipped, 0);
    for (link, wanted) in [
        ("absolute", absolute),
        ("above", "../victim"),
        ("in/folder", ".."),
        ("root", "/"),
    ] {
        assert_eq!(leads_to(&target.join(link)), wanted.as_bytes(), "{link}");
    }
    let after = fs::metadata(&victim).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"as it was");
    assert_eq!(
        (after.mode(), after.mtime()),
        (before.mode(), before.mtime())
    );
    let inner = fs::metadata(target.join("in")).unwrap();
    assert_eq!((inner.mode() & 0o777, inner.mtime()), (0o700, 5));
}

#[tokio::test(start_paused = true)]
async fn what_a_guest_lists_below_a_link_or_a_file_is_refused_before_anything_is_opened() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let [victim, inner] = ["victim", "inner"].map(|name| folder.path().join(name));
    fs::create_dir(&victim).unwrap();
    fs::create_dir(&inner).unwrap();
    agent.file("/t/l/x", "x");
    for list in [
        "//a1ff 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l/x\n",
        "//a1ff 1 5 0 0 ./l\n//41ed 0 5 0 0 ./l/x\n",
        "//a1ff 1 5 0 0 ./l\n//a1ff 1 5 0 0 ./l/x\n",
        "//a1ff 1 5 0 0 ./l\n//11ed 1 5 0 0 ./l/x\n",
        "//81a4 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l/x\n",
        "//11ed 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l/x\n",
        "//81a4 1 5 0 0 ./l/x\n",
        "//81a4 1 5 0 0 ./l/x\n//41ed 0 5 0 0 ./l\n",
    ] {
        let target = format!("{}\n\0", victim.to_str().unwrap());
        lists(&agent, list, target);
        let download = guest.download("/t", inner.join("t"));
        let error = download.await.unwrap_err();
        let refused = matches!(fault(&error), CopyFault::UnsafeName(_));
        assert!(refused, "{list:?}: {error}");
        assert!(is_empty(&victim) && is_empty(&inner), "{list:?}");
    }
    assert!(agent.requests_of("guest-file-open").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_listed_as_a_link_and_as_something_else_is_written_through_by_nothing() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let [victim, inner] = ["victim", "inner"].map(|name| folder.path().join(name));
    fs::create_dir(&victim).unwrap();
    fs::create_dir(&inner).unwrap();
    agent.file("/t/l", "x");
    agent.file("/t/l/x", "x");
    for list in [
        "//a1ff 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l\n",
        "//81a4 1 5 0 0 ./l\n//a1ff 1 5 0 0 ./l\n",
        "//a1ff 1 5 0 0 ./l\n//41ed 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l/x\n",
        "//41ed 1 5 0 0 ./l\n//a1ff 1 5 0 0 ./l\n//81a4 1 5 0 0 ./l/x\n",
    ] {
        let target = format!("{}\n\0", victim.to_str().unwrap());
        lists(&agent, list, target);
        let error = guest.download("/t", inner.join("t")).await;
        error.unwrap_err();
        assert!(is_empty(&victim) && is_empty(&inner), "{list:?}");
    }
    lists(
        &agent,
        "//a1ff 1 5 0 0 ./l\n//a1ff 1 5 0 0 ./l\n",
        "a\n\0b\n\0",
    );
    let error = guest.download("/t", inner.join("t")).await;
    error.unwrap_err();
    assert!(is_empty(&inner));
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_tells_its_links_wrong_has_nothing_copied() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    let long = [&[b'x'; 4096][..], b"\n\0"].concat();
    for links in [&b""[..], b"\0", b"x", b"x\n", b"x\n\0y\n\0", b"\n\0", &long] {
        lists(&agent, "//a1ff 1 5 0 0 ./l\n", links);
        let error = guest.download("/t", folder.path().join("t")).await;
        let error = error.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
        assert!(is_empty(folder.path()), "{links:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_itself_is_no_source_that_a_guest_may_list() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.program("sh").stdout("//a1ff 1 5 0 0 .\n").exit(0);
    let error = guest.download("/t", folder.path().join("t")).await;
    let error = error.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::Refused(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_link_leads_to_need_not_be_utf8_in_a_download() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    lists(&agent, "//a1ff 1 5 0 0 ./l\n", b"\xff\n\n\0".as_slice());
    let target = folder.path().join("t");
    guest.download("/t", &target).await.unwrap();
    assert_eq!(leads_to(&target.join("l")), b"\xff\n");
}

#[tokio::test(start_paused = true)]
async fn what_a_link_leads_to_must_be_utf8_in_an_upload() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    symlink(OsStr::from_bytes(b"\xff"), folder.path().join("l")).unwrap();
    let error = guest.upload(folder.path(), "/tmp/t").await.unwrap_err();
    assert!(matches!(fault(&error), CopyFault::UnsafeName(_)), "{error}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(agent.requests_of("guest-exec").is_empty());
}

#[tokio::test(start_paused = true)]
async fn links_are_counted_as_skipped_if_the_guest_has_no_program_that_reads_them() {
    let (agent, guest) = reconnecting().await;
    let folder = tempfile::tempdir().unwrap();
    agent.file("/t/file", "x");
    agent.program("sh").runs(|call| {
        if call.args[1].starts_with(": qga-list ") {
            Script::new().stdout("//41ed 0 5 0 0 .\n//81a4 1 5 0 0 ./file\n//a1ff 1 5 0 0 ./l\n")
        } else {
            Script::new().exit(127)
        }
    });
    let target = folder.path().join("t");
    let copied = guest.download("/t", &target).await.unwrap();
    assert_eq!((copied.files, copied.links, copied.skipped), (1, 0, 1));
    assert!(!target.join("l").is_symlink());
}

#[tokio::test(start_paused = true)]
async fn a_tree_with_links_is_whole_or_absent_whatever_message_is_spoilt() {
    let folder = tempfile::tempdir().unwrap();
    let [here, back] = ["here", "back"].map(|name| folder.path().join(name));
    fs::create_dir(&here).unwrap();
    fs::write(here.join("file"), "x").unwrap();
    symlink("file", here.join("link")).unwrap();
    at_every_message(
        LONG,
        |agent| agent.folder("/srv"),
        async |guest| guest.upload(&here, "/srv/t").await,
        |agent, context, copied| {
            let copied = copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(copied.links, 1, "{context}");
            let content = agent.file_content("/srv/t/link");
            assert_eq!(content.unwrap(), b"x", "{context}");
        },
    )
    .await;
    at_every_message(
        LONG,
        |agent| {
            agent.file("/srv/t/file", "x");
            agent.symlink("/srv/t/link", "file");
        },
        async |guest| guest.download("/srv/t", &back).await,
        |_, context, copied| {
            copied.unwrap_or_else(|error| panic!("{context}: {error}"));
            assert_eq!(leads_to(&back.join("link")), b"file", "{context}");
            fs::remove_dir_all(&back).unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{context}");
        },
    )
    .await;
}
