use qga_testserver::Cassette;
use serde_json::{Value, json};

use crate::caller::Caller;

const TAPE: &str = r#"{"cassette": 1}
{"request": {"execute": "guest-ping"}, "reply": {"return": {}}}
{"request": {"execute": "guest-get-host-name"}, "reply": {"return": {"host-name": "one"}}}
{"request": {"execute": "guest-get-host-name"}, "reply": {"return": {"host-name": "two"}}}
{"request": {"execute": "guest-x", "arguments": {"a": 1}}, "reply": {"error": {"class": "GenericError", "desc": "no"}}}
{"request": {"execute": "guest-lost"}, "reply": null}
"#;

fn tape() -> Cassette {
    cassette(TAPE)
}

fn cassette(text: &str) -> Cassette {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Cassette::load(file.path()).unwrap()
}

/// A cassette of these requests and what they returned.
fn talk(exchanges: &[(&str, Value, Value)]) -> Cassette {
    let mut text = "{\"cassette\": 1}\n".to_owned();
    for (command, arguments, reply) in exchanges {
        let request = json!({"execute": command, "arguments": arguments});
        text = format!(
            "{text}{}\n",
            json!({"request": request, "reply": {"return": reply}})
        );
    }
    cassette(&text)
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
#[should_panic(
    expected = "the next request on the cassette is guest-ping (line 2), not guest-info {}"
)]
async fn another_request_than_the_recorded_one_fails_the_test() {
    let mut caller = Caller::new();
    caller.agent.play(&tape());
    let reply = caller.get("guest-info").await;
    assert!(reply.as_str().unwrap().contains("guest-ping"), "{reply}");
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "4 requests of the cassette have not been made; the next is guest-get-host-name"
)]
async fn a_cassette_that_is_not_played_to_its_end_fails_the_test() {
    let mut caller = Caller::new();
    caller.agent.play(&tape());
    caller.get("guest-ping").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "1 request of the cassette has not been made; the next is guest-ping")]
async fn a_cassette_that_is_played_but_for_one_request_counts_one() {
    let agent = Caller::new().agent;
    agent.play(&talk(&[("guest-ping", json!({}), json!({}))]));
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the cassette has ended, and guest-info {} came")]
async fn a_request_after_the_end_of_a_cassette_fails_the_test() {
    let mut caller = Caller::new();
    caller
        .agent
        .play(&talk(&[("guest-ping", json!({}), json!({}))]));
    caller.get("guest-ping").await;
    caller.get("guest-info").await;
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
    assert_eq!(names, ["one", "two", "two"]);
}

#[tokio::test(start_paused = true)]
async fn a_stub_wins_over_a_cassette() {
    let mut caller = Caller::new();
    caller.agent.play_matching(&tape());
    caller.agent.on("guest-ping").reply(json!("stubbed"));
    assert_eq!(caller.get("guest-ping").await, "stubbed");
}

const ONE: &str = "0123456789abcdef";
const TWO: &str = "fedcba9876543210";
const THREE: &str = "ffffffffffffffff";

fn open(name: &str) -> Value {
    json!({"path": format!("/tmp/.x.{name}.part")})
}

#[tokio::test(start_paused = true)]
async fn a_random_name_of_the_client_may_be_another_and_comes_back_as_that() {
    let error = format!("failed to open file '/tmp/.x.{ONE}.part': No such file or directory");
    let open_line = json!({
        "request": {"execute": "guest-file-open", "arguments": open(ONE)},
        "reply": {"error": {"class": "GenericError", "desc": error}},
    });
    let tape = cassette(&format!("{{\"cassette\": 1}}\n{open_line}\n{open_line}\n"));
    let mut caller = Caller::new();
    caller.agent.play(&tape);
    for _ in 0..2 {
        let said = caller.call("guest-file-open", open(TWO)).await;
        assert_eq!(said, error.replace(ONE, TWO));
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "arguments.path was \"/tmp/.x.0123456789abcdef.part\" and is")]
async fn a_random_name_does_not_change_on_the_way() {
    let ok = json!(1000);
    let open_both = [
        ("guest-file-open", open(ONE), ok.clone()),
        ("guest-file-open", open(ONE), ok),
    ];
    let mut caller = Caller::new();
    caller.agent.play(&talk(&open_both));
    caller.call("guest-file-open", open(TWO)).await;
    caller.call("guest-file-open", open(THREE)).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "arguments.id was \"0123456789abcdef\" and is \"fedcba9876543210\"")]
