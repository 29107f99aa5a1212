//! Programs whose output is read while they run, with an agent that goes wrong at every message.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use crate::support::faults::{at_every_message, dropped_at_every_poll, reconnecting};
use qga_commands::commands::agent::Ping;
use qga_commands::{Guest, GuestError};
use qga_core::Execution;
use qga_testserver::{Fault, Profile, Script, TestAgent};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::{Instant, timeout};

use crate::support;

const SECOND: Duration = Duration::from_secs(1);
const LIMIT: usize = 1024;

/// A program that prints something every other second.
fn job() -> Script {
    let script = Script::new().stdout("one ").pause(2 * SECOND);
    let script = script.stderr("oops").pause(2 * SECOND);
    script.stdout("two").pause(SECOND).exit(3)
}

/// The same with fewer messages.
fn quick_job() -> Script {
    let script = Script::new().stdout("one ").pause(SECOND / 10);
    let script = script.stderr("oops").pause(SECOND / 10);
    script.stdout("two").pause(SECOND / 20).exit(3)
}

/// The folders that were to be made in the guest.
fn folders(agent: &TestAgent) -> Vec<String> {
    let requests = agent.requests_of("guest-exec");
    let words = requests
        .iter()
        .flat_map(|request| request.arguments["arg"].as_array().into_iter().flatten());
    let words = words.filter_map(Value::as_str);
    let folders = words.filter(|word| word.contains("tmp/qga-"));
    folders.map(str::to_owned).collect()
}

/// Nothing of a streamed program is left in the guest, but for handles whose number was lost.
fn assert_clean(agent: &TestAgent, lost: usize, context: &str) {
    for folder in folders(agent) {
        for file in ["out", "err"] {
            let left = agent.file_content(&format!("{folder}/{file}"));
            assert_eq!(left, None, "{context}: {folder}/{file}");
        }
    }
    let open = agent.open_handles();
    assert!(open.len() <= lost, "{context}: {open:?} are open");
}

#[tokio::test(start_paused = true)]
async fn output_is_there_while_the_program_runs() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let start = Instant::now();
    let mut child = guest.command("job").spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut one = [0; 4];
    stdout.read_exact(&mut one).await.unwrap();
    assert_eq!(&one, b"one ");
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
    assert_eq!(child.try_wait().await.unwrap(), None);
    assert_eq!(agent.running_processes(), [child.pid()]);
    let errors = tokio::spawn(async move {
        let mut text = String::new();
        stderr.read_to_string(&mut text).await.map(|_| text)
    });
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "two");
    assert!(start.elapsed() < 7 * SECOND, "{:?}", start.elapsed());
    assert_eq!(errors.await.unwrap().unwrap(), "oops");
    for _ in 0..2 {
        assert_eq!(child.wait().await.unwrap().code(), Some(3));
    }
    assert_eq!(stdout.read(&mut one).await.unwrap(), 0);
    assert_clean(&agent, 0, "after the end");
    assert_eq!(support::requests_of(&agent, "guest-file-close").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_nobody_reads_comes_to_its_end() {
    let (agent, guest) = reconnecting().await;
    let bytes: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    agent.program("job").stdout(&bytes).exit(4);
    let mut child = guest.command("job").spawn().await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(4));
    let output = child.wait_with_output(bytes.len()).await.unwrap();
    assert!(output.stdout == bytes && output.stderr.is_empty());
    assert_eq!(output.status.code(), Some(4));
    assert_clean(&agent, 0, "after the end");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_polled_holds_up_nobody() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let mut child = guest.command("job").spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut bytes = [0; 100];
    let mut buffer = ReadBuf::new(&mut bytes);
    let first = poll_fn(|cx| {
        Poll::Ready(
            Pin::new(&mut stdout)
                .poll_read(cx, &mut buffer)
                .is_pending(),
        )
    });
    assert!(first.await);
    for _ in 0..20 {
        timeout(SECOND, guest.execute(Ping)).await.unwrap().unwrap();
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(3));
    let mut text = String::new();
    stdout.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "one two");
}

