use qga_testserver::Cassette;
use serde_json::json;

use crate::caller::Caller;

const TAPE: &str = r#"{"cassette": 1}
{"request": {"execute": "guest-ping"}, "reply": {"return": {}}}
{"request": {"execute": "guest-get-host-name"}, "reply": {"return": {"host-name": "one"}}}
{"request": {"execute": "guest-get-host-name"}, "reply": {"return": {"host-name": "two"}}}
{"request": {"execute": "guest-x", "arguments": {"a": 1}}, "reply": {"error": {"class": "GenericError", "desc": "no"}}}
{"request": {"execute": "guest-lost"}, "reply": null}
"#;

fn tape() -> Cassette {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), TAPE).unwrap();
    Cassette::load(file.path()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cassette_plays_in_its_order() {
    let mut caller = Caller::new();
    caller.agent.play(&tape());
    assert_eq!(caller.get("guest-ping").await, json!({}));
    assert_eq!(caller.get("guest-get-host-name").await["host-name"], "one");
    assert_eq!(caller.call("guest-sync", json!({"id": 4})).await, 4);
    assert_eq!(caller.get("guest-get-host-name").await["host-name"], "two");
    assert_eq!(caller.call("guest-x", json!({"a": 1})).await, "no");
    caller.client.send("{\"execute\":\"guest-lost\"}").await;
    caller.client.silence().await;
    caller.agent.verify();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the cassette has guest-ping next, not guest-info {}")]
async fn another_request_than_the_recorded_one_fails_the_test() {
    let mut caller = Caller::new();
    caller.agent.play(&tape());
    let reply = caller.get("guest-info").await;
    assert!(reply.as_str().unwrap().contains("guest-ping"), "{reply}");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the cassette has 4 more, the next is guest-get-host-name")]
async fn a_cassette_that_is_not_played_to_its_end_fails_the_test() {
    let mut caller = Caller::new();
    caller.agent.play(&tape());
    caller.get("guest-ping").await;
}

#[tokio::test(start_paused = true)]
async fn a_matching_replay_takes_any_order_and_answers_in_turn() {
    let mut caller = Caller::new();
    caller.agent.play_matching(&tape());
    assert_eq!(caller.call("guest-x", json!({"a": 1})).await, "no");
    let mut names = Vec::new();
    for _ in 0..3 {
        let reply = caller.get("guest-get-host-name").await;
        names.push(reply["host-name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names, ["one", "two", "one"]);
}

#[tokio::test(start_paused = true)]
async fn a_stub_wins_over_a_cassette() {
    let mut caller = Caller::new();
    caller.agent.play_matching(&tape());
    caller.agent.on("guest-ping").reply(json!("stubbed"));
    assert_eq!(caller.get("guest-ping").await, "stubbed");
}
