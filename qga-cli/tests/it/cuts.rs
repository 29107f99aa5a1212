//! Channels that are cut for good after each reply.

use std::fs;

use tokio::task::JoinSet;

use crate::support::{Run, cut_after, guest, names, run};

/// Runs something with a channel that is cut after the first reply, after the second, and so on, until it has succeeded
/// several times. How many runs have failed.
async fn after_each_reply<F>(run: impl Fn(usize) -> F) -> usize
where
    F: Future<Output = Run> + Send + 'static,
{
    const AT_ONCE: usize = 16;
    const MOST: usize = 128;
    let (mut failed, mut first) = (0, 0);
    while first < MOST {
        let mut runs = JoinSet::new();
        for replies in first..first + AT_ONCE {
            runs.spawn(run(replies));
        }
        let ended = runs.join_all().await;
        let failures = ended.iter().filter(|run| run.code != 0).count();
        failed += failures;
        if failures == 0 {
            return failed;
        }
        first += AT_ONCE;
    }
    panic!("it has not succeeded, however many replies have come");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exec_has_no_success_without_all_of_its_output() {
    let failed = after_each_reply(|replies| async move {
        let (agent, _) = guest().await;
        agent.program("three").stdout("one\ntwo\nthree\n").exit(0);
        let (_folder, address) = cut_after(&agent, replies);
        let run = run(&["exec", &address, "--", "three"]).await;
        let is_whole = run.code == 0 && run.stdout == "one\ntwo\nthree\n";
        let is_honest = run.code == 125 && run.stderr.contains("qga: ");
        assert!(
            is_whole || is_honest,
            "cut after {replies} replies: {} {:?} {:?}",
            run.code,
            run.stdout,
            run.stderr
        );
        run
    });
    assert!(failed.await > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_leaves_no_half_file_and_no_success() {
    assert!(after_each_reply(|replies| copy(true, replies)).await > 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_leaves_no_half_file_and_no_success() {
    assert!(after_each_reply(|replies| copy(false, replies)).await > 5);
}

/// Copies a file over one that is there.
async fn copy(is_upload: bool, replies: usize) -> Run {
    let old = b"as it was".to_vec();
    let new: Vec<u8> = (0..=255).cycle().take(600_000).collect();
    let (agent, _) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    let (local_content, remote_content) = if is_upload {
        (&new, &old)
    } else {
        (&old, &new)
    };
    fs::write(&local, local_content).unwrap();
    agent.file("/srv/remote", remote_content.clone());
    let (_folder, address) = cut_after(&agent, replies);
    let remote = format!("{address}:/srv/remote");
    let local_path = local.to_str().unwrap();
    let (from, to) = if is_upload {
        (local_path, &*remote)
    } else {
        (&*remote, local_path)
    };
    // It would try again for longer than a test may take.
    let run = run(&["cp", "--timeout", "4s", from, to]).await;
    let found = if is_upload {
        agent.file_content("/srv/remote").unwrap()
    } else {
        fs::read(&local).unwrap()
    };
    assert!(
        found == new || found == old,
        "half a file after {replies} replies"
    );
    assert!(run.code != 0 || found == new, "{replies}: {}", run.stderr);
    assert!(
        [0, 124, 125].contains(&run.code),
        "{}: {}",
        run.code,
        run.stderr
    );
    assert_eq!(names(folder.path()), ["local"]);
    run
}
