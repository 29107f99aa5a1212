//! Programs whose output is read while they run, by a real agent, where one is installed.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::{Guest, GuestError};
use tokio::io::AsyncReadExt;

use crate::real;

/// No test may hang, nor fill this machine's disk.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .unwrap()
}

const LIMIT: usize = 1024 * 1024;

fn shell(guest: &Guest, script: &str) -> qga_commands::guest::process::Command {
    let mut command = guest.command("/bin/sh");
    command.args(["-c", script]);
    command
}

#[tokio::test]
async fn a_real_program_is_read_while_it_runs_and_after_pauses() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let gate = folder.path().join("gate");
    // It goes on only when the test has read what came before.
    let script = format!(
        "echo one; while [ ! -e {0} ]; do sleep 0.01; done; echo two; echo three >&2; exit 3",
        gate.display()
    );
    let mut child = shell(&guest, &script).spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut one = [0; 4];
    stdout.read_exact(&mut one).await.unwrap();
    assert_eq!(&one, b"one\n");
    assert_eq!(child.try_wait().await.unwrap(), None);
    // The end of the file passes again and again meanwhile.
    let rest = tokio::spawn(async move {
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.map(|_| rest)
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    std::fs::write(&gate, "").unwrap();
    assert_eq!(rest.await.unwrap().unwrap(), "two\n");
    let output = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stderr_lossy(), "three\n");
}

#[tokio::test]
async fn forty_mib_of_a_real_program_come_as_they_were_written() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut random = 1_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 56) as u8
    })
    .take(40 * 1024 * 1024 + 7)
    .collect();
    std::fs::write(&path, &bytes).unwrap();
    let script = format!("cat {0} & cat {0} >&2; wait", path.display());
    let mut child = shell(&guest, &script).spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let other = tokio::spawn(async move {
        let mut read = Vec::new();
        stderr.read_to_end(&mut read).await.map(|_| read)
    });
    let mut read = Vec::new();
    stdout.read_to_end(&mut read).await.unwrap();
    assert!(read == bytes);
    assert!(other.await.unwrap().unwrap() == bytes);
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_real_program_that_nobody_reads_ends_and_leaves_nothing() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let script = "head -c 1000000 /dev/zero; readlink /proc/$$/fd/1";
    let mut child = shell(&guest, script).spawn().await.unwrap();
    assert!(child.wait().await.unwrap().success());
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let output = child.wait_with_output(2 * LIMIT).await.unwrap();
    let (zeros, name) = output.stdout.split_at(1_000_000);
    assert!(zeros.iter().all(|byte| *byte == 0));
    let name = String::from_utf8(name.to_vec()).unwrap();
    let file = name.trim_end().strip_suffix(" (deleted)").unwrap();
    let folder = std::path::Path::new(file).parent().unwrap();
    assert!(
        folder
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("qga-")
    );
    assert!(!folder.exists(), "{name}");
}

#[tokio::test]
async fn a_real_program_is_killed_in_the_middle_of_its_stream() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = shell(&guest, "echo begun; exec sleep 60");
    let mut child = command.spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut begun = [0; 6];
    stdout.read_exact(&mut begun).await.unwrap();
    child.kill().await.unwrap();
    assert_eq!(stdout.read(&mut begun).await.unwrap(), 0);
    assert_eq!(child.wait().await.unwrap().signal(), Some(9));

    // The program's own number, so that a dropped child kills the program and not a shell.
    let mut child = command.kill_on_drop(true).spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut begun).await.unwrap();
    let pid = child.pid();
    let process = format!("/proc/{pid}/comm");
    soon(async {
        while std::fs::read_to_string(&process).unwrap() != "sleep\n" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    drop(child);
    assert_eq!(stdout.read(&mut begun).await.unwrap(), 0);
    assert!(!std::path::Path::new(&process).exists());
}

#[tokio::test]
async fn a_real_programs_input_and_environment_arrive() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = shell(&guest, "cat; echo $A ${PATH:+path}");
    command.stdin("in ").env("A", "1  2");
    let child = command.spawn().await.unwrap();
    let merged = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(merged.stdout_lossy(), "in 1 2 path\n");

    let mut command = guest.command("/bin/cat");
    command
        .arg("/proc/self/environ")
        .env("A", "1")
        .env("PATH", "/nowhere");
    let child = command.env_clear().spawn().await.unwrap();
    let cleared = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(cleared.stderr_lossy(), "");
    let text = cleared.stdout_lossy();
    let mut variables: Vec<_> = text.split_terminator('\0').collect();
    let of_shells = ["PWD=", "OLDPWD", "SHLVL=", "_="];
    variables.retain(|variable| !of_shells.iter().any(|name| variable.starts_with(name)));
    variables.sort_unstable();
    assert_eq!(variables, ["A=1", "PATH=/nowhere"]);
}

#[tokio::test]
async fn a_real_program_that_is_not_found_is_exit_code_127() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    for merged in [false, true] {
        let mut command = guest.command("/no/such program");
        if merged {
            command.env("A", "1");
        }
        let child = command.spawn().await.unwrap();
        let output = child.wait_with_output(LIMIT).await.unwrap();
        assert_eq!(output.status.code(), Some(127));
        assert!(output.stderr_lossy().contains("/no/such program"));
    }
}

#[tokio::test]
async fn a_child_that_lives_on_does_not_hold_up_a_real_stream() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let script = "(sleep 30; echo late) & echo $!";
    let child = shell(&guest, script).spawn().await.unwrap();
    let output = child.wait_with_output(LIMIT).await.unwrap();
    assert!(output.status.success());
    let text = output.stdout_lossy();
    let left: i64 = text.trim_end().parse().unwrap();
    let kill = shell(&guest, &format!("kill {left}")).status().await;
    assert!(kill.unwrap().success());
}

#[tokio::test]
async fn more_than_a_caller_wants_of_a_real_program_is_an_error() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut command = shell(&guest, "ulimit -f 100000; exec cat /dev/zero");
    let child = command.kill_on_drop(true).spawn().await.unwrap();
    let process = format!("/proc/{}", child.pid());
    let error = soon(child.wait_with_output(LIMIT)).await.unwrap_err();
    assert!(
        matches!(error, GuestError::TooMuchOutput { limit: LIMIT, .. }),
        "{error}"
    );
    soon(async {
        while std::path::Path::new(&process).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_real_output_that_is_dropped_is_killed() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let script = format!("echo $$ >{}; exec sleep 60", path.display());
    let mut command = shell(&guest, &script);
    command.kill_on_drop(true);
    let waiting = tokio::time::timeout(Duration::from_millis(300), command.output());
    assert!(waiting.await.is_err());
    let pid = std::fs::read_to_string(&path).unwrap();
    let process = format!("/proc/{}", pid.trim_end());
    soon(async {
        while std::path::Path::new(&process).exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
