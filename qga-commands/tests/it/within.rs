//! One deadline for several operations, connecting included.

use std::time::Duration;

use qga_commands::guest::power::Outcome;
use qga_commands::guest::ready::Ready;
use qga_commands::{Guest, GuestError};
use qga_core::{Execution, Options};
use qga_testserver::{Fault, TestAgent};
use tokio::time::{Instant, sleep};

const MINUTE: Duration = Duration::from_secs(60);
/// What may pass beyond the deadline: a pause that is under way.
const A_MOMENT: Duration = Duration::from_millis(10);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(MINUTE * 5);
    (agent, Guest::builder().options(options).build(stream))
}

#[tokio::test(start_paused = true)]
async fn operations_share_a_deadline_and_the_command_that_hangs_is_named() {
    let (agent, guest) = guest();
    let slow = Fault::delay(Duration::from_secs(25));
    agent.on("guest-get-host-name").fault(slow.clone());
    agent.on("guest-get-osinfo").fault(slow.clone());
    agent.on("guest-get-fsinfo").fault(slow);
    let limited = guest.within(MINUTE);
    let start = Instant::now();
    limited.host_name().await.unwrap();
    limited.os_info().await.unwrap();
    let error = limited.filesystems().await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 60);
    assert!(error.is_deadline() && error.is_timeout(), "{error:?}");
    let text = "guest-get-fsinfo: no reply within 10s, which were left until the deadline";
    assert!(error.to_string().starts_with(text), "{error}");
    let error = limited.disks().await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(agent.requests_of("guest-get-disks").is_empty());
    guest.disks().await.unwrap();
}

/// Runs an operation in a minute that would go on for longer, and returns its error.
async fn cut_off<T>(
    operation: impl AsyncFn(Guest) -> Result<T, GuestError>,
    agent: &Guest,
) -> GuestError {
    let start = Instant::now();
    let error = operation(agent.within(MINUTE)).await.err().unwrap();
    let took = start.elapsed();
    assert!(took <= MINUTE + A_MOMENT, "{took:?}: {error}");
    assert!(error.is_deadline() && error.is_timeout(), "{error:?}");
    error
}