async fn a_name_that_the_guest_has_told_stays_the_same() {
    let told = [
        ("guest-x", json!({}), json!({"id": ONE})),
        ("guest-y", json!({"id": ONE}), json!({})),
    ];
    let mut caller = Caller::new();
    caller.agent.play(&talk(&told));
    assert_eq!(caller.get("guest-x").await["id"], ONE);
    caller.call("guest-y", json!({"id": TWO})).await;
}

fn read(handle: i64, text: &str) -> (&'static str, Value, Value) {
    let eof = text.is_empty();
    let reply = json!({"count": text.len(), "buf-b64": text, "eof": eof});
    ("guest-file-read", json!({"handle": handle}), reply)
}

fn status(reply: Value) -> (&'static str, Value, Value) {
    ("guest-exec-status", json!({"pid": 7}), reply)
}

/// A program whose output is read from two files while it runs.
fn streamed() -> Cassette {
    let running = || status(json!({"exited": false}));
    talk(&[
        ("guest-exec", json!({"path": "x"}), json!({"pid": 7})),
        read(1, ""),
        read(2, ""),
        running(),
        read(1, ""),
        running(),
        read(1, "aaaa"),
        read(2, ""),
        status(json!({"exited": true, "exitcode": 0})),
        read(1, ""),
        read(2, "bbbb"),
        read(2, ""),
        ("guest-ping", json!({}), json!({})),
    ])
}

/// What the next read of a file gives.
async fn read_now(caller: &mut Caller, handle: i64) -> String {
    let reply = caller
        .call("guest-file-read", json!({"handle": handle}))
        .await;
    reply["buf-b64"].as_str().unwrap_or_default().to_owned()
}

async fn read_to_end(caller: &mut Caller, handle: i64) -> String {
    let mut text = String::new();
    loop {
        let more = read_now(caller, handle).await;
        text += &more;
        if more.is_empty() {
            return text;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_are_read_side_by_side_may_be_read_in_another_order() {
    // How often each file is looked at before the program is asked for.
    for (strict, first, second) in [
        (true, 0, 0),
        (true, 5, 0),
        (true, 0, 5),
        (false, 0, 1),
        (false, 1, 0),
    ] {
        let mut caller = Caller::new();
        if strict {
            caller.agent.play(&streamed());
        } else {
            caller.agent.play_matching(&streamed());
        }
        caller.call("guest-exec", json!({"path": "x"})).await;
        let (mut one, mut two) = (String::new(), String::new());
        let mut exited = Value::Bool(false);
        while exited == false {
            for _ in 0..first {
                one += &read_now(&mut caller, 1).await;
            }
            for _ in 0..second {
                two += &read_now(&mut caller, 2).await;
            }
            let status = caller.call("guest-exec-status", json!({"pid": 7})).await;
            exited = status["exited"].clone();
        }
        two += &read_to_end(&mut caller, 2).await;
        one += &read_to_end(&mut caller, 1).await;
        assert_eq!(
            (&*one, &*two),
            ("aaaa", "bbbb"),
            "{strict} {first} {second}"
        );
        assert_eq!(caller.get("guest-ping").await, json!({}));
        caller.agent.verify();
    }
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "the next request on the cassette is guest-file-read {\"handle\":1} (line 8), not guest-ping {}"
)]
async fn nothing_that_was_read_before_another_command_is_left_out() {
    let mut caller = Caller::new();
    caller.agent.play(&streamed());
    caller.call("guest-exec", json!({"path": "x"})).await;
    caller.get("guest-ping").await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "the next request on the cassette is guest-exec {\"path\":\"x\"} (line 2), not guest-file-read"
)]
async fn nothing_is_read_before_the_command_that_came_before() {
    let mut caller = Caller::new();
    let streamed = [
        ("guest-exec", json!({"path": "x"}), json!({"pid": 7})),
        read(1, "aaaa"),
    ];
    caller.agent.play(&talk(&streamed));
    read_now(&mut caller, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_new_name_begins_a_matching_replay_again() {
    let mut caller = Caller::new();
    let once = [
        ("guest-file-open", open(ONE), json!(1)),
        read(1, "aaaa"),
        read(1, "bbbb"),
    ];
    caller.agent.play_matching(&talk(&once));
    for name in [ONE, TWO, THREE, TWO] {
        assert_eq!(caller.call("guest-file-open", open(name)).await, 1);
        assert_eq!(read_now(&mut caller, 1).await, "aaaa");
        assert_eq!(read_now(&mut caller, 1).await, "bbbb");
        assert_eq!(read_now(&mut caller, 1).await, "bbbb");
    }
}
