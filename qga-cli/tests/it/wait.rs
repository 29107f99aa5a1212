//! `qga wait`.

use qga_testserver::TestAgent;

use crate::support::{ended, guest, qga, run};

#[tokio::test]
async fn a_socket_that_is_not_there_yet_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let address = format!("unix:{}", path.display());
    let waiting = qga(&["wait", &address, "--timeout", "60s"])
        .spawn()
        .unwrap();
    let _agent = TestAgent::listen(&address).await.unwrap();
    let run = ended(waiting.wait_with_output().await.unwrap());
    assert_eq!((run.code, &*run.stderr), (0, ""));
}

#[tokio::test]
async fn more_than_an_answer_can_be_waited_for() {
    let (agent, address) = guest().await;
    agent.program("/bin/sh").exit(0);
    for what in ["agent", "exec", "ip", "test -e /run/ready"] {
        let run = run(&["wait", &address, "--for", what]).await;
        assert_eq!(run.code, 0, "{what}: {}", run.stderr);
    }
}

#[tokio::test]
async fn a_time_that_is_over_is_told_by_its_own_exit_code() {
    let (agent, address) = guest().await;
    agent.program("/bin/sh").exit(1);
    for args in [
        &["wait", "/none/qga.sock", "--timeout", "300ms"][..],
        &[
            "wait",
            &address,
            "--for",
            "test -e /run/ready",
            "--timeout",
            "1s",
        ],
    ] {
        let run = run(args).await;
        assert_eq!(run.code, 124, "{args:?}: {}", run.stderr);
    }
}

#[tokio::test]
async fn the_longest_time_that_can_be_written_is_no_panic() {
    let (_agent, address) = guest().await;
    for args in [
        &["ip", &address, "--wait", "500000000000y"][..],
        &["wait", &address, "--timeout", "500000000000y"],
        &["ping", &address, "--connect-timeout", "500000000000y"],
    ] {
        let run = run(args).await;
        assert_eq!(run.code, 0, "{args:?}: {}", run.stderr);
    }
}
