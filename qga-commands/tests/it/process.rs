//! Programs in the guest, with an agent that goes wrong at every message.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::faults;
use qga_commands::guest::process::{KillOutcome, Output};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Answer, Fault, Profile, Script, TestAgent};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support;

const SECOND: Duration = Duration::from_secs(1);

/// A guest whose every program has number 7, and ends after a while with this status.
fn guest(runs_for: Duration, ended: Value) -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    agent.on("guest-exec").reply(json!({"pid": 7}));
    let (end, told) = (Instant::now() + runs_for, Mutex::new(false));
    agent.on("guest-exec-status").reply_with(move |_| {
        let mut told = told.lock().unwrap();
        if *told {
            return Answer::error("GenericError", "PID ld does not exist");
        }
        *told = Instant::now() >= end;
        let running = json!({"exited": false});
        Answer::Return(if *told { ended.clone() } else { running })
    });
    let options = Options::new().timeout(5 * SECOND);
    (
        agent,
        Guest::new(Client::builder().options(options).build(stream)),
    )
}

fn ended(code: i64) -> Value {
    json!({"exited": true, "exitcode": code})
}

fn exec_arguments(agent: &TestAgent) -> Value {
    agent
        .requests_of("guest-exec")
        .last()
        .unwrap()
        .arguments
        .clone()
}

#[tokio::test(start_paused = true)]
async fn a_program_brings_its_code_and_both_streams() {
    let status = json!({"exited": true, "exitcode": 3, "out-data": "aGk=", "err-data": "/w=="});
    let (agent, guest) = guest(SECOND, status);
    let output = guest
        .command("uname")
        .arg("-r")
        .args(["-s", "-m"])
        .output()
        .await
        .unwrap();
    assert_eq!(
        (output.status.code(), output.status.signal()),
        (Some(3), None)
    );
    assert!(!output.status.success() && !output.truncated);
    assert_eq!(output.stdout_text().unwrap(), "hi");
    assert!(output.stderr_text().is_err());
    assert_eq!(output.stderr_lossy(), "\u{fffd}");
    let expected = json!({"path": "uname", "arg": ["-r", "-s", "-m"], "capture-output": true});
    assert_eq!(exec_arguments(&agent), expected);
}

#[tokio::test(start_paused = true)]
async fn a_killed_program_has_a_signal_and_no_code() {
    let (_agent, guest) = guest(SECOND, json!({"exited": true, "signal": 9}));
    let status = guest.command("sleep").status().await.unwrap();
    assert_eq!(
        (status.code(), status.signal(), status.success()),
        (None, Some(9), false)
    );
    assert_eq!(status.to_string(), "signal 9");
}

#[tokio::test(start_paused = true)]
async fn input_goes_along_and_status_captures_nothing() {
    let (agent, guest) = guest(SECOND, ended(0));
    let status = guest.command("cat").stdin("hi").status().await.unwrap();
    assert!(status.success());
    let expected = json!({"path": "cat", "arg": [], "input-data": "aGk=", "capture-output": false});
    assert_eq!(exec_arguments(&agent), expected);
}

