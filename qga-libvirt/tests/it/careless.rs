//! What the daemon does to the careless does not happen to users of this crate.

use std::time::Duration;

use qga_core::{ErrorKind, Execution, MessageTransport, Options};
use qga_testserver::{Fault, LibvirtDaemon};

use crate::support::{Act, Ping, builder, client, connect, vm1};

async fn raw(daemon: &LibvirtDaemon, request: &str) -> Result<String, String> {
    let address = daemon.address("vm1");
    let rest = address.strip_prefix("libvirt:").unwrap();
    let mut agent = qga_libvirt::open(rest.into()).await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    let called = agent.call(request.as_bytes(), deadline.into_std()).await;
    let called = called.map(|reply| String::from_utf8(reply).unwrap());
    called.map_err(|error| {
        assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
        error.to_string()
    })
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_answered_here_and_never_passed_on() {
    let (daemon, agent) = vm1().await;
    for name in ["guest-sync", "guest-sync-delimited"] {
        let request = format!(r#"{{"execute":"{name}","arguments":{{"id":77}},"id":5}}"#);
        let reply = raw(&daemon, &request).await.unwrap();
        assert_eq!(reply, r#"{"id":5,"return":77}"#);
        let delimited = format!("\u{FF}{request}");
        raw(&daemon, &delimited).await.unwrap_err();
    }
    assert!(agent.requests().is_empty());
    client(&daemon).await.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn requests_that_libvirt_would_tear_or_cut_are_not_sent() {
    let (daemon, agent) = vm1().await;
    let long = format!(r#"{{"execute":"test-act","id":"{}"}}"#, "x".repeat(200_000));
    raw(&daemon, &long).await.unwrap_err();
    raw(&daemon, r#"{"execute":"test-act","id":"a\u0000b"}"#)
        .await
        .unwrap_err();
    let read = r#"{"execute":"guest-file-read","arguments":{"handle":1,"count":3145601}}"#;
    assert!(raw(&daemon, read).await.unwrap_err().contains("read less"));
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_never_zero_and_never_endless() {
    let (daemon, agent) = vm1().await;
    agent.on("test-act").reply(1);
    let client = client(&daemon).await;
    for milliseconds in [400, 1000, 5500, u64::MAX] {
        let timeout = Duration::from_millis(milliseconds);
        let client = client.with_options(Options::new().timeout(timeout));
        client.execute(Act).await.unwrap();
    }
    let timeouts = daemon.timeouts();
    assert_eq!(timeouts.len(), 4);
    assert!(timeouts.iter().all(|seconds| *seconds >= 1), "{timeouts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_long_is_said_to_have_been_lost_after_the_command_ran() {
    let (daemon, agent) = vm1().await;
    agent.on("test-act").reply("x".repeat(5 << 20));
    let client = client(&daemon).await;
    let error = client.execute(Act).await.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ReplyTooLong(_)),
        "{error:?}"
    );
    assert_eq!(error.execution(), Execution::MaybeRun);
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_libvirt_has_given_up_is_told_and_works_once_it_was_restarted() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    agent.on("test-act").fault(Fault::garbage("nonsense\n"));
    let error = client.execute(Act).await.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun, "{error:?}");
    assert!(error.to_string().contains("restarted"), "{error}");
    daemon.domain("vm1", &agent);
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_command_after_a_cancelled_one_is_not_sent_before_that_was_answered() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    agent
        .on("test-act")
        .with_fault(Fault::delay(Duration::from_millis(400)))
        .reply(1);
    let cancelled = client.execute(Act);
    tokio::time::timeout(Duration::from_millis(100), cancelled)
        .await
        .unwrap_err();
    client.execute(Ping).await.unwrap();
    let names: Vec<_> = agent.requests().iter().map(|it| it.name.clone()).collect();
    assert_eq!(names, ["guest-sync", "test-act", "guest-ping"]);
    assert_eq!(daemon.most_in_flight(), 1);
    // The late reply was given to nobody.
    assert_eq!(client.execute(Act).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn guests_that_hang_leave_room_for_others() {
    let (daemon, _agent) = vm1().await;
    let mut hung = Vec::new();
    let mut agents = Vec::new();
    for number in 0..12 {
        let agent = qga_testserver::TestAgent::start().await;
        agent.on("test-act").fault(Fault::no_answer());
        let name = format!("hung{number}");
        daemon.domain(&name, &agent);
        let client = connect(&daemon, &name).await.unwrap();
        hung.push(tokio::spawn(async move { client.execute(Act).await }));
        agents.push(agent);
    }
    for agent in &agents {
        agent.wait_for("test-act", 1).await;
    }
    let builder = builder().options(Options::new().timeout(Duration::from_secs(5)));
    let client = builder.connect(daemon.address("vm1")).await.unwrap();
    client.execute(Ping).await.unwrap();
    assert!(daemon.most_in_flight() <= 4);
    for call in hung {
        call.abort();
    }
}
