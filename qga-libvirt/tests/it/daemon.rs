//! What becomes of the daemon.

use std::time::Duration;

use qga_core::{ErrorKind, Execution, Options};
use qga_libvirt::Daemon;
use qga_testserver::{LibvirtAuth, TestAgent};
use tokio::time::timeout;

use crate::support::{Act, Ping, Write, builder, client, connect, vm1};

/// Longer than a daemon may take.
const LONG: Duration = Duration::from_secs(100);

#[tokio::test(start_paused = true)]
async fn polkit_may_let_this_user_in() {
    let (daemon, _agent) = vm1().await;
    daemon.auth(LibvirtAuth::Polkit);
    client(&daemon).await.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_is_told_what_to_do() {
    let (daemon, _agent) = vm1().await;
    for (auth, right) in [
        (LibvirtAuth::PolkitRefuses, "group"),
        (LibvirtAuth::Sasl, "auth_unix_rw"),
    ] {
        daemon.auth(auth);
        let error = connect(&daemon, "vm1").await.err().unwrap();
        let ErrorKind::Open(cause) = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!(cause.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains(right), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_not_there_is_told_with_its_socket() {
    let (daemon, _agent) = vm1().await;
    daemon.kill().await;
    let error = connect(&daemon, "vm1").await.err().unwrap();
    assert!(error.to_string().contains("has it stopped?"), "{error}");
    std::fs::remove_file(daemon.path()).unwrap();
    let error = connect(&daemon, "vm1").await.err().unwrap();
    assert!(
        error.to_string().contains("is libvirt installed"),
        "{error}"
    );
    assert!(error.to_string().contains("libvirt-sock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_daemon_the_next_command_works() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    daemon.kill().await;
    daemon.resume();
    daemon.domain("vm1", &agent);
    client.execute(Ping).await.unwrap();
    assert_eq!(daemon.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_meanwhile_leaves_it_open_whether_the_command_ran() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    agent
        .on("test-act")
        .fault(qga_testserver::Fault::no_answer());
    let acting = tokio::spawn({
        let client = client.clone();
        async move { client.execute(Act).await }
    });
    agent.wait_for("test-act", 1).await;
    daemon.kill().await;
    let error = acting.await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    let error = client.execute(Act).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_a_daemon_did_not_take_as_a_whole_goes_to_the_next_daemon() {
    let (daemon, _agent) = vm1().await;
    let mut agents = Vec::new();
    let mut clients = Vec::new();
    for name in ["vm2", "vm3", "vm4"] {
        let agent = TestAgent::start().await;
        agent.on("test-write").reply(1);
        daemon.domain(name, &agent);
        clients.push(connect(&daemon, name).await.unwrap());
        agents.push(agent);
    }
    daemon.set_hung(true);
    let mut calls = tokio::task::JoinSet::new();
    for client in clients {
        let write = Write {
            data: "x".repeat(190_000),
        };
        calls.spawn(async move { client.execute(write).await });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    daemon.kill().await;
    daemon.set_hung(false);
    daemon.resume();
    // Two do not fit into the socket's buffer.
    let results = calls.join_all().await;
    let (ok, failed): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert!(!ok.is_empty(), "{failed:?}");
    for error in failed.into_iter().map(Result::unwrap_err) {
        assert!(error.is_closed(), "{error:?}");
        assert_eq!(error.execution(), Execution::MaybeRun);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_a_daemon_did_not_answer_is_asked_again() {
    let (daemon, _agent) = vm1().await;
    let first = client(&daemon).await;
    first.execute(Ping).await.unwrap();
    daemon.set_hung(true);
    let address = daemon.address("vm1");
    let second = tokio::spawn(async move { builder().connect(address).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    daemon.kill().await;
    daemon.set_hung(false);
    daemon.resume();
    second.await.unwrap().unwrap().execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_hangs_is_given_up_after_half_a_minute() {
    let (daemon, _agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    daemon.set_hung(true);
    let client = client.with_options(Options::new().timeout(Duration::from_secs(300)));
    let error = client.execute(Act).await.unwrap_err();
    assert!(
        error.to_string().contains("said nothing for 30 seconds"),
        "{error}"
    );
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_whose_workers_all_hang_is_given_up_though_it_answers_pings() {
    let (daemon, _agent) = vm1().await;
    let address = format!("libvirt:///system?socket={}", daemon.path().display());
    daemon.set_busy(true);
    let opening = timeout(LONG, Daemon::open(&address)).await.unwrap();
    let mut errors = vec![opening.unwrap_err()];
    daemon.set_busy(false);
    let opened = Daemon::open(&address).await.unwrap();
    daemon.set_busy(true);
    let asking = async { tokio::join!(opened.domains(), opened.machine("vm1"), opened.events()) };
    let (domains, machine, events) = timeout(LONG, asking).await.unwrap();
    errors.extend([
        domains.unwrap_err(),
        machine.unwrap_err(),
        events.unwrap_err(),
    ]);
    for error in errors {
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    }
    daemon.set_busy(false);
    assert_eq!(opened.domains().await.unwrap().len(), 1);
    opened.events().await.unwrap();
}