#[tokio::test(start_paused = true)]
async fn questions_get_rarer_up_to_one_a_second() {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    guest.command("sleep").status().await.unwrap();
    let asked = agent.requests_of("guest-exec-status").len();
    assert!((60..=100).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_program_is_noticed_before_a_third_of_its_time_has_passed_again() {
    for milliseconds in (0..60).chain((60..3000).step_by(37)) {
        let runs_for = Duration::from_millis(milliseconds);
        let (_agent, guest) = guest(runs_for, ended(0));
        let start = Instant::now();
        guest.command("tar").status().await.unwrap();
        let late = start.elapsed().saturating_sub(runs_for);
        let first = Duration::from_millis(2);
        assert!(late <= first + runs_for / 3, "{late:?} {runs_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_agent_is_asked_later() {
    for (takes, asked_after) in [(0, 1), (2, 8), (100, 10)] {
        let (agent, guest) = guest(SECOND, ended(0));
        let takes = Duration::from_millis(takes);
        agent.on("guest-exec").fault(Fault::delay(takes));
        let mut process = guest.command("tar").start().await.unwrap();
        let start = Instant::now();
        let asked = async {
            while agent.requests_of("guest-exec-status").is_empty() {
                tokio::time::sleep(Duration::from_micros(100)).await;
            }
            start.elapsed()
        };
        let asked = tokio::select! {
            asked = asked => asked,
            ended = process.wait() => panic!("{ended:?}"),
        };
        let latest = Duration::from_millis(asked_after + 2);
        let earliest = Duration::from_millis(asked_after) * 3 / 4;
        assert!((earliest..=latest).contains(&asked), "{takes:?}: {asked:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleared_environment_is_exactly_what_was_set() {
    let (agent, guest) = guest(SECOND, ended(0));
    let mut command = guest.command("sh");
    command
        .env("A", "1")
        .env("B", "=2")
        .env("A", "3")
        .env_clear();
    command.status().await.unwrap();
    assert_eq!(exec_arguments(&agent)["env"], json!(["B==2", "A=3"]));
    guest.command("sh").env_clear().status().await.unwrap_err();
    assert_eq!(exec_arguments(&agent)["env"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn variables_are_merged_by_env_in_the_guest() {
    let (agent, guest) = guest(SECOND, ended(0));
    guest
        .command("sh")
        .arg("-x")
        .env("A", "1 2")
        .status()
        .await
        .unwrap();
    let expected = json!({"path": "env", "arg": ["A=1 2", "sh", "-x"], "capture-output": false});
    assert_eq!(exec_arguments(&agent), expected);
}

#[tokio::test(start_paused = true)]
async fn what_env_would_mistake_is_not_sent() {
    let (agent, guest) = guest(SECOND, ended(0));
    for (program, name) in [
        ("a=b", "A"),
        ("-i", "A"),
        ("sh", "-A"),
        ("sh", "A=B"),
        ("sh", ""),
    ] {
        let error = guest
            .command(program)
            .env(name, "1")
            .status()
            .await
            .unwrap_err();
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_cut_if_the_agent_says_so_or_it_is_as_long_as_what_is_kept() {
    const KEPT: u64 = 16 * 1024 * 1024;
    // The first says false where it means true; the second says false for a stream that is whole.
    for profile in [Profile::Qemu10_0, Profile::Qemu11_1] {
        for (length, cut) in [(KEPT - 1, false), (KEPT, true), (KEPT + 1, true)] {
            let (agent, guest) = faults::reconnecting().await;
            agent.profile(profile);
            agent
                .program("zeros")
                .stdout_zeros(length)
                .stderr("e")
                .exit(0);
            let output = guest.command("zeros").output().await.unwrap();
            assert_eq!(output.truncated, cut, "{profile} {length}");
            assert_eq!(output.stdout.len() as u64, length.min(KEPT));
            assert_eq!(output.stderr_lossy(), "e");
        }
    }
    let said = json!({"exited": true, "exitcode": 0, "err-data": "aGk=", "err-truncated": true});
    let (_agent, guest) = guest(Duration::ZERO, said);
    assert!(guest.command("cat").output().await.unwrap().truncated);
}

#[tokio::test(start_paused = true)]
async fn no_way_to_run_a_program_sends_the_capture_modes_that_break_agents() {
    let (agent, guest) = faults::reconnecting().await;
    agent.program("job").runs(|_| sleeper());
    let mut command = guest.command("job");
    command.env("A", "1").timeout(SECOND).kill_on_drop(true);
    command.output().await.unwrap_err();
    command.timeout(60 * SECOND).output().await.unwrap();
    command.status().await.unwrap();
    let mut command = guest.command("job");
    command.env("A", "1");
    command.start().await.unwrap().kill().await.unwrap();
    command.spawn().await.unwrap().kill().await.unwrap();
    let sent = agent.requests_of("guest-exec");
    assert!(sent.len() >= 9, "{}", sent.len());
    for request in sent {
        let capture = &request.arguments["capture-output"];
        assert!(capture.is_boolean(), "{capture}");
    }
}

#[tokio::test(start_paused = true)]
async fn input_beyond_what_an_agent_takes_is_not_sent() {
    let (agent, guest) = guest(SECOND, ended(0));
    let mut command = guest.command("cat");
    command.stdin(vec![0; 48 * 1024 * 1024]);
    let outcomes = [
        command.output().await.unwrap_err(),
        command.start().await.unwrap_err(),
        command.spawn().await.unwrap_err(),
    ];
    for error in outcomes {
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    }
    assert!(agent.requests().is_empty());
}

/// A program that runs for 20 seconds.
fn sleeper() -> Script {
    Script::new()
        .stdout("begun ")
        .pause(20 * SECOND)
        .stdout("done")
        .exit(3)
}

/// Counts how often the program `job` is run.
fn counted(agent: &TestAgent, runs: &Arc<AtomicUsize>) {
    runs.store(0, Ordering::Relaxed);
    let runs = Arc::clone(runs);
    agent.program("job").runs(move |_| {
        runs.fetch_add(1, Ordering::Relaxed);
        sleeper()
    });
}

/// The result is right or lost, and the program has not run twice.
fn honest(context: &str, runs: &AtomicUsize, result: Result<Output, GuestError>) {
    let runs = runs.load(Ordering::Relaxed);
    assert!(runs <= 1, "{context}: it ran {runs} times");
    match result {
        Ok(output) => {
            assert_eq!(output.status.code(), Some(3), "{context}");
            assert_eq!(output.stdout_lossy(), "begun done", "{context}");
        }
        Err(error) if runs == 1 => {
            assert_eq!(error.execution(), Execution::MaybeRun, "{context}: {error}");
        }
        Err(_) => {}
    }
}

#[tokio::test(start_paused = true)]
async fn an_output_that_meets_any_fault_is_whole_or_an_error() {
    let runs = Arc::new(AtomicUsize::new(0));
    for kill in [false, true] {
        faults::at_every_message(
            100 * SECOND,
            |agent| counted(agent, &runs),
            async |guest| guest.command("job").kill_on_drop(kill).output().await,
            |_, context, result| honest(context, &runs, result),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_and_a_waiting_that_meet_any_fault_are_whole_or_an_error() {
    let runs = Arc::new(AtomicUsize::new(0));
    faults::at_every_message(
        100 * SECOND,
        |agent| counted(agent, &runs),
        async |guest| guest.command("job").start().await?.wait().await,
        |_, context, result| honest(context, &runs, result),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_meets_any_fault_has_killed_or_says_that_it_may_not_have() {
    faults::at_every_message(
        100 * SECOND,
        |agent| {
            agent.program("job").never_ends();
        },
        async |guest| {
            let mut process = guest.command("job").start().await?;
            process.kill().await?;
            process.wait().await
        },
        |agent, context, result| match result {
            Ok(output) => {
                assert_eq!(output.status.signal(), Some(9), "{context}");
                assert!(agent.running_processes().is_empty(), "{context}");
            }
            Err(_) => assert!(agent.running_processes().len() <= 1, "{context}"),
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_is_dropped_anywhere_leaves_the_guest_usable() {
    faults::dropped_at_every_poll(
        SECOND,
        |agent| {
            agent.program("job").never_ends();
        },
        async |guest| guest.command("job").start().await?.kill().await,
        async |agent, guest, context| {
            for pid in agent.running_processes() {
                let killed = guest.process(pid).kill().await;
                assert!(killed.is_ok(), "{context}: {killed:?}");
            }
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_program_whose_output_is_dropped_anywhere_is_killed_if_it_is_to_be() {
    for with_deadline in [false, true] {
        faults::dropped_at_every_poll(
            5 * SECOND,
            |agent| {
                agent.program("job").runs(|_| sleeper());
            },
            async |guest| {
                let mut command = guest.command("job");
                command.kill_on_drop(true);
                if with_deadline {
                    command.timeout(10 * SECOND);
                }
                command.output().await
            },
            async |agent, _, context| assert!(agent.running_processes().is_empty(), "{context}"),
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_whose_start_is_not_answered_in_time_is_killed_all_the_same() {
    let (agent, guest) = faults::reconnecting().await;
    agent.program("job").never_ends();
    agent
        .on("guest-exec")
        .expect(1)
        .fault(Fault::delay(3 * SECOND));
    let mut command = guest.command("job");
    command.kill_on_drop(true).timeout(SECOND);
    let error = command.output().await.unwrap_err();
    let unconfirmed = matches!(
        error,
        GuestError::TimedOut {
            pid: None,
            kill: KillOutcome::Unconfirmed,
            ..
        }
    );
    assert!(unconfirmed, "{error}");
    assert_eq!(agent.running_processes().len(), 1);
    tokio::time::sleep(5 * SECOND).await;
    assert!(agent.running_processes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_dropped_runs_on_unless_it_is_to_be_killed() {
    let (agent, guest) = faults::reconnecting().await;
    agent.program("job").runs(|_| sleeper());
    let command = guest.command("job");
    assert!(timeout(SECOND, command.output()).await.is_err());
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(agent.running_processes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_start_is_the_agents_error() {
    let (agent, guest) = guest(SECOND, ended(0));
    agent
        .on("guest-exec")
        .error("GenericError", "Failed to execute child process");
    let error = guest.command("nonesuch").output().await.unwrap_err();
    assert!(matches!(&error, GuestError::Command(error) if error.agent_error().is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_program_with_its_arguments_in_its_name_is_told_where_they_go() {
    let (_agent, guest) = faults::reconnecting().await;
    for program in ["ls -la", "ls\t-la", "/opt/my tool/bin"] {
        let outcomes = [
            guest.command(program).output().await.map(drop),
            guest.command(program).status().await.map(drop),
            guest.command(program).start().await.map(drop),
            guest
                .command(program)
                .kill_on_drop(true)
                .output()
                .await
                .map(drop),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("the guest has no program \""), "{text}");
            assert!(
                text.contains("if there are arguments in it, give each to `arg`: guest-exec: "),
                "{text}"
            );
            let said = error.command_error().unwrap().agent_error().unwrap();
            assert!(said.desc.contains("No such file or directory"), "{said}");
            assert_eq!(error.execution(), Execution::Answered);
        }
    }
    // A name without blanks, and a failure of another kind, are the agent's to explain.
    let error = guest.command("nonesuch").output().await.unwrap_err();
    assert!(matches!(error, GuestError::Command(_)), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_is_told_with_its_length() {
    let (_agent, guest) = faults::reconnecting().await;
    let mut command = guest.command("cat");
    let error = command.stdin(vec![0; 48 << 20]).output().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("67108870 bytes") && text.contains("67104768"),
        "{text}"
    );
    let error = guest.process(-7).kill().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "this cannot be done: a process has a positive number, and not -7"
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_reply_is_lost_is_not_sent_again() {
    let (agent, guest) = guest(SECOND, ended(0));
    agent.on("guest-exec").fault(Fault::no_answer());
    let error = guest.command("true").output().await.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_eq!(agent.requests_of("guest-exec").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_a_running_program_is_asked_for_again() {
    for fault in [Fault::no_answer(), Fault::garbage("?\n"), Fault::torn(5)] {
        let (agent, guest) = guest(20 * SECOND, ended(0));
        agent
            .on("guest-exec-status")
            .up_to(2)
            .expect(2)
            .fault(fault);
        assert!(guest.command("true").status().await.unwrap().success());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_last_answer_is_its_own_error() {
    for fault in [Fault::no_answer(), Fault::garbage("?\n"), Fault::torn(5)] {
        let (agent, guest) = guest(Duration::ZERO, ended(0));
        agent
            .on("guest-exec-status")
            .up_to(1)
            .expect(1)
            .fault(fault);
        let error = guest.command("true").status().await.unwrap_err();
        assert!(
            matches!(error, GuestError::ResultLost { pid: 7, .. }),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_gone_ends_the_waiting_with_the_processs_number() {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    agent.on("guest-exec-status").fault(Fault::close_before());
    let error = guest.command("true").status().await.unwrap_err();
    assert!(matches!(error, GuestError::Wait { pid: 7, .. }), "{error}");
    assert!(error.command_error().unwrap().is_closed());
}

#[cfg(unix)]
#[tokio::test]
async fn a_channel_that_comes_back_loses_nothing() {
    let agent = TestAgent::start().await;
    agent.on("guest-exec").reply(json!({"pid": 7}));
    agent.on("guest-exec-status").reply(ended(0));
    agent
        .on("guest-exec-status")
        .up_to(1)
        .expect(1)
        .with_fault(Fault::close_before())
        .reply(json!({"exited": false}));
    let guest = Guest::connect(agent.address()).await.unwrap();
    assert!(guest.command("true").status().await.unwrap().success());
}

#[tokio::test(start_paused = true)]
async fn an_attached_process_that_nobody_knows_is_not_a_lost_result() {
    let (_agent, guest) = guest(Duration::ZERO, ended(0));
    guest.process(7).wait().await.unwrap();
    let error = guest.process(7).wait().await.unwrap_err();
    assert!(matches!(error, GuestError::Wait { pid: 7, .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_program_is_detached_and_attached_again() {
    let (_agent, guest) = guest(3 * SECOND, ended(4));
    let pid = guest.command("sleep").start().await.unwrap().pid();
    let mut process = guest.process(pid);
    assert_eq!(process.try_wait().await.unwrap(), None);
    assert_eq!(process.wait().await.unwrap().status.code(), Some(4));
    let error = process.wait().await.unwrap_err();
    assert!(
        matches!(error, GuestError::ResultLost { pid: 7, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_leaves_the_program_running_unless_told_otherwise() {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    let start = Instant::now();
    let error = guest
        .command("sleep")
        .timeout(5 * SECOND)
        .output()
        .await
        .unwrap_err();
    assert!(start.elapsed() >= 5 * SECOND && start.elapsed() < 6 * SECOND);
    let GuestError::TimedOut {
        pid: Some(7),
        kill: KillOutcome::NotAsked,
        output: None,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(agent.requests_of("guest-exec").len(), 1);
    assert!(guest.process(7).wait().await.unwrap().status.success());
}

#[tokio::test(start_paused = true)]
async fn a_deadline_holds_for_a_start_that_is_not_answered() {
    let (agent, guest) = guest(SECOND, ended(0));
    agent.on("guest-exec").fault(Fault::no_answer());
    let error = guest
        .command("sleep")
        .timeout(SECOND)
        .output()
        .await
        .unwrap_err();
    assert!(
        matches!(error, GuestError::TimedOut { pid: None, .. }),
        "{error}"
    );
    assert_eq!(error.execution(), Execution::MaybeRun);
}

/// An agent in which process 7 runs until a killer, process 8, has been started.
fn guest_with_killer(killer: &Value, os: &str) -> (TestAgent, Guest) {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    agent.on("guest-get-osinfo").reply(json!({"id": os}));
    let dead = Arc::new(Mutex::new(false));
    let by = Arc::clone(&dead);
    let is_killer =
        |arguments: &Value| arguments["path"] == "sh" || arguments["path"] == "taskkill";
    agent.on("guest-exec").with(is_killer).reply_with(move |_| {
        *by.lock().unwrap() = true;
        json!({"pid": 8})
    });
    let killer = killer.clone();
    agent
        .on("guest-exec-status")
        .with(|arguments| arguments["pid"] == 8)
        .reply(killer);
    agent
        .on("guest-exec-status")
        .with(move |arguments| arguments["pid"] == 7 && *dead.lock().unwrap())
        .reply(json!({"exited": true, "signal": 9, "out-data": "aGk="}));
    (agent, guest)
}

async fn late(guest: &Guest) -> GuestError {
    let mut command = guest.command("sleep");
    command
        .timeout(5 * SECOND)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_late_program_is_killed_and_its_output_kept() {
    let (agent, guest) = guest_with_killer(&ended(0), "debian");
    let GuestError::TimedOut {
        kill: KillOutcome::Killed,
        output: Some(output),
        ..
    } = late(&guest).await
    else {
        panic!("not killed");
    };
    assert_eq!(
        (output.status.signal(), &*output.stdout),
        (Some(9), &b"hi"[..])
    );
    let arguments = exec_arguments(&agent);
    let script = arguments["arg"][1].as_str().unwrap();
    assert!(script.starts_with(": qga-kill 1\n"), "{script}");
    assert_eq!(arguments["arg"][3], "7");
}

#[tokio::test(start_paused = true)]
async fn a_late_program_in_windows_is_killed_by_taskkill() {
    let (agent, guest) = guest_with_killer(&ended(0), "mswindows");
    let error = late(&guest).await;
    assert!(
        matches!(
            error,
            GuestError::TimedOut {
                kill: KillOutcome::Killed,
                ..
            }
        ),
        "{error}"
    );
    let arguments = exec_arguments(&agent);
    assert_eq!(arguments["path"], "taskkill");
    assert_eq!(arguments["arg"], json!(["/F", "/T", "/PID", "7"]));
}

#[tokio::test(start_paused = true)]
async fn a_kill_that_fails_is_said_to_be_unconfirmed() {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    agent
        .on("guest-exec")
        .with(|arguments| arguments["path"] == "sh")
        .error("GenericError", "no");
    let error = late(&guest).await;
    let unconfirmed = matches!(
        error,
        GuestError::TimedOut {
            kill: KillOutcome::Unconfirmed,
            ..
        }
    );
    assert!(unconfirmed, "{error}");

    let (_agent, guest) = guest_with_killer(&ended(1), "debian");
    let error = guest.process(7).kill().await.unwrap_err();
    assert!(
        matches!(error, GuestError::KillFailed { pid: 7, .. }),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_falls_silent_does_not_hold_up_a_late_program_for_long() {
    let (agent, guest) = guest(60 * SECOND, ended(0));
    agent.on("guest-exec-status").fault(Fault::hang());
    let start = Instant::now();
    let error = late(&guest).await;
    let unconfirmed = matches!(
        error,
        GuestError::TimedOut {
            kill: KillOutcome::Unconfirmed,
            ..
        }
    );
    assert!(unconfirmed, "{error}");
    assert!(start.elapsed() <= 16 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ended_is_not_killed() {
    let (agent, guest) = guest(Duration::ZERO, ended(5));
    let mut process = guest.command("true").start().await.unwrap();
    process.kill().await.unwrap();
    assert_eq!(agent.requests_of("guest-exec").len(), 1);
    assert_eq!(process.wait().await.unwrap().status.code(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_that_is_cancelled_anywhere_leaves_the_guest_usable() {
    for polls in 0..40 {
        let (_agent, guest) = guest(SECOND, ended(0));
        let mut process = guest.command("true").start().await.unwrap();
        support::poll_times(process.wait(), polls).await;
        match process.wait().await {
            Ok(output) => assert!(output.status.success()),
            Err(GuestError::ResultLost { pid: 7, .. }) => {}
            Err(error) => panic!("after {polls} polls: {error}"),
        }
        guest
            .execute(qga_commands::commands::agent::Ping)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_future_of_an_output_may_move_to_another_thread() {
    fn check(_: impl Future<Output = Result<Output, GuestError>> + Send) {}
    let (_agent, guest) = guest(SECOND, ended(0));
    check(guest.command("true").output());
}

#[tokio::test(start_paused = true)]
async fn what_would_be_ignored_is_an_error_and_nothing_is_started() {
    let (agent, guest) = guest(SECOND, ended(0));
    let mut limited = guest.command("job");
    limited.timeout(SECOND);
    let mut killed = guest.command("job");
    killed.kill_on_drop(true);
    for (error, said) in [
        (limited.start().await.unwrap_err(), "a timeout is for"),
        (limited.spawn().await.unwrap_err(), "a timeout is for"),
        (
            killed.start().await.unwrap_err(),
            "leave out `kill_on_drop`",
        ),
    ] {
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(agent.requests_of("guest-exec").len(), 0);
}
