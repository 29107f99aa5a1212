//! What is asked only to know more never keeps what was asked for from being done.

use std::time::Duration;

use qga_commands::capabilities::{Capabilities, Refusal};
use qga_commands::commands::agent::Ping;
use qga_commands::commands::cpu::GuestLogicalProcessor;
use qga_commands::guest::HealthState;
use qga_commands::guest::ready::Ready;
use qga_commands::{Guest, GuestError};
use qga_core::Client;
use qga_testserver::{Fault, Profile, TestAgent};
use serde_json::json;
use tokio::time::Instant;

/// Long before the 30 seconds that a command has.
const SHORT: Duration = Duration::from_secs(12);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoilt {
    Silence,
    Garbage,
    Torn,
    AnotherShape,
    Failure,
    Refusal,
    OldRefusal,
}

const SPOILT: [Spoilt; 7] = [
    Spoilt::Silence,
    Spoilt::Garbage,
    Spoilt::Torn,
    Spoilt::AnotherShape,
    Spoilt::Failure,
    Spoilt::Refusal,
    Spoilt::OldRefusal,
];

impl Spoilt {
    fn mount(self, agent: &TestAgent, command: &str) {
        let on = agent.on(command);
        match self {
            Self::Silence => on.fault(Fault::no_answer()),
            Self::Garbage => on.fault(Fault::garbage("?\n")),
            Self::Torn => on.fault(Fault::torn(5)),
            Self::AnotherShape => on.reply(json!([{"not": "this"}])),
            Self::Failure => on.error("GenericError", "it broke"),
            Self::Refusal => {
                let text = format!("The command {command} has not been found");
                on.error("CommandNotFound", &text);
            }
            Self::OldRefusal => {
                let text = format!("The command {command} has been disabled for this instance");
                on.error("GenericError", &text);
            }
        }
    }
}

/// Runs an operation with a question spoilt in each way, and looks whether it was done.
async fn with_each<T>(
    commands: &[&str],
    operation: impl AsyncFn(&TestAgent, &Guest) -> Result<T, GuestError>,
    is_done: impl Fn(&TestAgent, T) -> bool,
) {
    for command in commands {
        for spoilt in SPOILT {
            let context = format!("{command}: {spoilt:?}");
            let (agent, guest) = guest();
            guest.execute(Ping).await.unwrap();
            spoilt.mount(&agent, command);
            let start = Instant::now();
            let done = operation(&agent, &guest).await;
            let done = done.unwrap_or_else(|error| panic!("{context}: {error:?}"));
            assert!(is_done(&agent, done), "{context}");
            assert!(start.elapsed() < SHORT, "{context}: {:?}", start.elapsed());
        }
    }
}

const FILES: [&str; 3] = ["guest-file-open", "guest-file-seek", "guest-file-close"];

