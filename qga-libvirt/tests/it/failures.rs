//! What fails, and what is said of it.

use std::time::Duration;

use qga_core::{Error, ErrorKind, Execution, Options};
use qga_testserver::{DomainState, Fault, LibvirtVersion};

use crate::support::{Act, Ping, Shutdown, client, connect, vm1};

const VERSIONS: [LibvirtVersion; 2] = [LibvirtVersion::V9_0, LibvirtVersion::V11_3];

fn is_open(error: &Error, words: &str) {
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_cannot_be_reached_is_a_channel_that_cannot_be_opened() {
    let (daemon, _agent) = vm1().await;
    let error = connect(&daemon, "vm2").await.err().unwrap();
    is_open(&error, "has no domain \"vm2\"");
    daemon.domain_without_channel("vm3");
    let error = connect(&daemon, "vm3").await.err().unwrap();
    is_open(&error, "no channel for the guest agent");
    daemon.set_state("vm1", DomainState::Off);
    let error = connect(&daemon, "vm1").await.err().unwrap();
    is_open(&error, "is off");
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_is_stopped_or_undefined_meanwhile_is_told_as_such_and_may_come_back() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    daemon.set_state("vm1", DomainState::Off);
    is_open(&client.execute(Ping).await.unwrap_err(), "is off");
    daemon.set_state("vm1", DomainState::Running);
    client.execute(Ping).await.unwrap();
    daemon.undefine("vm1");
    is_open(&client.execute(Ping).await.unwrap_err(), "no domain");
    daemon.domain("vm1", &agent);
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_paused_domain_and_an_absent_agent_are_waited_for_until_the_time_is_up() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    let hasty = client.with_options(Options::new().timeout(Duration::from_millis(300)));
    let not_run = |error: Error| {
        assert!(error.is_timeout(), "{error:?}");
        assert_eq!(error.execution(), Execution::NotRun);
    };
    daemon.set_state("vm1", DomainState::Paused);
    not_run(hasty.execute(Ping).await.unwrap_err());
    let (waited, ()) = tokio::join!(client.execute(Ping), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        daemon.set_state("vm1", DomainState::Running);
    });
    waited.unwrap();
    daemon.set_port_open("vm1", false);
    // Whether this one was sent is not known to a client of 9.0. The next one looks first.
    drop(hasty.execute(Ping).await);
    not_run(hasty.execute(Ping).await.unwrap_err());
    let (waited, ()) = tokio::join!(client.execute(Ping), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        daemon.set_port_open("vm1", true);
    });
    waited.unwrap();
    assert_eq!(agent.requests_of("guest-ping").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_never_was_there_is_known_not_to_have_run_anything() {
    let (daemon, agent) = vm1().await;
    daemon.set_port_open("vm1", false);
    let client = client(&daemon).await;
    let hasty = client.with_options(Options::new().timeout(Duration::from_millis(300)));
    let error = hasty.execute(Act).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    assert!(agent.requests_of("test-act").is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_ends_before_it_answers_has_closed_the_channel_and_may_have_run_the_command()
{
    for version in VERSIONS {
        let (daemon, agent) = vm1().await;
        daemon.version(version);
        let client = client(&daemon).await;
        client.execute(Ping).await.unwrap();
        agent.on("test-act").fault(Fault::close_before());
        let error = client.execute(Act).await.unwrap_err();
        assert!(error.is_closed(), "{version:?}: {error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun, "{version:?}");
        // It is back.
        daemon.domain("vm1", &agent);
        client.execute(Ping).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_takes_the_agent_away_has_gone_well() {
    for version in VERSIONS {
        let (daemon, agent) = vm1().await;
        daemon.version(version);
        let client = client(&daemon).await;
        client.execute(Ping).await.unwrap();
        agent.on("guest-shutdown").fault(Fault::close_before());
        client.execute(Shutdown).await.unwrap();
    }
}

/// From 11.3 on, this error says that the agent was not there; before, that it has said nothing. The daemon's version is
/// asked for only then.
#[tokio::test(start_paused = true)]
async fn an_agent_that_was_not_there_is_told_by_the_daemons_version() {
    for version in VERSIONS {
        let (daemon, agent) = vm1().await;
        daemon.version(version);
        agent.on("test-act").reply(7);
        let client = client(&daemon).await;
        client.execute(Ping).await.unwrap();
        daemon.fail(86, 10, "in another language");
        let acted = client.execute(Act).await;
        match version {
            LibvirtVersion::V11_3 => assert_eq!(acted.unwrap(), 7),
            _ => assert_eq!(acted.unwrap_err().execution(), Execution::MaybeRun),
        }
    }
}

/// QEMU may end before libvirt has noticed that the agent has.
#[tokio::test(start_paused = true)]
async fn a_shutdown_that_takes_qemu_away_has_gone_well() {
    for code in [1, 38] {
        let (daemon, _agent) = vm1().await;
        let client = client(&daemon).await;
        client.execute(Ping).await.unwrap();
        daemon.fail(code, 10, "in another language");
        client.execute(Shutdown).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_silent_is_a_timeout_and_the_command_may_have_run() {
    for version in VERSIONS {
        let (daemon, agent) = vm1().await;
        daemon.version(version);
        let client = client(&daemon).await;
        agent.on("test-act").fault(Fault::no_answer());
        let hasty = client.with_options(Options::new().timeout(Duration::from_millis(1100)));
        let error = hasty.execute(Act).await.unwrap_err();
        assert!(error.is_timeout(), "{version:?}: {error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun, "{version:?}");
        client.execute(Ping).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_answer_libvirts_sync_is_a_timeout() {
    for version in VERSIONS {
        let (daemon, agent) = vm1().await;
        daemon.version(version);
        let client = client(&daemon).await;
        agent.on("guest-sync").fault(Fault::no_answer());
        let error = client.execute(Act).await.unwrap_err();
        assert!(error.is_timeout(), "{version:?}: {error:?}");
        assert!(agent.requests_of("test-act").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_qemu_that_was_killed_has_closed_the_channel() {
    let (daemon, _agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    for code in [1, 38] {
        daemon.fail(code, 10, "in another language");
        let error = client.execute(Act).await.unwrap_err();
        assert!(error.is_closed(), "{code}: {error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_daemon_say_what_is_known_of_the_execution() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    for (code, domain, execution) in [
        // QEMU was killed.
        (1, 10, Execution::MaybeRun),
        (38, 10, Execution::MaybeRun),
        (39, 7, Execution::MaybeRun),
        (29, 0, Execution::NotRun),
        (8, 10, Execution::NotRun),
        (1, 0, Execution::NotRun),
        (77, 3, Execution::MaybeRun),
    ] {
        daemon.fail(code, domain, "in another language");
        let error = client.execute(Act).await.unwrap_err();
        assert_eq!(error.execution(), execution, "{code}/{domain}: {error:?}");
        client.execute(Ping).await.unwrap();
    }
    // Somebody else's command has the agent; then it is free.
    daemon.fail(68, 0, "in another language");
    agent.on("test-act").reply(7);
    assert_eq!(client.execute(Act).await.unwrap(), 7);
}
