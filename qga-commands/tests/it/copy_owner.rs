//! Whom copies belong to.

#![cfg(unix)]

use std::fs;
use std::path::Path;

use crate::support::faults::reconnecting;
use qga_commands::GuestError;
use qga_commands::guest::copy::CopyFault;
use qga_core::Execution;
use qga_testserver::Profile;

fn is_refused(error: &GuestError) -> bool {
    matches!(error, GuestError::Copy { fault, .. } if matches!(**fault, CopyFault::Refused(_)))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_a_guest_without_a_shell_cannot_set_is_an_error_before_anything_is_copied() {
    let (agent, guest) = reconnecting().await;
    agent.profile(Profile::Windows);
    agent.file("/tmp/g", "x");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let inner = folder.path().join("inner");
    fs::create_dir(&inner).unwrap();
    for upload in [
        guest.upload(&file, "/tmp/f").owner("root"),
        guest.upload(&file, "/tmp/f").preserve_owner(true),
        guest
            .download("/tmp/g", inner.join("g"))
            .preserve_owner(true),
    ] {
        let error = upload.await.unwrap_err();
        assert!(is_refused(&error), "{error}");
        assert!(error.to_string().contains("shell"), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
    assert!(agent.requests_of("guest-file-write").is_empty());
    assert!(is_empty(&inner));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_the_guest_does_not_know_is_an_error_before_anything_is_copied() {
    let (agent, guest) = reconnecting().await;
    agent.folder("/srv");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = guest.upload(&file, "/srv/f").owner("web").await;
    let error = error.unwrap_err();
    assert!(error.to_string().contains("invalid user: 'web'"), "{error}");
    assert!(agent.requests_of("guest-file-write").is_empty());
    assert!(guest.read_dir("/srv").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_owner_is_refused_before_the_guest_is_asked() {
    let (agent, guest) = reconnecting().await;
    for owner in ["", "-R", "a:b:c", "root:", "a\0b"] {
        let error = guest.upload("f", "/srv/f").owner(owner).await.unwrap_err();
        let refused = matches!(error, GuestError::InvalidInput(_));
        assert!(refused, "{owner:?}: {error}");
    }
    let error = guest.download("/f", "f").owner("root").await.unwrap_err();
    assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    assert!(agent.requests_of("guest-exec").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_number_that_stands_for_no_owner_is_refused() {
    let (agent, guest) = reconnecting().await;
    agent.file("/t/a", "x");
    let folder = tempfile::tempdir().unwrap();
    for numbers in ["4294967295 0", "0 4294967295"] {
        let list = format!("//41ed 0 5 0 0 .\n//81a4 1 5 {numbers} ./a\n");
        agent.program("sh").stdout(list).exit(0);
        let target = folder.path().join("t");
        let error = guest.download("/t", target).preserve_owner(true).await;
        let error = error.unwrap_err();
        assert!(is_refused(&error), "{error}");
        assert!(is_empty(folder.path()));
    }
}
