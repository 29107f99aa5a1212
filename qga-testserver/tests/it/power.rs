use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::caller::Caller;
use crate::wire::Wire;

const PING: &str = "{\"execute\":\"guest-ping\"}";
const PONG: &str = "{\"return\": {}}\n";

fn shutdown(mode: &str) -> String {
    json!({"execute": "guest-shutdown", "arguments": {"mode": mode}}).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_closes_the_channel_for_good_until_the_guest_is_switched_on() {
    let mut caller = Caller::new();
    caller.client.send("{\"execute\":\"guest-shutdown\"}").await;
    assert_eq!(caller.client.rest().await, "");
    let mut late = Wire::new(caller.agent.connect());
    assert_eq!(late.rest().await, "");
    caller.agent.wake();
    let mut next = Wire::new(caller.agent.connect());
    assert_eq!(next.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_silent_for_a_while_and_then_answers_what_was_queued() {
    let mut caller = Caller::new();
    let open = json!({"path": "/etc/hostname"});
    assert_eq!(caller.call("guest-file-open", open).await, 1000);
    let start = Instant::now();
    caller.client.send(shutdown("reboot")).await;
    assert_eq!(caller.client.ask(PING).await, PONG);
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    let gone = caller
        .call("guest-file-close", json!({"handle": 1000}))
        .await;
    assert_eq!(gone, "handle '1000' has not been found");
}

#[tokio::test(start_paused = true)]
async fn a_suspended_guest_is_silent_until_it_is_woken() {
    let mut caller = Caller::new();
    for command in [
        "guest-suspend-ram",
        "guest-suspend-disk",
        "guest-suspend-hybrid",
    ] {
        caller
            .client
            .send(json!({"execute": command}).to_string())
            .await;
        caller.client.send(PING).await;
        caller.client.silence().await;
        caller.agent.wake();
        assert_eq!(caller.client.line().await, PONG);
    }
}

#[tokio::test(start_paused = true)]
async fn a_halted_guest_keeps_the_channel_open_and_silent() {
    let mut caller = Caller::new();
    caller.client.send(shutdown("halt") + PING).await;
    caller.client.silence().await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_an_unknown_mode_is_an_error() {
    let mut caller = Caller::new();
    let reply = caller.client.ask(shutdown("sideways")).await;
    assert!(reply.contains("mode is invalid"), "{reply}");
    assert_eq!(caller.client.ask(PING).await, PONG);
}

#[tokio::test(start_paused = true)]
async fn an_agent_may_answer_for_a_while_before_the_guest_goes() {
    let mut caller = Caller::new();
    caller
        .agent
        .edit_guest(|guest| guest.stop_milliseconds = 2000);
    caller.client.send(shutdown("powerdown")).await;
    let start = Instant::now();
    assert_eq!(caller.client.ask(PING).await, PONG);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(caller.client.rest().await, "");
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}
