//! An agent that is killed, and a machine that is paused, at any moment.

use std::time::Duration;

use qga_testserver::{Fault, Power, TestAgent};

use crate::caller::Caller;

const SECOND: Duration = Duration::from_secs(1);
const PING: &str = "{\"execute\":\"guest-ping\"}";
const PONG: &str = "{\"return\": {}}\n";
const SYNC: &str = "{\"execute\":\"guest-sync\",\"arguments\":{\"id\":1}}";

#[tokio::test(start_paused = true)]
async fn a_paused_machine_is_silent_and_answers_everything_afterwards() {
    let mut caller = Caller::new();
    caller.agent.pause();
    let mut views = caller.agent.machine();
    let view = *views.borrow_and_update();
    assert!(view.power == Power::Paused && view.port_is_open);
    caller.client.send(SYNC).await;
    caller.client.send(PING).await;
    caller.client.silence().await;
    assert!(caller.agent.requests().is_empty());
    caller.agent.resume();
    assert_eq!(caller.client.line().await, "{\"return\": 1}\n");
    assert_eq!(caller.client.line().await, PONG);
    assert_eq!(views.borrow_and_update().power, Power::On);
}

#[tokio::test(start_paused = true)]
async fn a_reply_stops_with_its_machine_and_goes_on_with_it() {
    let mut caller = Caller::new();
    caller.agent.fault(Fault::drip_every(4, SECOND));
    caller.client.send(SYNC).await;
    tokio::time::sleep(SECOND / 2).await;
    caller.agent.pause();
    assert_eq!(caller.client.bytes(4).await, b"{\"re");
    caller.client.silence().await;
    caller.agent.resume();
    assert_eq!(caller.client.line().await, "turn\": 1}\n");
}

#[tokio::test(start_paused = true)]
async fn a_restart_tears_the_reply_that_is_under_way_and_loses_what_was_read() {
    let mut caller = Caller::new();
    caller.agent.fault(Fault::drip_every(4, SECOND));
    caller.client.send(format!("{SYNC}{PING}")).await;
    tokio::time::sleep(SECOND / 2).await;
    caller.agent.restart();
    assert_eq!(caller.client.bytes(4).await, b"{\"re");
    caller.client.silence().await;
    assert_eq!(caller.client.ask(SYNC).await, "{\"return\": 1}\n");
}

#[tokio::test(start_paused = true)]
async fn a_restart_brings_back_an_agent_that_hangs() {
    let mut caller = Caller::new();
    caller.agent.fault(Fault::hang());
    caller.client.send(PING).await;
    caller.client.silence().await;
    caller.agent.restart();
    assert_eq!(caller.client.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn the_next_agent_knows_nothing_of_half_a_request() {
    for change in [TestAgent::restart, TestAgent::reboot] {
        let mut caller = Caller::new();
        caller.client.send("{\"execute\":").await;
        caller.client.silence().await;
        change(&caller.agent);
        assert_eq!(caller.client.ask(PING).await, PONG);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_starts_late_answers_what_was_sent_to_the_port() {
    let mut caller = Caller::new();
    caller.agent.pause();
    caller.client.send(SYNC).await;
    caller.client.silence().await;
    caller.agent.restart();
    caller.agent.resume();
    assert_eq!(caller.client.line().await, "{\"return\": 1}\n");
}
