//! `qga cp`, `qga cat`, `qga ls`, `qga rm` and `qga mkdir`.

use std::fs;

use qga_testserver::Fault;
use rustix::process::Signal;

use crate::support::{ended, guest, names, qga, run, run_with, signal};

#[tokio::test]
async fn a_file_is_copied_there_and_back() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let (from, back) = (folder.path().join("from"), folder.path().join("back"));
    fs::write(&from, &bytes).unwrap();
    let there = format!("{address}:/srv/it");
    agent.folder("/srv");
    let up = run(&["cp", from.to_str().unwrap(), &there]).await;
    assert_eq!((up.code, &*up.stdout, &*up.stderr), (0, "", ""));
    assert_eq!(agent.file_content("/srv/it").unwrap(), bytes);
    let down = run(&["-o", "json", "cp", &there, back.to_str().unwrap()]).await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(fs::read(back).unwrap(), bytes);
    assert_eq!(
        down.stdout,
        "{\"copied\":{\"bytes\":300000,\"files\":1,\"folders\":0,\"grown\":0,\"skipped\":0},\"version\":1}\n"
    );
}

#[tokio::test]
async fn a_target_that_is_a_folder_gets_a_file_of_the_same_name() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    agent.file("/etc/motd", "hello");
    let folder = tempfile::tempdir().unwrap();
    let down = run(&[
        "cp",
        &format!("{address}:/etc/motd"),
        folder.path().to_str().unwrap(),
    ])
    .await;
    assert_eq!(down.code, 0, "{}", down.stderr);
    assert_eq!(names(folder.path()), ["motd"]);
    let from = folder.path().join("motd");
    let up = run(&["cp", from.to_str().unwrap(), &format!("{address}:/srv/")]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/motd").unwrap(), b"hello");
}

#[tokio::test]
async fn folders_are_copied_only_where_that_was_asked_for() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("deep")).unwrap();
    fs::write(tree.join("deep/file"), "x").unwrap();
    let (tree, there) = (tree.to_str().unwrap(), format!("{address}:/srv/tree"));
    let refused = run(&["cp", tree, &there]).await;
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("-r"), "{}", refused.stderr);
    let up = run(&["cp", "-r", tree, &there]).await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/tree/deep/file").unwrap(), b"x");
    let back = folder.path().join("back");
    let back = back.to_str().unwrap();
    let refused = run(&["cp", &there, back]).await;
    assert!(
        refused.code == 125 && refused.stderr.contains("-r"),
        "{}",
        refused.stderr
    );
    assert_eq!(run(&["cp", "-r", &there, back]).await.code, 0);
    assert_eq!(fs::read(format!("{back}/deep/file")).unwrap(), b"x");
}

#[tokio::test]
async fn standard_input_and_output_are_places_too() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    let there = format!("{address}:/srv/it");
    let up = run_with(&["cp", "-", &there], b"from a pipe").await;
    assert_eq!(up.code, 0, "{}", up.stderr);
    assert_eq!(agent.file_content("/srv/it").unwrap(), b"from a pipe");
    let down = run(&["cp", &there, "-"]).await;
    assert_eq!((down.code, &*down.stdout), (0, "from a pipe"));
    let cat = run(&["cat", &address, "/srv/it", "/srv/it"]).await;
    assert_eq!((cat.code, &*cat.stdout), (0, "from a pipefrom a pipe"));
}

#[tokio::test]
async fn a_file_goes_from_one_guest_to_another() {
    let ((one, first), (other, second)) = (guest().await, guest().await);
    one.file("/etc/motd", "hello");
    other.folder("/srv");
    let copied = run(&[
        "cp",
        &format!("{first}:/etc/motd"),
        &format!("{second}:/srv/motd"),
    ])
    .await;
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    assert_eq!(other.file_content("/srv/motd").unwrap(), b"hello");
}

#[tokio::test]
async fn what_names_no_guest_is_refused() {
    for args in [
        ["cp", "a", "b"],
        ["cp", "-", "/tmp/x"],
        ["cp", "unix:/run/x.sock", "/tmp/x"],
    ] {
        let run = run(&args).await;
        assert_eq!(run.code, 125);
        assert!(run.stderr.contains("ADDR:/path"), "{}", run.stderr);
    }
}

#[tokio::test]
async fn an_interrupted_copy_leaves_the_target_as_it_was() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    fs::write(&local, "as it was").unwrap();
    agent.file("/srv/remote", vec![1; 1 << 20]);
    agent.on("guest-file-read").fault(Fault::no_answer());
    let remote = format!("{address}:/srv/remote");
    let child = qga(&["cp", &remote, local.to_str().unwrap()])
        .spawn()
        .unwrap();
    agent.wait_for("guest-file-read", 1).await;
    signal(&child, Signal::INT);
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 130, "{}", run.stderr);
    assert_eq!(fs::read(&local).unwrap(), b"as it was");
    assert_eq!(names(folder.path()), ["local"]);
}

#[tokio::test]
async fn what_a_guest_calls_its_files_is_not_obeyed_by_a_terminal() {
    let (agent, address) = guest().await;
    agent.folder("/srv");
    agent.file("/srv/a\u{1b}[31mb", "x");
    agent.file("/srv/plain", "four");
    let listed = run(&["ls", &address, "/srv"]).await;
    assert_eq!(
        (listed.code, &*listed.stdout),
        (0, "a\\u{1b}[31mb\nplain\n"),
        "{}",
        listed.stderr
    );
    let long = run(&["ls", "-l", &address, "/srv"]).await;
    assert!(long.stdout.contains("-0644  0  0  4  "), "{}", long.stdout);
    let json = run(&["-o", "json", "ls", &address, "/srv"]).await;
    assert!(
        json.stdout.contains("\"name\":\"a\\u001b[31mb\""),
        "{}",
        json.stdout
    );
}

#[tokio::test]
async fn files_are_removed_and_folders_made() {
    let (agent, address) = guest().await;
    agent.file("/srv/a", "x");
    assert_eq!(run(&["rm", &address, "/srv/a"]).await.code, 0);
    assert_eq!(agent.file_content("/srv/a"), None);
    let gone = run(&["rm", &address, "/srv/a"]).await;
    assert_eq!(gone.code, 125, "{}", gone.stderr);
    assert_eq!(run(&["mkdir", &address, "/srv/x/y"]).await.code, 0);
    assert_eq!(run(&["ls", &address, "/srv/x"]).await.stdout, "y\n");
}
