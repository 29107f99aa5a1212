//! The example that freezes a guest, and the signals that end it.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use qga_commands::Guest;
use qga_testserver::TestAgent;

/// Runs the example with a snapshot that takes until its input ends, and waits until the guest is frozen.
async fn freeze(agent: &TestAgent) -> (Child, ChildStdin) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_snapshot_freeze"));
    program
        .args([&agent.address(), "cat"])
        .stdin(Stdio::piped());
    program.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = program.spawn().unwrap();
    let input = child.stdin.take().unwrap();
    while !agent.guest().frozen {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    (child, input)
}

fn send(signal: &str, child: &Child) {
    let mut kill = Command::new("sh");
    let script = format!("kill -{signal} {}", child.id());
    assert!(kill.args(["-c", &script]).status().unwrap().success());
}

/// What the example printed and how it ended. A snapshot that nobody has ended goes on to the end of its input.
async fn output(mut child: Child, input: ChildStdin) -> Output {
    let waiting = tokio::task::spawn_blocking(move || {
        child.wait().unwrap();
        drop(input);
        child.wait_with_output().unwrap()
    });
    waiting.await.unwrap()
}

#[tokio::test]
async fn a_signal_while_frozen_thaws_and_ends_with_its_exit_code() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let agent = TestAgent::start().await;
        let (child, input) = freeze(&agent).await;
        send(signal, &child);
        let output = output(child, input).await;
        assert!(!agent.guest().frozen, "frozen after SIG{signal}");
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("the guest is thawed"), "{said}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn after_a_kill_the_guest_stays_frozen_and_the_next_run_says_what_ends_that() {
    let agent = TestAgent::start().await;
    let (child, input) = freeze(&agent).await;
    send("KILL", &child);
    output(child, input).await;
    assert!(agent.guest().frozen);
    let mut program = Command::new(env!("CARGO_BIN_EXE_snapshot_freeze"));
    program.arg(agent.address());
    let next = tokio::task::spawn_blocking(move || program.output().unwrap());
    let next = next.await.unwrap();
    assert_eq!(next.status.code(), Some(1));
    let said = String::from_utf8(next.stderr).unwrap();
    assert!(
        said.contains("waiting does not help, and `Guest::thaw` thaws"),
        "{said}"
    );
    assert!(agent.guest().frozen);
    let guest = Guest::connect(agent.address()).await.unwrap();
    guest.thaw().await.unwrap();
    assert!(!agent.guest().frozen);
}