#[tokio::test(start_paused = true)]
async fn dropped_streams_are_closed_and_a_dropped_child_runs_on() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let mut child = guest.command("job").spawn().await.unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut bytes = [0; 100];
    stdout.read_exact(&mut bytes[..4]).await.unwrap();
    assert!(timeout(SECOND, stdout.read(&mut bytes)).await.is_err());
    let pid = child.pid();
    drop((child, stdout));
    tokio::time::sleep(SECOND).await;
    guest.execute(Ping).await.unwrap();
    assert_clean(&agent, 0, "after the drop");
    assert_eq!(agent.running_processes(), [pid]);
    let ended = guest.process(pid).wait().await.unwrap();
    assert_eq!(ended.status.code(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_that_is_dropped_anywhere_does_not_lose_the_end() {
    for polls in 0.. {
        let (agent, guest) = reconnecting().await;
        agent.program("job").pause(SECOND / 100).exit(3);
        let mut child = guest.command("job").spawn().await.unwrap();
        let ended = support::poll_times(child.wait(), polls).await.is_some();
        let status = child.wait().await.unwrap();
        assert_eq!(status.code(), Some(3), "after {polls} polls");
        if ended {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_is_dropped_anywhere_loses_no_bytes() {
    for polls in 0.. {
        let (agent, guest) = reconnecting().await;
        agent.program("job").runs(|_| job());
        let mut child = guest.command("job").spawn().await.unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut read = vec![0; 5];
        let first = support::poll_times(stdout.read(&mut read), polls).await;
        let length = first.as_ref().map_or(0, |read| *read.as_ref().unwrap());
        read.truncate(length);
        stdout.read_to_end(&mut read).await.unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), "one two");
        if first.is_some() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_child_wrote_last_is_read_whoever_learns_its_end() {
    for pause in 1..40 {
        let (agent, guest) = reconnecting().await;
        let pause = Duration::from_millis(pause);
        let program = agent.program("job").stdout("one ").pause(pause);
        program.stdout("two").exit(3);
        let mut child = guest.command("job").spawn().await.unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let reading = tokio::spawn(async move {
            let mut text = String::new();
            stdout.read_to_string(&mut text).await.map(|_| text)
        });
        while child.try_wait().await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(reading.await.unwrap().unwrap(), "one two");
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_child_ends_its_streams_after_what_it_wrote() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").stdout("begun").never_ends();
    let mut child = guest.command("job").spawn().await.unwrap();
    child.kill().await.unwrap();
    child.kill().await.unwrap();
    let output = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(output.status.signal(), Some(9));
    assert_eq!(output.stdout_lossy(), "begun");
    assert_clean(&agent, 0, "after the kill");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_dropped_while_the_guest_is_frozen_is_killed_after_the_thaw() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").never_ends();
    let mut command = guest.command("job");
    let child = command.kill_on_drop(true).spawn().await.unwrap();
    let frozen = guest.freeze().await.unwrap();
    drop(child);
    tokio::time::sleep(30 * SECOND).await;
    assert_eq!(agent.running_processes().len(), 1);
    frozen.thaw().await.unwrap();
    tokio::time::sleep(20 * SECOND).await;
    assert!(agent.running_processes().is_empty());
    guest.execute(Ping).await.unwrap();
    assert_clean(&agent, 0, "after the thaw");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_writes_too_much_is_an_error_and_killed_if_it_is_to_be() {
    for kill in [false, true] {
        let (agent, guest) = reconnecting().await;
        agent.program("job").stdout("12345").never_ends();
        let mut command = guest.command("job");
        let child = command.kill_on_drop(kill).spawn().await.unwrap();
        let error = child.wait_with_output(4).await.unwrap_err();
        let too_much = matches!(error, GuestError::TooMuchOutput { limit: 4, .. });
        assert!(too_much, "{error}");
        tokio::time::sleep(20 * SECOND).await;
        guest.execute(Ping).await.unwrap();
        assert_eq!(agent.running_processes().is_empty(), kill);
        assert_clean(&agent, 0, "after too much");
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_found_is_exit_code_127() {
    let (_agent, guest) = reconnecting().await;
    let child = guest.command("nonesuch").spawn().await.unwrap();
    let output = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(output.status.code(), Some(127));
    assert!(output.stderr_lossy().contains("nonesuch"));
}

#[tokio::test(start_paused = true)]
async fn input_and_variables_arrive() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|call| {
        let env = call.env.clone().unwrap_or_default().join(",");
        let stdin = String::from_utf8_lossy(&call.stdin).into_owned();
        Script::new().stdout(format!("{}|{env}|{stdin}", call.args.join(",")))
    });
    let mut command = guest.command("job");
    command.args(["a", "b c"]).env("A", "1").stdin("in");
    for clear in [false, true] {
        if clear {
            command.env_clear();
        }
        let child = command.spawn().await.unwrap();
        let output = child.wait_with_output(LIMIT).await.unwrap();
        assert_eq!(output.stdout_lossy(), "a,b c|A=1|in");
        let requests = agent.requests_of("guest-exec");
        let sent = &requests.last().unwrap().arguments;
        assert_eq!(sent.get("env"), clear.then(|| json!(["A=1"])).as_ref());
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_var_tmp_has_its_files_in_tmp() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let in_var = |arguments: &Value| arguments["arg"][2].as_str().unwrap().starts_with("/var");
    agent.on("guest-exec").with(in_var).reply(json!({"pid": 7}));
    let failed = json!({"exited": true, "exitcode": 1});
    let seven = |arguments: &Value| arguments["pid"] == 7;
    agent.on("guest-exec-status").with(seven).reply(failed);
    let child = guest.command("job").spawn().await.unwrap();
    let output = child.wait_with_output(LIMIT).await.unwrap();
    assert_eq!(output.stdout_lossy(), "one two");

    agent.on("guest-exec").reply(json!({"pid": 7}));
    let error = guest.command("job").spawn().await.unwrap_err();
    assert!(matches!(error, GuestError::NoOutputFiles(_)), "{error}");
    assert_eq!(error.execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn a_guest_without_a_shell_is_told_from_one_that_cannot_start_it_now() {
    let missing =
        "Failed to execute child process \u{201c}/bin/sh\u{201d} (No such file or directory)";
    for (profile, refused, has_shell) in [
        (Profile::Windows, "Failed to execute child process", false),
        (Profile::Qemu10_0, missing, false),
        (
            Profile::Qemu10_0,
            "Failed to fork (Cannot allocate memory)",
            true,
        ),
    ] {
        let (agent, guest) = reconnecting().await;
        agent.profile(profile);
        agent.on("guest-exec").error("GenericError", refused);
        let error = guest.command("job").spawn().await.unwrap_err();
        assert_eq!(matches!(error, GuestError::Unsupported(_)), !has_shell);
        let refused = matches!(&error, GuestError::Command(error) if error.agent_error().is_some());
        assert_eq!(refused, has_shell, "{error}");
        assert!(agent.requests_of("guest-file-open").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_sends_more_than_was_asked_for_is_an_error() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let mut child = guest.command("job").spawn().await.unwrap();
    let data = "AAAA".repeat(200_000);
    let much = json!({"count": 600_000, "buf-b64": data, "eof": false});
    agent.on("guest-file-read").reply(much);
    let mut stdout = child.stdout.take().unwrap();
    let error = stdout.read(&mut [0; 10]).await.unwrap_err();
    assert!(error.get_ref().unwrap().is::<GuestError>(), "{error}");
    // An end that is no end: without a code and a signal.
    agent.on("guest-exec-status").reply(json!({"exited": true}));
    let status = child.wait().await.unwrap();
    assert_eq!(
        (status.code(), status.signal(), status.success()),
        (None, None, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_restarted_agent_has_lost_the_child() {
    let (agent, guest) = reconnecting().await;
    agent.program("job").runs(|_| job());
    let mut child = guest.command("job").spawn().await.unwrap();
    agent.fault(Fault::restart());
    drop(guest.execute(Ping).await);
    let error = child.wait().await.unwrap_err();
    assert!(error.is_agent_gone(), "{error}");
    let mut stdout = child.stdout.take().unwrap();
    let error = stdout.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StaleNetworkFileHandle);
}

async fn stream(guest: &Guest) -> Result<(Vec<u8>, Vec<u8>, Option<i64>), GuestError> {
    let mut command = guest.command("job");
    let child = command.kill_on_drop(true).spawn().await?;
    let output = child.wait_with_output(LIMIT).await?;
    Ok((output.stdout, output.stderr, output.status.code()))
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_meets_any_fault_is_whole_or_an_error() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    at_every_message(
        300 * SECOND,
        |agent| {
            runs.store(0, Ordering::Relaxed);
            let counted = Arc::clone(&counted);
            agent.program("job").runs(move |_| {
                counted.fetch_add(1, Ordering::Relaxed);
                quick_job()
            });
        },
        async |guest| {
            let result = stream(guest).await;
            // What goes on in the background comes to its end, and the next command closes files.
            tokio::time::sleep(60 * SECOND).await;
            let _ = guest.execute(Ping).await;
            let _ = guest.execute(Ping).await;
            result
        },
        |agent, context, result| {
            let runs = runs.load(Ordering::Relaxed);
            assert!(runs <= 1, "{context}: it ran {runs} times");
            match result {
                Ok(output) => {
                    let whole = (b"one two".to_vec(), b"oops".to_vec(), Some(3));
                    assert_eq!(output, whole, "{context}");
                }
                Err(error) if runs == 1 => {
                    assert_eq!(error.execution(), Execution::MaybeRun, "{context}: {error}");
                }
                Err(_) => {}
            }
            assert_clean(agent, 1, context);
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_anywhere_leaves_nothing_in_the_guest() {
    dropped_at_every_poll(
        60 * SECOND,
        |agent| {
            agent.program("job").runs(|_| quick_job());
        },
        stream,
        async |agent, guest, context| {
            guest.execute(Ping).await.unwrap();
            assert_clean(agent, 0, context);
            assert!(agent.running_processes().is_empty(), "{context}");
        },
    )
    .await;
}
