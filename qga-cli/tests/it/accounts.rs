//! `qga passwd`, `qga ssh-key`, `qga cpu` and `qga mem`.

use crate::support::{guest, run, run_with};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@host";

#[tokio::test]
async fn a_password_is_read_from_standard_input_and_shown_nowhere() {
    let (agent, address) = guest().await;
    let run = run_with(&["passwd", &address, "test"], b"s3cret word\n").await;
    assert_eq!((run.code, &*run.stdout, &*run.stderr), (0, "", ""));
    let sent = agent.requests_of("guest-set-user-password");
    assert_eq!(sent[0].arguments["password"], "czNjcmV0IHdvcmQ=");
    assert_eq!(sent[0].arguments["crypted"], false);
    let empty = run_with(&["passwd", &address, "test"], b"\n").await;
    assert_eq!(empty.code, 125, "{}", empty.stderr);
    agent
        .on("guest-set-user-password")
        .error("GenericError", "s3cret word is too short");
    let refused = run_with(&["passwd", &address, "test"], b"s3cret word\n").await;
    assert_eq!(refused.code, 125);
    assert!(!refused.stderr.contains("s3cret"), "{}", refused.stderr);
}

#[tokio::test]
async fn keys_are_added_listed_and_removed() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.pub");
    std::fs::write(&file, format!("# mine\n\n{KEY}\n")).unwrap();
    let file = file.to_str().unwrap();
    let added = run(&["ssh-key", "add", &address, "root", file]).await;
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert_eq!(agent.authorized_keys("root"), [KEY]);
    assert_eq!(
        run(&["ssh-key", "ls", &address, "root"]).await.stdout,
        format!("{KEY}\n")
    );
    let removed = run_with(&["ssh-key", "rm", &address, "root"], KEY.as_bytes()).await;
    assert_eq!(removed.code, 0, "{}", removed.stderr);
    assert!(agent.authorized_keys("root").is_empty());
    assert_eq!(run(&["ssh-key", "add", &address, "root"]).await.code, 125);
}

#[tokio::test]
async fn processors_and_memory_are_shown_and_set() {
    let (_agent, address) = guest().await;
    let listed = run(&["cpu", "ls", &address]).await;
    assert!(listed.stdout.starts_with("0  used"), "{}", listed.stdout);
    assert_eq!(run(&["cpu", "set", &address, "1"]).await.code, 0);
    assert!(
        run(&["cpu", "ls", &address])
            .await
            .stdout
            .contains("1  unused")
    );
    let memory = run(&["mem", "ls", &address]).await;
    assert!(
        memory.stdout.contains("are used"),
        "{} {}",
        memory.stdout,
        memory.stderr
    );
    let set = run(&["mem", "set", &address]).await;
    assert_eq!(set.code, 0, "{}", set.stderr);
}
