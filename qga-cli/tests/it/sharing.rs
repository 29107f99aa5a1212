//! Two programs at one channel, whose agent serves one at a time.

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::support::{ended, guest, qga, run, signal};

#[tokio::test]
async fn the_second_program_waits_for_the_first_or_says_that_it_has_the_channel() {
    let (agent, address) = guest().await;
    agent.program("long").stdout("begun\n").never_ends();
    let mut first = qga(&["exec", &address, "--", "long"]).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "begun");
    let hasty = run(&["--connect-timeout", "100ms", "ping", &address]).await;
    assert_eq!(hasty.code, 125);
    assert!(
        hasty.stderr.contains("another client on this channel"),
        "{}",
        hasty.stderr
    );
    let held = format!("qga (process {}) holds {address}", first.id().unwrap());
    assert!(hasty.stderr.contains(&held), "{}", hasty.stderr);
    let doctor = run(&["doctor", "--connect-timeout", "100ms", &address]).await;
    let held = format!("qga (process {}) is connected", first.id().unwrap());
    assert!(doctor.stdout.contains(&held), "{}", doctor.stdout);
    let wait = run(&["wait", "--timeout", "1s", &address]).await;
    assert_eq!(wait.code, 124, "{}", wait.stderr);
    let held = format!("qga (process {}) holds {address}", first.id().unwrap());
    assert!(wait.stderr.contains(&held), "{}", wait.stderr);
    let second = qga(&["--connect-timeout", "60s", "ping", &address])
        .spawn()
        .unwrap();
    signal(&first, rustix::process::Signal::TERM);
    assert_eq!(first.wait().await.unwrap().code(), Some(143));
    let second = ended(second.wait_with_output().await.unwrap());
    assert_eq!(second.code, 0, "{}", second.stderr);
}

#[tokio::test]
async fn nobody_is_said_to_hold_a_device_that_is_no_channel() {
    let _holder = tokio::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ping = run(&["ping", "serial:/dev/null"]).await;
    assert_eq!(ping.code, 125);
    assert!(ping.stderr.contains("terminal"), "{}", ping.stderr);
    assert!(!ping.stderr.contains("holds"), "{}", ping.stderr);
}
