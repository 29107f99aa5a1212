use qga_testserver::{Profile, RequestIds, TestAgent};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::wire::Wire;

fn agent() -> (TestAgent, Wire<DuplexStream>) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Wire::new(stream))
}

async fn ask(client: &mut Wire<DuplexStream>, command: &str) -> Value {
    let line = client.ask(format!("{{\"execute\":\"{command}\"}}")).await;
    serde_json::from_str(&line).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_request_split_at_every_byte_is_carried_out_once() {
    let request = b"{\"execute\":\"guest-sync\",\"arguments\":{\"id\":123}}\n";
    for at in 1..request.len() {
        let (agent, mut client) = agent();
        client.send(&request[..at]).await;
        client.send(&request[at..]).await;
        assert_eq!(client.line().await, "{\"return\": 123}\n");
        client.silence().await;
        assert_eq!(agent.requests().len(), 1, "split at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_answered_by_an_error_line_then_the_sentinel() {
    let (_agent, mut client) = agent();
    let sync =
        b"\xff{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":77},\"id\":\"q\"}\n";
    let stray =
        r#"{"error": {"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"}}"#;
    assert_eq!(client.ask(sync).await.trim_end(), stray);
    assert_eq!(
        client.line().await,
        "\u{ff}{\"return\": 77, \"id\": \"q\"}\n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_sync_has_no_sentinel() {
    let (agent, mut client) = agent();
    agent.disable("guest-sync-delimited");
    let reply = ask(&mut client, "guest-sync-delimited").await;
    let text = "Command guest-sync-delimited has been disabled: the command is not allowed";
    assert_eq!(
        reply,
        json!({"error": {"class": "CommandNotFound", "desc": text}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_command_is_refused_and_listed_as_not_enabled() {
    let (agent, mut client) = agent();
    agent.disable("guest-exec");
    agent.disable("no-such-command");
    agent.profile(Profile::Qemu7_2);
    let refused = ask(&mut client, "guest-exec").await;
    assert_eq!(
        refused["error"]["desc"],
        "Command guest-exec has been disabled"
    );
    let unknown = ask(&mut client, "no-such-command").await;
    assert_eq!(
        unknown["error"]["desc"],
        "The command no-such-command has not been found"
    );
    let info = ask(&mut client, "guest-info").await;
    assert_eq!(info["return"]["version"], "7.2.22");
    let commands = info["return"]["supported_commands"].as_array().unwrap();
    let disabled: Vec<_> = commands
        .iter()
        .filter(|command| command["enabled"] == false)
        .collect();
    assert_eq!(
        disabled,
        [
            // It is for Windows only, and this version lists it all the same.
            &json!({"enabled": false, "name": "guest-get-devices", "success-response": true}),
            &json!({"enabled": false, "name": "guest-exec", "success-response": true}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn guest_info_lists_what_the_agent_can_do_in_reverse_order_of_the_schema() {
    let (agent, mut client) = agent();
    agent.on("guest-shutdown").reply(json!({}));
    agent.on("guest-of-ours").reply(json!({}));
    let info = ask(&mut client, "guest-info").await;
    let commands = info["return"]["supported_commands"].as_array().unwrap();
    let names: Vec<_> = commands
        .iter()
        .map(|command| command["name"].as_str().unwrap())
        .collect();
    assert_eq!(names[0], "guest-of-ours");
    assert_eq!(
        names[1..4],
        [
            "guest-network-get-route",
            "guest-get-load",
            "guest-get-cpustats"
        ]
    );
    assert_eq!(
        names[names.len() - 3..],
        ["guest-ping", "guest-sync", "guest-sync-delimited"]
    );
    let shutdown = commands
        .iter()
        .find(|command| command["name"] == "guest-shutdown")
        .unwrap();
    assert_eq!(shutdown["success-response"], false);
}

#[tokio::test(start_paused = true)]
async fn the_guest_answers_with_plausible_facts() {
    let (_agent, mut client) = agent();
    let host = ask(&mut client, "guest-get-host-name").await;
    assert_eq!(host, json!({"return": {"host-name": "test-guest"}}));
    let os = ask(&mut client, "guest-get-osinfo").await;
    assert_eq!(os["return"]["id"], "debian");
    let time = ask(&mut client, "guest-get-time").await;
    assert_eq!(time["return"], 1_700_000_000_000_000_000_i64);
    let zone = client.ask("{\"execute\":\"guest-get-timezone\"}").await;
    assert_eq!(zone, "{\"return\": {\"zone\": \"UTC\", \"offset\": 0}}\n");
    let interfaces = ask(&mut client, "guest-network-get-interfaces").await;
    assert_eq!(
        interfaces["return"][1]["ip-addresses"][0]["ip-address"],
        "192.0.2.10"
    );
}

#[tokio::test(start_paused = true)]
async fn an_old_agent_does_not_echo_the_id() {
    let (agent, mut client) = agent();
    agent.request_ids(RequestIds::Ignored);
    let reply = client.ask("{\"execute\":\"guest-ping\",\"id\":1}").await;
    assert_eq!(reply, "{\"return\": {}}\n");
    assert_eq!(agent.requests()[0].id, Some(json!(1)));
}

#[tokio::test(start_paused = true)]
async fn a_very_old_agent_refuses_the_id() {
    let (agent, mut client) = agent();
    agent.request_ids(RequestIds::Refused);
    let reply = client.ask("{\"execute\":\"guest-ping\",\"id\":1}").await;
    let text = "QMP input member 'id' is unexpected";
    assert_eq!(
        reply,
        format!("{{\"error\": {{\"class\": \"GenericError\", \"desc\": \"{text}\"}}}}\n")
    );
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_arrived_can_be_read_back_as_it_was_sent() {
    let (agent, mut client) = agent();
    let request =
        b"{'execute' : 'guest-sync',\n \"arguments\": {\"id\": 1}, \"id\": [\"\\u0000\"]}";
    client.ask([&b" \n"[..], request].concat()).await;
    client.ask("{\"execute\":\"guest-ping\"}").await;
    let requests = agent.requests();
    assert_eq!(requests[0].name, "guest-sync");
    assert_eq!(requests[0].arguments, json!({"id": 1}));
    assert_eq!(requests[0].id, Some(json!(["\0"])));
    assert_eq!(requests[0].raw, request);
    assert_eq!(agent.requests_of("guest-ping")[0].arguments, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_deeply_nested_id_comes_back() {
    let (_agent, mut client) = agent();
    let id = "[".repeat(1023) + &"]".repeat(1023);
    let reply = client
        .ask(format!("{{\"execute\":\"guest-ping\",\"id\":{id}}}"))
        .await;
    assert_eq!(reply, format!("{{\"return\": {{}}, \"id\": {id}}}\n"));
}

#[tokio::test(start_paused = true)]
async fn random_bytes_never_stop_the_agent() {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let alphabet = b"{}[]:,\"'\\u0eE-+.1 \t\n\x00\xc3\xa9\xfe\xffabctrue";
    let (_agent, mut client) = agent();
    for round in 0..300 {
        let length = random() % 300;
        let byte = |at: u64| alphabet[usize::try_from(at % alphabet.len() as u64).unwrap()];
        let bytes: Vec<u8> = (0..length).map(|_| byte(random() >> 8)).collect();
        client.send(bytes).await;
        let sync = format!("{{\"execute\":\"guest-sync\",\"arguments\":{{\"id\":{round}}}}}");
        client
            .send([b"\xff".as_slice(), sync.as_bytes()].concat())
            .await;
        while client.line().await != format!("{{\"return\": {round}}}\n") {}
    }
}
