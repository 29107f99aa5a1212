//! Shutting a guest down, with an agent that only pretends to.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

use std::time::Duration;

use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, NoReply, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::{Value, json};

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    for name in ["shutdown", "suspend-ram", "suspend-disk", "suspend-hybrid"] {
        agent.on(&format!("guest-{name}")).reply(Value::Null);
    }
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

#[tokio::test(start_paused = true)]
async fn silence_is_success_and_each_way_has_its_command() {
    let (agent, guest) = guest();
    assert_eq!(guest.reboot().await.unwrap(), NoReply::Silent);
    assert_eq!(guest.halt().await.unwrap(), NoReply::Silent);
    assert_eq!(guest.suspend_ram().await.unwrap(), NoReply::Silent);
    assert_eq!(guest.suspend_disk().await.unwrap(), NoReply::Silent);
    assert_eq!(guest.suspend_hybrid().await.unwrap(), NoReply::Silent);
    let modes: Vec<_> = agent
        .requests_of("guest-shutdown")
        .into_iter()
        .map(|request| request.arguments["mode"].clone())
        .collect();
    assert_eq!(modes, [json!("reboot"), json!("halt")]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_closes_is_success_too() {
    let (agent, guest) = guest();
    agent.on("guest-shutdown").fault(Fault::close_before());
    assert_eq!(guest.shutdown().await.unwrap(), NoReply::Closed);
    let requests = agent.requests_of("guest-shutdown");
    assert_eq!(requests[0].arguments["mode"], "powerdown");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_fails_is_an_error() {
    let (agent, guest) = guest();
    agent
        .on("guest-shutdown")
        .error("GenericError", "child process has failed");
    let error = guest.shutdown().await.unwrap_err();
    assert!(error.command_error().unwrap().agent_error().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_not_there_is_sent_nothing() {
    for fault in [Fault::hang(), Fault::no_answer(), Fault::close_before()] {
        let (agent, guest) = guest();
        agent.on("guest-ping").fault(fault);
        guest.shutdown().await.unwrap_err();
        assert!(agent.requests_of("guest-shutdown").is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_guest_is_not_shut_down() {
    let (agent, guest) = guest();
    agent.on("guest-fsfreeze-freeze").reply(1);
    agent.on("guest-fsfreeze-thaw").reply(1);
    let frozen = guest.freeze().await.unwrap();
    let error = guest.shutdown().await.unwrap_err();
    assert!(matches!(error, GuestError::Frozen { .. }), "{error}");
    assert_eq!(error.execution(), Execution::NotRun);
    frozen.thaw().await.unwrap();
    assert!(agent.requests_of("guest-shutdown").is_empty());
}
