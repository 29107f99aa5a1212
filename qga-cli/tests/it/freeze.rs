//! `qga freeze`, `qga thaw` and `qga fstrim`.

use qga_testserver::TestAgent;
use rustix::process::Signal;

use crate::support::{ended, guest, qga, run, signal};

fn is_frozen(agent: &TestAgent) -> bool {
    let count = |name| agent.requests_of(name).len();
    count("guest-fsfreeze-freeze") > count("guest-fsfreeze-thaw")
}

#[tokio::test]
async fn a_program_runs_while_the_guest_is_frozen_and_its_exit_code_is_the_result() {
    let (agent, address) = guest().await;
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen");
    let line = format!("echo snapshot > {}; exit 3", seen.display());
    let run = run(&["freeze", &address, "--", "sh", "-c", &line]).await;
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(run.stderr.contains("frozen for"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(seen).unwrap(), "snapshot\n");
    assert_eq!(agent.requests_of("guest-fsfreeze-freeze").len(), 1);
    assert!(!is_frozen(&agent));
}

#[tokio::test]
async fn the_guest_is_thawed_whatever_becomes_of_the_program() {
    let (agent, address) = guest().await;
    for (args, code, words) in [
        (&["--", "/none/program"][..], 125, "cannot be started"),
        (&["--for", "200ms", "--", "sleep", "60"], 124, "frozen for"),
        (
            &[
                "--for",
                "200ms",
                "--",
                "sh",
                "-c",
                "trap '' TERM; while :; do sleep 0.1; done",
            ],
            124,
            "frozen for",
        ),
        (&["--", "sh", "-c", "kill -9 $$"], 137, "frozen for"),
        (&["-q", "--", "true"], 0, ""),
    ] {
        let args = [&["freeze", &address], args].concat();
        let run = run(&args).await;
        assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{args:?}: {}", run.stderr);
        assert!(!is_frozen(&agent), "{args:?}");
    }
}

#[tokio::test]
async fn an_interrupt_ends_the_program_and_thaws() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (agent, address) = guest().await;
        let folder = tempfile::tempdir().unwrap();
        let begun = folder.path().join("begun");
        let line = format!("touch {}; exec sleep 60", begun.display());
        let child = qga(&["freeze", &address, "--", "sh", "-c", &line])
            .spawn()
            .unwrap();
        while !begun.exists() {
            tokio::task::yield_now().await;
        }
        signal(&child, sent);
        let run = ended(child.wait_with_output().await.unwrap());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(!is_frozen(&agent));
    }
}

#[tokio::test]
async fn a_guest_that_was_left_frozen_is_thawed() {
    let (agent, address) = guest().await;
    let frozen = run(&["raw", &address, "guest-fsfreeze-freeze"]).await;
    assert_eq!(frozen.code, 0, "{}", frozen.stderr);
    let thawed = run(&["thaw", &address]).await;
    assert_eq!(thawed.code, 0, "{}", thawed.stderr);
    assert!(!is_frozen(&agent));
}

#[tokio::test]
async fn free_blocks_are_given_back() {
    let (_agent, address) = guest().await;
    let run = run(&["fstrim", &address]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with('/'), "{}", run.stdout);
}
