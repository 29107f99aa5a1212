//! Programs run by a real agent, where one is installed.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::GuestError;
use qga_commands::guest::process::KillOutcome;

use crate::real;

#[tokio::test]
async fn a_real_program_brings_its_code_and_both_streams() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let script = "echo out; echo err >&2; exit 3";
    let mut command = guest.command("/bin/sh");
    let output = command.args(["-c", script]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout_text().unwrap(), "out\n");
    assert_eq!(output.stderr_text().unwrap(), "err\n");
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let copied = guest.command("/bin/cat").stdin(&*bytes).output().await;
    assert_eq!(copied.unwrap().stdout, bytes);
    assert!(guest.command("/bin/true").status().await.unwrap().success());
}

#[tokio::test]
async fn a_real_programs_environment_is_replaced_or_added_to() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = guest.command("/bin/sh");
    command
        .args(["-c", "echo $A ${PATH:+path}"])
        .env("A", "1  2");
    let merged = command.output().await.unwrap();
    assert_eq!(merged.stdout_lossy(), "1 2 path\n");
    let mut command = guest.command("/bin/cat");
    command.arg("/proc/self/environ").env("A", "1").env_clear();
    let replaced = command.output().await.unwrap();
    assert_eq!(replaced.stdout_lossy(), "A=1\0");
}

#[tokio::test]
async fn a_real_program_that_is_late_is_killed() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = guest.command("/bin/sh");
    command.args(["-c", "echo begun; exec sleep 60"]);
    command
        .timeout(Duration::from_millis(300))
        .kill_on_drop(true);
    let error = command.output().await.unwrap_err();
    let GuestError::TimedOut {
        kill: KillOutcome::Killed,
        output: Some(output),
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(
        (output.status.signal(), output.stdout_lossy().as_ref()),
        (Some(9), "begun\n")
    );
}

#[tokio::test]
async fn a_real_stream_beyond_16_mib_is_said_to_be_cut() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = guest.command("/bin/sh");
    command.args(["-c", "head -c 16777300 /dev/zero"]);
    let output = command.output().await.unwrap();
    assert!(output.truncated && output.stdout.len() == 16 * 1024 * 1024);
    let mut command = guest.command("/bin/echo");
    assert!(!command.arg("hi").output().await.unwrap().truncated);
}