#[tokio::test(start_paused = true)]
async fn a_program_that_does_not_end_is_waited_for_until_the_deadline() {
    let (agent, guest) = guest();
    agent.program("backup").never_ends();
    let error = guest
        .within(MINUTE)
        .command("backup")
        .output()
        .await
        .unwrap_err();
    assert!(
        matches!(error, GuestError::Wait { .. }) && error.is_deadline(),
        "{error:?}"
    );
    let wait = async |guest: Guest| guest.command("backup").start().await?.wait().await;
    let error = cut_off(wait, &guest).await;
    let text = error.to_string();
    assert!(
        text.contains("may still run") && text.contains("guest-exec-status"),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_become_ready_is_waited_for_until_the_deadline() {
    let (_agent, guest) = guest();
    let ready = Ready::ping()
        .then(|guest| async move { Ok(guest.read("/none").await.map(drop)?) })
        .timeout(MINUTE * 60);
    let wait = async |guest: Guest| guest.wait_ready(&ready).await;
    let start = Instant::now();
    let error = wait(guest.within(MINUTE)).await.unwrap_err();
    assert!(start.elapsed() <= MINUTE + A_MOMENT);
    assert!(
        error.is_timeout() && error.to_string().contains("guest-file-open"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_copy_and_a_trim_end_at_the_deadline() {
    let (agent, guest) = guest();
    agent.disable("guest-exec");
    agent.file("/tmp/file", "x");
    agent.on("guest-file-read").fault(Fault::garbage("?\n"));
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("file");
    let limited = guest.within(Duration::from_secs(1));
    let start = Instant::now();
    let error = limited.download("/tmp/file", &local).await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
    agent.on("guest-fstrim").fault(Fault::no_answer());
    cut_off(async |guest| guest.fstrim().await, &guest).await;
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_watched_until_the_deadline() {
    let (agent, guest) = guest();
    agent.edit_guest(|guest| guest.reboot_milliseconds = 3_600_000);
    let start = Instant::now();
    let reboot = guest.within(MINUTE).reboot().timeout(MINUTE * 10);
    assert_eq!(reboot.await.unwrap(), Outcome::Silent);
    assert!(
        start.elapsed() <= MINUTE + Duration::from_secs(3),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passes_while_frozen_does_not_keep_the_guest_frozen() {
    let (agent, guest) = guest();
    let limited = guest.within(MINUTE);
    let work = async || sleep(MINUTE * 2).await;
    let ((), thawed) = limited.while_frozen(work).await.unwrap();
    assert!(thawed.unwrap().is_complete() && !agent.guest().frozen);

    let frozen = guest.within(MINUTE).freeze().await.unwrap();
    sleep(MINUTE * 2).await;
    drop(frozen);
    sleep(Duration::from_secs(1)).await;
    assert!(!agent.guest().frozen);

    // The freeze itself is cut off, and is carried out afterwards.
    agent
        .on("guest-fsfreeze-freeze")
        .fault(Fault::delay(MINUTE * 2));
    let error = guest.within(MINUTE).freeze().await;
    drop(error);
    sleep(MINUTE * 10).await;
    assert!(!agent.guest().frozen);
    guest.host_name().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_to_be_killed_is_killed_after_the_deadline() {
    let (agent, guest) = guest();
    agent.program("backup").never_ends();
    let limited = guest.within(MINUTE);
    let mut command = limited.command("backup");
    let error = command.kill_on_drop(true).output().await.unwrap_err();
    let GuestError::Wait { pid, .. } = error else {
        panic!("{error:?}");
    };
    sleep(Duration::from_secs(5)).await;
    let mut killers = agent.requests_of("guest-exec").into_iter();
    let pid = serde_json::json!(pid.to_string());
    let killed = killers.any(|request| request.arguments["arg"][3] == pid);
    assert!(killed, "{:?}", agent.requests_of("guest-exec"));
}

#[tokio::test(start_paused = true)]
async fn connecting_counts_and_the_guest_that_it_gives_keeps_the_deadline() {
    let agent = std::sync::Arc::new(TestAgent::in_memory().0);
    let builder = Guest::builder().within(MINUTE);
    let open = {
        let agent = agent.clone();
        move || {
            let stream = agent.connect();
            async move {
                sleep(Duration::from_secs(4)).await;
                Ok(stream)
            }
        }
    };
    let guest = builder.connect_with(open).await.unwrap();
    agent.on("guest-get-osinfo").fault(Fault::no_answer());
    let start = Instant::now();
    sleep(Duration::from_secs(50)).await;
    let error = guest.os_info().await.unwrap_err();
    assert!(error.is_deadline(), "{error:?}");
    assert_eq!(start.elapsed().as_secs(), 56);
}

#[test]
fn the_builder_of_a_guest_has_every_setting_of_a_clients() {
    let methods = |text: &str| {
        let public = text.lines().filter_map(|line| {
            let line = line.trim_start().strip_prefix("pub ")?;
            let line = line.strip_prefix("async ").unwrap_or(line);
            let name = line.strip_prefix("fn ")?.split(['(', '<']).next()?;
            Some(name.to_owned())
        });
        public.collect::<std::collections::BTreeSet<_>>()
    };
    let client = methods(include_str!("../../../qga-core/src/client/builder.rs"));
    let guest = methods(include_str!("../../src/guest/builder.rs"));
    assert!(client.len() > 8);
    assert_eq!(client, guest);
}

#[tokio::test]
async fn a_guest_says_what_it_is() {
    let (agent, guest) = guest();
    assert_eq!(guest.host_name().await.unwrap(), agent.guest().host_name);
    let os = guest.os_info().await.unwrap();
    assert_eq!(os.id.as_deref(), Some("debian"));
}
