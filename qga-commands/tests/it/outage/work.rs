//! What is undone, waited for and copied while the channel is away.

use qga_commands::commands::os::GetHostName;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, Script, TestAgent};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

use super::{
    MINUTE, REFUSED, SECOND, SILENT, heals_after, trip_the_pause, trip_the_pause_of,
    with_long_pauses,
};
use crate::support::faults::{TIMEOUT, lose, over_a_line, over_a_line_by};

const FREEZE: &str = "guest-fsfreeze-freeze";

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_while_frozen_ends_the_thaw_at_once() {
    let (agent, stream) = TestAgent::in_memory();
    let guest = Guest::new(Client::new(stream));
    let frozen = guest.freeze().await.unwrap();
    drop(agent);
    let start = Instant::now();
    let error = frozen.thaw().await.unwrap_err();
    assert!(matches!(error, GuestError::MaybeFrozen { .. }), "{error}");
    sleep(SECOND).await;
    let error = guest.execute(GetHostName).await.unwrap_err();
    assert!(error.command_error().unwrap().is_permanent(), "{error}");
    assert!(start.elapsed() < 2 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_thaw_waits_for_a_channel_that_is_away_and_through_a_pause() {
    let (agent, line, guest) = with_long_pauses().await;
    let frozen = guest.freeze().await.unwrap();
    trip_the_pause(&agent, &line, &guest).await;
    drop(frozen);
    heals_after(&line, 200 * SECOND).await;
    sleep(10 * SECOND).await;
    assert!(!agent.guest().frozen);
    let frozen = guest.freeze().await.unwrap();
    trip_the_pause(&agent, &line, &guest).await;
    let (thawed, ()) = tokio::join!(frozen.thaw(), heals_after(&line, 30 * SECOND));
    assert!(thawed.unwrap().is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_thaw_has_the_time_that_it_needs_whatever_the_handle_has() {
    let (agent, stream) = TestAgent::in_memory();
    let client = Client::new(stream);
    let options = client.options().timeout(SECOND / 20);
    let hasty = Guest::new(client.with_options(options));
    let frozen = hasty.freeze().await.unwrap();
    agent.fault(Fault::delay(SECOND).always());
    drop(frozen);
    sleep(30 * SECOND).await;
    assert!(!agent.guest().frozen);
    assert_eq!(agent.requests_of("guest-fsfreeze-thaw").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_silent_for_minutes_is_thawed_when_it_answers_again() {
    for at in [FREEZE, "guest-fsfreeze-thaw"] {
        let (agent, line, guest) = over_a_line().await;
        agent.on(at).up_to(1).expect(1).fault(Fault::close_before());
        line.becomes(SILENT);
        let task = tokio::spawn(async move { guest.while_frozen(async || ()).await });
        heals_after(&line, 300 * SECOND).await;
        sleep(30 * SECOND).await;
        assert!(!agent.guest().frozen, "{at}");
        assert_eq!(agent.requests_of(FREEZE).len(), 1, "{at}");
        drop(task.await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_is_waited_for_through_a_pause() {
    let (agent, line, guest) = over_a_line_by(Client::builder().pauses(20 * SECOND..=MINUTE)).await;
    let job = Script::new().stdout("done").pause(50 * SECOND).exit(3);
    agent.program("job").runs(move |_| job.clone());
    let mut process = guest.command("job").start().await.unwrap();
    let (output, ()) = tokio::join!(process.wait(), async {
        sleep(5 * SECOND).await;
        trip_the_pause(&agent, &line, &guest).await;
        line.heals();
    });
    assert_eq!(output.unwrap().status.code(), Some(3));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_dropped_while_the_channel_is_away_is_killed_when_it_is_back() {
    for spawns in [false, true] {
        let (agent, line, guest) = with_long_pauses().await;
        agent.program("job").never_ends();
        let mut job = guest.command("job");
        job.kill_on_drop(true);
        if spawns {
            let child = job.spawn().await.unwrap();
            trip_the_pause(&agent, &line, &guest).await;
            drop(child);
        } else {
            let output = async { timeout(SECOND, job.output()).await };
            let (output, ()) = tokio::join!(output, async {
                sleep(SECOND / 2).await;
                trip_the_pause(&agent, &line, &guest).await;
            });
            output.unwrap_err();
        }
        heals_after(&line, 70 * SECOND).await;
        assert_eq!(agent.running_processes().len(), 1);
        sleep(10 * SECOND).await;
        assert!(agent.running_processes().is_empty(), "{spawns}");
    }
}

/// Whether the folder for a program's output was removed.
fn are_output_files_removed(agent: &TestAgent) -> bool {
    let mut scripts = agent.requests_of("guest-exec").into_iter();
    scripts.any(|script| {
        let text = script.arguments["arg"][1].as_str();
        text.is_some_and(|text| text.contains("qga-remove-streams"))
    })
}

#[tokio::test(start_paused = true)]
async fn what_a_start_leaves_behind_while_the_channel_is_away_is_removed_when_it_is_back() {
    let (agent, line, guest) = with_long_pauses().await;
    agent.program("job").exit(0);
    // The folder is made, and the channel is lost before the program is started.
    agent.fault(Fault::close_before().on_reply(3));
    line.becomes(REFUSED);
    let patient = Guest::new(guest.client().with_options(Options::new()));
    patient.command("job").spawn().await.unwrap_err();
    trip_the_pause_of(&guest).await;
    heals_after(&line, 200 * SECOND).await;
    assert!(!are_output_files_removed(&agent));
    sleep(10 * SECOND).await;
    assert!(are_output_files_removed(&agent));
}

/// The killer may hang in the guest, and nobody asks for ever.
#[tokio::test(start_paused = true)]
async fn a_kill_in_the_background_that_does_not_come_to_its_end_is_given_up() {
    let (agent, _, guest) = over_a_line().await;
    agent.program("job").never_ends();
    agent.program("sh").never_ends();
    let mut job = guest.command("job");
    job.kill_on_drop(true);
    timeout(SECOND, job.output()).await.unwrap_err();
    sleep(20 * MINUTE).await;
    let asked = agent.requests().len();
    sleep(20 * MINUTE).await;
    assert_eq!(agent.requests().len(), asked);
}

#[test]
fn a_stream_whose_runtime_has_ended_has_not_come_to_its_end() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap()
    };
    let first = runtime();
    let (agent, mut stdout) = first.block_on(async {
        let (agent, stream) = TestAgent::in_memory();
        agent.program("job").never_ends();
        let guest = Guest::new(Client::new(stream));
        let mut child = guest.command("job").spawn().await.unwrap();
        let mut stdout = child.stdout.take().unwrap();
        timeout(SECOND, stdout.read_u8()).await.unwrap_err();
        (agent, stdout)
    });
    drop(first);
    runtime().block_on(async {
        for _ in 0..3 {
            let mut buffer = [0; 16];
            let error = stdout.read(&mut buffer).await.unwrap_err();
            let error = error.get_ref().unwrap().downcast_ref().unwrap();
            assert!(matches!(error, GuestError::Stopped), "{error}");
        }
    });
    drop(agent);
}

#[tokio::test(start_paused = true)]
async fn a_copy_waits_through_a_pause() {
    let (agent, line, guest) = with_long_pauses().await;
    agent.disable("guest-exec");
    agent.file("/f", vec![7; 600_000]);
    trip_the_pause(&agent, &line, &guest).await;
    line.heals();
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("f");
    guest.download("/f", &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap().len(), 600_000);
    trip_the_pause(&agent, &line, &guest).await;
    line.heals();
    guest.upload(&to, "/g").await.unwrap();
    assert_eq!(agent.file_content("/g").unwrap().len(), 600_000);
}

#[tokio::test(start_paused = true)]
async fn a_silent_guest_ends_what_is_asked_of_it_with_what_is_true() {
    let (agent, line, guest) = over_a_line().await;
    agent.file("/f", "x");
    lose(&agent, &line, &guest, SILENT).await;
    let start = Instant::now();
    for _ in 0..6 {
        let error = guest.read("/f").await.unwrap_err();
        let error = error.command_error().unwrap();
        assert_eq!(error.stage(), qga_core::Stage::Sync, "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
    assert!(start.elapsed() <= 6 * TIMEOUT);
    let options = Options::new().timeout(2 * MINUTE).wait_for_channel(true);
    let patient = Guest::new(guest.client().with_options(options));
    let (read, ()) = tokio::join!(patient.read("/f"), heals_after(&line, 70 * SECOND));
    assert_eq!(read.unwrap(), b"x");
}
