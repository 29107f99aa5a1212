//! Commands that come while a thaw is under way.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::commands::os::GetHostName;
use qga_commands::guest::HealthState;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::TestAgent;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

const FREEZE: &str = "guest-fsfreeze-freeze";
const THAW: &str = "guest-fsfreeze-thaw";
const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(TIMEOUT);
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

/// A guest whose thaw is refused for some seconds.
fn thaws_late(agent: &TestAgent) {
    // With pauses of 0.1, 0.2, 0.4, 0.8 and 1.6 seconds in between.
    agent.on(THAW).up_to(5).error("GenericError", "not yet");
}

/// Freezes, and drops the work.
async fn drop_while_frozen(guest: &Guest) {
    let work = guest.while_frozen(std::future::pending::<()>);
    timeout(SECOND, work).await.unwrap_err();
}

fn is_frozen(error: &GuestError) -> bool {
    matches!(error, GuestError::Frozen { .. }) && error.execution() == Execution::NotRun
}

#[tokio::test(start_paused = true)]
async fn after_a_dropped_freeze_the_next_command_waits_for_the_thaw() {
    for late in [false, true] {
        let (agent, guest) = guest();
        if late {
            thaws_late(&agent);
        }
        drop_while_frozen(&guest).await;
        assert!(agent.guest().frozen);
        guest.execute(GetHostName).await.unwrap();
        assert!(!agent.guest().frozen);
    }
}

#[tokio::test(start_paused = true)]
async fn so_does_each_way_to_ask_a_guest_for_something() {
    let (agent, guest) = guest();
    agent.file("/f", "x");
    agent.program("job").stdout("done").exit(0);
    let mut file = guest.open("/f").await.unwrap();
    let freeze = async || {
        thaws_late(&agent);
        drop(guest.freeze().await.unwrap());
    };
    freeze().await;
    guest.client().execute(GetHostName).await.unwrap();
    freeze().await;
    assert_eq!(file.read_u8().await.unwrap(), b'x');
    freeze().await;
    assert_eq!(guest.read("/f").await.unwrap(), b"x");
    freeze().await;
    guest.write("/g", "y").await.unwrap();
    freeze().await;
    let output = guest.command("job").output().await.unwrap();
    assert_eq!(output.stdout_lossy(), "done");
    freeze().await;
    let mut program = guest.command("job").start().await.unwrap();
    freeze().await;
    program.wait().await.unwrap();
    freeze().await;
    let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
    assert!(thawed.unwrap().is_complete());
    freeze().await;
    guest.clock_offset().await.unwrap();
    freeze().await;
    let folder = tempfile::tempdir().unwrap();
    agent.disable("guest-exec");
    guest.download("/f", folder.path().join("f")).await.unwrap();
    freeze().await;
    guest.shutdown().send().await.unwrap();
    assert!(!agent.guest().frozen);
}

#[tokio::test(start_paused = true)]
async fn what_runs_while_frozen_does_not_wait() {
    let (agent, guest) = guest();
    agent.on(THAW).error("GenericError", "no");
    drop(guest.freeze().await.unwrap());
    let start = Instant::now();
    guest.execute(Ping).await.unwrap();
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_stays_frozen_refuses_what_waits_after_its_own_time() {
    let (agent, guest) = guest();
    agent.on(THAW).error("GenericError", "no");
    drop_while_frozen(&guest).await;
    for _ in 0..2 {
        let start = Instant::now();
        let error = guest.execute(GetHostName).await.unwrap_err();
        assert!(is_frozen(&error), "{error}");
        assert_eq!(start.elapsed(), TIMEOUT);
        let error = guest.client().execute(GetHostName).await.unwrap_err();
        assert!(error.is_not_allowed(), "{error}");
        assert_eq!(start.elapsed(), 2 * TIMEOUT);
        let error = guest.freeze().await.unwrap_err();
        assert!(is_frozen(&error), "{error}");
        assert_eq!(start.elapsed(), 3 * TIMEOUT);
    }
    // Nor longer than until the deadline of the handle.
    let start = Instant::now();
    let error = guest.within(3 * SECOND).freeze().await.unwrap_err();
    assert!(is_frozen(&error), "{error}");
    let error = guest.within(3 * SECOND).execute(GetHostName).await;
    assert!(is_frozen(&error.unwrap_err()));
    assert_eq!(start.elapsed(), 6 * SECOND);
    assert!(agent.requests_of("guest-get-host-name").is_empty());
    assert_eq!(agent.requests_of(FREEZE).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_command_of_another_task_waits_for_a_thaw_that_is_under_way() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    thaws_late(&agent);
    let (thawed, named) = tokio::join!(frozen.thaw(), guest.execute(GetHostName));
    thawed.unwrap();
    named.unwrap();
}

#[tokio::test(start_paused = true)]
async fn while_the_work_goes_on_nothing_waits_for_its_end() {
    let (agent, guest) = guest();
    agent
        .on(THAW)
        .up_to(1)
        .expect(1)
        .error("GenericError", "no");
    let ((), thawed) = guest
        .while_frozen(async || {
            let start = Instant::now();
            let error = guest.execute(GetHostName).await.unwrap_err();
            assert!(is_frozen(&error), "{error}");
            let error = guest.freeze().await.unwrap_err();
            assert!(is_frozen(&error), "{error}");
            assert_eq!(start.elapsed(), Duration::ZERO);
        })
        .await
        .unwrap();
    thawed.unwrap();
}

/// The clean-ups have begun when the freeze comes in between.
#[tokio::test(start_paused = true)]
async fn a_freeze_in_the_middle_of_a_clean_up_is_waited_out() {
    for streams in [false, true] {
        for steps in 0..12 {
            let (agent, guest) = guest();
            agent.program("job").never_ends();
            let mut job = guest.command("job");
            job.kill_on_drop(true);
            if streams {
                drop(job.spawn().await.unwrap());
            } else {
                timeout(SECOND, job.output()).await.unwrap_err();
            }
            for _ in 0..steps {
                tokio::task::yield_now().await;
            }
            let frozen = guest.freeze().await.unwrap();
            sleep(30 * SECOND).await;
            frozen.thaw().await.unwrap();
            sleep(10 * SECOND).await;
            assert!(agent.running_processes().is_empty(), "{streams} {steps}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_waits_for_a_thaw_can_be_dropped() {
    let (agent, guest) = guest();
    thaws_late(&agent);
    drop_while_frozen(&guest).await;
    let hasty = timeout(SECOND / 10, guest.execute(GetHostName));
    hasty.await.unwrap_err();
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(agent.requests_of("guest-get-host-name").len(), 1);
}