#[tokio::test(start_paused = true)]
async fn a_power_command_is_sent_whatever_becomes_of_the_file_that_tells_its_outcome() {
    for way in [Guest::shutdown, Guest::halt, Guest::reboot] {
        with_each(
            &FILES,
            async |_, guest| way(guest).timeout(Duration::ZERO).await,
            |agent, _| agent.requests_of("guest-shutdown").len() == 1,
        )
        .await;
    }
    with_each(
        &FILES,
        async |_, guest| guest.suspend_ram().timeout(Duration::ZERO).await,
        |agent, _| agent.requests_of("guest-suspend-ram").len() == 1,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_answers_is_well_though_it_does_not_tell_whether_it_is_frozen() {
    with_each(
        &["guest-fsfreeze-status"],
        async |_, guest| Ok(guest.health().await),
        |_, health| health.state == HealthState::Ready && health.cause.is_none(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_freeze_is_made_though_the_agent_tells_nothing_of_itself() {
    with_each(
        &["guest-info", "guest-fsfreeze-status"],
        async |_, guest| guest.freeze().await?.thaw().await,
        |_, thawed| thawed.is_complete(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_is_set_though_a_ping_is_not_answered() {
    with_each(
        &["guest-ping"],
        async |_, guest| guest.sync_time().await,
        |agent, _| !agent.requests_of("guest-set-time").is_empty(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_answer_of_a_clock_is_enough() {
    for spoilt in SPOILT {
        let (agent, guest) = guest();
        // The later stub comes first.
        spoilt.mount(&agent, "guest-get-time");
        agent.on("guest-get-time").up_to(1).reply(5);
        let start = Instant::now();
        let offset = guest.clock_offset().await;
        assert!(offset.is_ok(), "{spoilt:?}: {offset:?}");
        assert!(start.elapsed() < SHORT, "{spoilt:?}: {:?}", start.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn processors_go_offline_though_the_agent_does_not_tell_which_can() {
    with_each(
        &["guest-get-vcpus"],
        async |_, guest| {
            let offline = GuestLogicalProcessor::new(1, false);
            guest.set_vcpus([offline]).await
        },
        |agent, ()| !agent.guest().vcpus[1].online,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_program_is_killed_though_the_agent_does_not_tell_its_system() {
    with_each(
        &["guest-get-osinfo"],
        async |agent, guest| {
            agent.program("job").never_ends();
            let mut process = guest.command("job").start().await?;
            process.kill().await?;
            process.wait().await
        },
        |agent, output| output.status.signal() == Some(9) && agent.running_processes().is_empty(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_read_is_there_though_the_file_cannot_be_closed() {
    with_each(
        &["guest-file-close"],
        async |agent, guest| {
            agent.file("/tmp/file", "content");
            guest.read("/tmp/file").await
        },
        |_, content| content == b"content",
    )
    .await;
    with_each(
        &["guest-file-close"],
        async |agent, guest| {
            agent.program("job").stdout("content").exit(0);
            let child = guest.command("job").spawn().await?;
            child.wait_with_output(100).await
        },
        |_, output| output.stdout == b"content",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_command_is_run_though_a_dropped_file_cannot_be_closed_before() {
    with_each(
        &["guest-file-close"],
        async |agent, guest| {
            agent.file("/tmp/file", "content");
            drop(guest.open("/tmp/file").await?);
            guest.execute(qga_commands::commands::os::GetHostName).await
        },
        |_, _| true,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn files_and_programs_are_used_though_nobody_tells_which_agent_answers() {
    with_each(
        &["guest-file-read", "guest-file-close", "guest-file-seek"],
        async |_, guest| {
            let mut file = guest.create("/tmp/file").await?;
            tokio::io::AsyncWriteExt::write_all(&mut file, b"content")
                .await
                .unwrap();
            tokio::io::AsyncWriteExt::flush(&mut file).await.unwrap();
            let mut process = guest.command("true").start().await?;
            process.wait().await
        },
        |agent, output| {
            output.status.success() && agent.file_content("/tmp/file").unwrap() == b"content"
        },
    )
    .await;
    with_each(
        &FILES,
        async |_, guest| guest.command("true").start().await?.wait().await,
        |_, output| output.status.success(),
    )
    .await;
}

/// An agent with hardly any command enabled, which may be frozen.
#[tokio::test(start_paused = true)]
async fn what_an_agent_can_do_is_known_though_it_does_not_tell_whether_it_is_frozen() {
    with_each(
        &["guest-fsfreeze-status"],
        async |agent, guest| {
            agent.allow_only(&["guest-ping", "guest-info", "guest-fsfreeze-status"]);
            Ok(Capabilities::ask(guest.client()).await?)
        },
        |_, capabilities| !capabilities.is_enabled("guest-exec"),
    )
    .await;
    // One that is silent may be frozen, and is waited for.
    let (agent, guest) = guest();
    agent.edit_guest(|guest| guest.frozen = true);
    agent.on("guest-fsfreeze-status").fault(Fault::no_answer());
    let ready = Ready::ping().command("guest-exec");
    let thaw = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        agent.edit_guest(|guest| guest.frozen = false);
    };
    let (ready, ()) = tokio::join!(guest.wait_ready(&ready), thaw);
    ready.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_explained_at_once_or_not() {
    let (agent, guest) = guest();
    agent.profile(Profile::Qemu3_1);
    agent.disable("guest-exec");
    let refused = guest.command("true").output().await.unwrap_err();
    let refused = refused.command_error().unwrap();
    let explained = Refusal::explain(guest.client(), refused).await;
    let hint = explained.unwrap().hint();
    assert!(
        hint.contains("guest-exec") && hint.contains("BLACKLIST_RPC"),
        "{hint}"
    );
    agent.on("guest-info").fault(Fault::no_answer());
    let start = Instant::now();
    assert_eq!(Refusal::explain(guest.client(), refused).await, None);
    assert!(start.elapsed() < SHORT);
}
