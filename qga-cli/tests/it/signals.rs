//! Signals, closed outputs and full disks.

use std::fmt::Write as _;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

use qga_testserver::{Fault, TestAgent};
use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;

use crate::support::{config, ended, guest, names, qga, run, signal};

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Whether the guest was asked to remove what a copy had made.
fn is_discarded(agent: &TestAgent) -> bool {
    let programs = agent.requests_of("guest-exec");
    let is_discard =
        |request: &qga_testserver::Request| request.arguments.to_string().contains(": qga-discard");
    programs.iter().any(is_discard)
}

#[tokio::test]
async fn a_copy_that_is_interrupted_leaves_the_targets_as_they_were_and_nothing_beside_them() {
    for (sent, code) in SIGNALS {
        for is_upload in [true, false] {
            let (agent, address) = guest().await;
            let folder = tempfile::tempdir().unwrap();
            let local = folder.path().join("local");
            fs::write(&local, vec![1; 1 << 20]).unwrap();
            agent.file("/srv/remote", vec![2; 1 << 20]);
            let remote = format!("{address}:/srv/remote");
            let local_path = local.to_str().unwrap();
            let (command, args) = if is_upload {
                ("guest-file-write", ["cp", local_path, &remote])
            } else {
                ("guest-file-read", ["cp", &remote, local_path])
            };
            // The second piece takes long.
            agent
                .on(command)
                .fault(Fault::delay(Duration::from_millis(700)));
            let asked = agent.requests_of(command).len();
            let child = qga(&args).spawn().unwrap();
            agent.wait_for(command, asked + 1).await;
            signal(&child, sent);
            let run = ended(child.wait_with_output().await.unwrap());
            assert_eq!(run.code, code, "{args:?}: {}", run.stderr);
            assert!(run.stderr.contains("as it was"), "{}", run.stderr);
            assert_eq!(fs::read(&local).unwrap(), vec![1; 1 << 20]);
            assert_eq!(agent.file_content("/srv/remote").unwrap(), vec![2; 1 << 20]);
            assert_eq!(names(folder.path()), ["local"]);
            assert!(
                !is_upload || is_discarded(&agent),
                "its folder is left in the guest"
            );
        }
    }
}

#[tokio::test]
async fn an_interrupt_of_each_is_passed_on_to_all_that_run() {
    for (sent, code) in SIGNALS {
        let guests = [guest().await, guest().await, guest().await];
        let mut text = "[guests]\n".to_owned();
        for (number, (agent, address)) in guests.iter().enumerate() {
            agent.program("long").stdout("begun\n").never_ends();
            writeln!(text, "web{number} = '{address}'").unwrap();
        }
        let (_folder, config) = config(&text);
        let args = [
            "--config",
            &config,
            "each",
            "--concurrency",
            "2",
            "web*",
            "--",
            "exec",
            "--",
            "long",
        ];
        let mut child = qga(&args).spawn().unwrap();
        let mut begun = [0; 24];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut begun)
            .await
            .unwrap();
        signal(&child, sent);
        let run = ended(child.wait_with_output().await.unwrap());
        assert_eq!(run.code, code, "{}", run.stderr);
        assert!(
            run.stderr
                .contains("0 of 3 succeeded, 2 failed, 1 were not begun"),
            "{}",
            run.stderr
        );
        for (agent, _) in &guests {
            assert!(agent.running_processes().is_empty());
        }
    }
}

#[tokio::test]
async fn each_whose_output_nobody_reads_leaves_no_program_running() {
    let guests = [guest().await, guest().await];
    for (agent, _) in &guests {
        agent.program("much").stdout_zeros(1 << 20).never_ends();
    }
    let args = [
        "each",
        &guests[0].1,
        &guests[1].1,
        "--",
        "exec",
        "--",
        "much",
    ];
    let mut child = qga(&args).spawn().unwrap();
    drop(child.stdout.take());
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 125, "{}", run.stderr);
    for (agent, _) in &guests {
        assert!(agent.running_processes().is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_printed_is_no_success() {
    let (agent, address) = guest().await;
    agent.folder("/srv/x");
    agent.file("/srv/file", vec![7; 100_000]);
    agent.program("line").stdout("line\n").exit(0);
    let remote = format!("{address}:/srv/file");
    let all = [
        &["exec", &address, "--", "line"][..],
        &["cp", &remote, "-"],
        &["cat", &address, "/srv/file"],
        &["ls", &address, "/srv"],
        &["info", &address],
        &["ping", &address],
        &["each", &address, "--", "ls"],
        &["-o", "json", "each", &address, "--", "ping"],
        &["exec", "-d", &address, "--", "line"],
    ];
    for args in all {
        for is_full in [true, false] {
            let stdout = if is_full {
                let full = fs::OpenOptions::new()
                    .write(true)
                    .open("/dev/full")
                    .unwrap();
                Stdio::from(full)
            } else {
                // Nobody reads there any more.
                let (reader, writer) = std::io::pipe().unwrap();
                drop(reader);
                Stdio::from(writer)
            };
            let child = qga(args).stdout(stdout).spawn().unwrap();
            let run = ended(child.wait_with_output().await.unwrap());
            if run.code == 0 {
                let printed = self::run(args).await;
                assert_eq!(
                    printed.stdout, "",
                    "{args:?} has not said all, and succeeded"
                );
                continue;
            }
            assert!(
                [1, 125].contains(&run.code),
                "{args:?}: {} {}",
                run.code,
                run.stderr
            );
            assert_eq!(is_full, !run.stderr.is_empty(), "{args:?}: {}", run.stderr);
        }
    }
}

#[tokio::test]
async fn a_download_to_a_disk_without_room_leaves_what_was_there() {
    let (agent, address) = guest().await;
    agent.file("/srv/remote", vec![2; 1 << 20]);
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("local");
    fs::write(&local, "as it was").unwrap();
    // No file may be longer, which is as good as a disk that is full.
    let program = env!("CARGO_BIN_EXE_qga");
    let line = "trap '' XFSZ; ulimit -f 256; exec \"$@\"";
    let remote = format!("{address}:/srv/remote");
    let mut command = tokio::process::Command::new("sh");
    command.args([
        "-c",
        line,
        "sh",
        program,
        "cp",
        &remote,
        local.to_str().unwrap(),
    ]);
    command.env("HOME", "/none").kill_on_drop(true);
    let run = ended(command.output().await.unwrap());
    assert_eq!(run.code, 125, "{}", run.stderr);
    assert!(run.stderr.contains("too large"), "{}", run.stderr);
    assert_eq!(fs::read(&local).unwrap(), b"as it was");
    assert_eq!(names(folder.path()), ["local"]);
}
