use qga_testserver::{Profile, TestMachine};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::Qmp;
use crate::wire::Wire;

const NOT_YET: &str = "Expecting capabilities negotiation with 'qmp_capabilities'";
const RUNNING: &str = r#"{"return": {"status": "running", "singlestep": false, "running": true}"#;

/// A machine of QEMU 7.2, and what it answers to bytes.
async fn of_7_2() -> (TestMachine, Qmp) {
    let machine = TestMachine::start().await;
    machine.version(Profile::Qemu7_2);
    let qmp = Qmp::connect(&machine).await;
    (machine, qmp)
}

/// The error that a line tells.
fn failure(line: &str) -> (String, String) {
    let told: Value = serde_json::from_str(line).unwrap();
    let text = |name: &str| told["error"][name].as_str().unwrap_or(line).to_owned();
    (text("class"), text("desc"))
}

#[tokio::test(start_paused = true)]
async fn qemu_greets_and_wants_to_negotiate_first() {
    let machine = TestMachine::start().await;
    machine.version(Profile::Qemu7_2);
    let mut qmp = Qmp::raw(&machine).await;
    let greeting = qmp.wire.line().await;
    assert_eq!(
        greeting,
        "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"fake\"}, \
         \"capabilities\": [\"oob\"]}}\r\n"
    );
    for request in [
        r#"{"execute":"query-status","id":7}"#,
        r#"{"execute":"nope","id":7}"#,
    ] {
        let line = qmp.wire.ask(request).await;
        assert!(line.starts_with("{\"id\": 7, \"error\": "), "{line}");
        assert_eq!(failure(&line), ("CommandNotFound".into(), NOT_YET.into()));
    }
    let both = json!({"execute": "qmp_capabilities", "arguments": {"enable": ["oob", "xx"]}});
    let refused = qmp.wire.ask(both.to_string()).await;
    assert_eq!(
        failure(&refused).1,
        "Parameter 'null' does not accept value 'xx'"
    );
    assert_eq!(
        failure(&qmp.wire.ask(r#"{"execute":"query-status"}"#).await).1,
        NOT_YET
    );
    let asked = qmp
        .wire
        .ask(r#"{"execute":"qmp_capabilities","id":{"a":[1,null]}}"#)
        .await;
    assert_eq!(asked, "{\"return\": {}, \"id\": {\"a\": [1, null]}}\r\n");
    let again = qmp
        .wire
        .ask(r#"{"execute":"qmp_capabilities","id":3}"#)
        .await;
    let text = "Capabilities negotiation is already complete, command ignored";
    assert_eq!(failure(&again), ("CommandNotFound".into(), text.into()));
}

#[tokio::test(start_paused = true)]
async fn the_first_command_may_share_a_write_with_the_negotiation() {
    let machine = TestMachine::start().await;
    machine.version(Profile::Qemu7_2);
    let mut qmp = Qmp::raw(&machine).await;
    qmp.send(r#"{"execute":"qmp_capabilities"}{"execute":"query-status","id":2}"#)
        .await;
    assert!(qmp.next().await.get("QMP").is_some());
    assert_eq!(qmp.wire.line().await, "{\"return\": {}}\r\n");
    assert_eq!(qmp.wire.line().await, format!("{RUNNING}, \"id\": 2}}\r\n"));
}

#[tokio::test(start_paused = true)]
async fn events_before_the_negotiation_are_lost() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::raw(&machine).await;
    qmp.next().await;
    machine.agent().pause();
    qmp.wire.silence().await;
    assert_eq!(qmp.get("qmp_capabilities").await, json!({}));
    assert_eq!(qmp.status().await, "paused");
    assert!(qmp.events.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_id_may_be_anything_and_a_request_ends_with_its_brace() {
    let (_machine, mut qmp) = of_7_2().await;
    for (id, told) in [
        ("null", "null"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("[]", "[]"),
        ("12345678901234567890", "12345678901234567890"),
        (r#""\u00e9\u0001/""#, r#""\u00E9\u0001/""#),
    ] {
        let line = qmp
            .wire
            .ask(format!(r#"{{"execute":"query-status","id":{id}}}"#))
            .await;
        assert_eq!(line, format!("{RUNNING}, \"id\": {told}}}\r\n"));
    }
    assert_eq!(
        qmp.wire.ask(r#"{"execute":"query-status"}"#).await,
        format!("{RUNNING}}}\r\n")
    );
    qmp.send("{'execute':'query-status'").await;
    qmp.wire.silence().await;
    let line = qmp.wire.ask("\n\n ,'id':5}").await;
    assert_eq!(line, format!("{RUNNING}, \"id\": 5}}\r\n"));
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_none_are_refused_as_qemu_refuses_them() {
    let (_machine, mut qmp) = of_7_2().await;
    for (request, text) in [
        (
            r#"{"execute":"query-status","arguments":[]}"#,
            "QMP input member 'arguments' must be an object",
        ),
        (
            r#"{"execute":"query-status","arguments":null}"#,
            "QMP input member 'arguments' must be an object",
        ),
        (
            r#"{"execute":"query-status","arguments":{"x":1}}"#,
            "Parameter 'x' is unexpected",
        ),
        (
            r#"{"execute":"query-status","extra":1}"#,
            "QMP input member 'extra' is unexpected",
        ),
        (
            r#"{"execute":1}"#,
            "QMP input member 'execute' must be a string",
        ),
        (r#"{"id":4}"#, "QMP input lacks member 'execute'"),
        ("{}", "QMP input lacks member 'execute'"),
        ("[]", "QMP input must be a JSON object"),
        ("null ", "QMP input must be a JSON object"),
        (
            r#"{"execute":"qom-get","arguments":{"path":"/"}}"#,
            "Parameter 'property' is missing",
        ),
        (
            r#"{"execute":"qom-get","arguments":{"path":1,"property":"type"}}"#,
            "Invalid parameter type for 'path', expected: string",
        ),
        (
            r#"{"exec-oob":"query-status"}"#,
            "QMP input member 'exec-oob' is unexpected",
        ),
        (
            r#"{"execute":"query-status","exec-oob":"query-status"}"#,
            "QMP input member 'exec-oob' is unexpected",
        ),
        (
            r#"{"execute":"query-status","execute":"query-name"}"#,
            "JSON parse error, duplicate key",
        ),
        ("hello ", "JSON parse error, invalid keyword 'hello'"),
        (r#"{"execute":}"#, "JSON parse error, expecting value"),
    ] {
        let line = qmp.wire.ask(request).await;
        assert_eq!(
            failure(&line),
            ("GenericError".into(), text.into()),
            "{request}"
        );
    }
    let unknown = qmp.wire.ask(r#"{"execute":"nope"}"#).await;
    assert_eq!(
        failure(&unknown),
        (
            "CommandNotFound".into(),
            "The command nope has not been found".into()
        )
    );
    assert_eq!(qmp.status().await, "running");
}

#[tokio::test(start_paused = true)]
async fn after_nonsense_the_next_request_works() {
    let (_machine, mut qmp) = of_7_2().await;
    let next = r#"{"execute":"query-status","id":"ff"}"#;
    for (bytes, errors) in [
        (&b"\xff"[..], &["stray '\u{FFFD}'"][..]),
        (b"{\"execute\":\"qu\xff", &["stray '\"qu\u{FFFD}'"]),
        (
            b"{\"execute\":\"query\n-status\",\"id\":1}",
            &[
                "stray '\"query\n'",
                "expecting value",
                "",
                "expecting value",
                "",
                "expecting value",
            ],
        ),
        (
            b"{\"execute\":\"query-status\",\"id\":\"\xc3(\"}",
            &["invalid UTF-8 sequence in string"],
        ),
    ] {
        qmp.send(bytes).await;
        for error in errors {
            let text = match *error {
                "" => "QMP input must be a JSON object".to_owned(),
                error => format!("JSON parse error, {error}"),
            };
            assert_eq!(failure(&qmp.wire.line().await).1, text);
        }
        assert_eq!(
            qmp.wire.ask(next).await,
            format!("{RUNNING}, \"id\": \"ff\"}}\r\n")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nesting_has_a_limit() {
    let (_machine, mut qmp) = of_7_2().await;
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"execute":"query-status","id":{open}{close}}}"#)
    };
    assert!(qmp.wire.ask(nested(1023)).await.starts_with(RUNNING));
    let line = qmp.wire.ask(nested(1024)).await;
    assert_eq!(failure(&line).1, "JSON nesting depth limit exceeded");
}

#[tokio::test(start_paused = true)]
async fn a_second_client_hears_nothing_until_the_first_has_left() {
    let machine = TestMachine::start().await;
    let mut first = Qmp::connect(&machine).await;
    let mut second = Qmp::raw(&machine).await;
    second
        .send(r#"{"execute":"qmp_capabilities","id":"B"}{"execute":"stop"}"#)
        .await;
    second.wire.silence().await;
    assert_eq!(first.status().await, "running");
    drop(first);
    assert!(second.next().await.get("QMP").is_some());
    assert_eq!(second.reply().await, json!({"return": {}, "id": "B"}));
    assert_eq!(second.reply().await, json!({"return": {}}));
    assert_eq!(second.status().await, "paused");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asked_for_that_left_before_its_turn_is_not_done() {
    let machine = TestMachine::start().await;
    let mut first = Qmp::connect(&machine).await;
    let mut second = Qmp::raw(&machine).await;
    second
        .send(r#"{"execute":"qmp_capabilities"}{"execute":"stop"}"#)
        .await;
    drop(second);
    assert_eq!(first.status().await, "running");
    drop(first);
    let mut third = Qmp::connect(&machine).await;
    assert_eq!(third.status().await, "running");
    assert!(machine.requests_of("stop").is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asked_for_that_left_at_once_is_not_done() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.status().await, "running");
    qmp.send(r#"{"execute":"stop"}"#).await;
    drop(qmp);
    assert_eq!(Qmp::connect(&machine).await.status().await, "running");
}

#[tokio::test(start_paused = true)]
async fn what_a_client_asked_for_that_still_reads_is_done_and_answered() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.send(r#"{"execute":"stop","id":1}{"execute":"query-name","id":2}"#)
        .await;
    qmp.wire.shut_down().await;
    assert_eq!(qmp.reply().await, json!({"return": {}, "id": 1}));
    assert_eq!(qmp.reply().await, json!({"return": {}, "id": 2}));
    qmp.events(&["STOP"]).await;
    qmp.end().await;
    assert_eq!(Qmp::connect(&machine).await.status().await, "paused");
}

#[tokio::test(start_paused = true)]
async fn a_new_client_starts_clean() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.send(r#"{"execute":"query-status""#).await;
    drop(qmp);
    assert_eq!(Qmp::connect(&machine).await.status().await, "running");
    assert_eq!(machine.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_event_comes_before_the_reply_of_its_command() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.send(
        r#"{"execute":"stop","id":1}{"execute":"cont","id":2}{"execute":"query-status","id":3}"#,
    )
    .await;
    for expected in ["STOP", "1", "RESUME", "2", "3"] {
        let told = qmp.next().await;
        let told = told.get("event").or(told.get("id")).unwrap();
        assert_eq!(told.to_string().trim_matches('"'), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_overtakes_others_only_where_it_may() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::raw(&machine).await;
    qmp.next().await;
    let oob = json!({"enable": ["oob"]});
    assert_eq!(qmp.call("qmp_capabilities", oob).await, json!({}));
    let line = qmp.wire.ask(r#"{"exec-oob":"query-status","id":1}"#).await;
    assert_eq!(
        failure(&line).1,
        "The command query-status does not support OOB"
    );
    machine.on("query-name").fault(qga_testserver::Fault::delay(
        std::time::Duration::from_secs(5),
    ));
    qmp.send(r#"{"execute":"query-name","id":1}{"execute":"query-uuid","id":2}{"exec-oob":"query-yank","id":3}"#)
        .await;
    for id in [3, 1, 2] {
        assert_eq!(qmp.reply().await["id"], id);
    }
    let line = qmp.wire.ask(r#"{"exec-oob":"migrate-pause"}"#).await;
    assert!(
        failure(&line).1.starts_with("migrate-pause is currently"),
        "{line}"
    );
}

#[tokio::test(start_paused = true)]
async fn pretty_objects_are_spread_over_lines() {
    let machine = TestMachine::start().await;
    machine.version(Profile::Qemu7_2);
    machine.pretty();
    let mut qmp = Qmp::raw(&machine).await;
    let greeting = [
        "{",
        "    \"QMP\": {",
        "        \"version\": {",
        "            \"qemu\": {",
        "                \"micro\": 22,",
        "                \"minor\": 2,",
        "                \"major\": 7",
        "            },",
        "            \"package\": \"fake\"",
        "        },",
        "        \"capabilities\": [",
        "            \"oob\"",
        "        ]",
        "    }",
        "}",
    ];
    let empty = ["{", "    \"return\": {", "    }", "}"];
    let status = [
        "{",
        "    \"return\": {",
        "        \"status\": \"running\",",
        "        \"singlestep\": false,",
        "        \"running\": true",
        "    },",
        "    \"id\": 1",
        "}",
    ];
    qmp.send("{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\",\"id\":1}\n")
        .await;
    for line in greeting.iter().chain(&empty).chain(&status) {
        assert_eq!(qmp.wire.line().await, format!("{line}\r\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_keeps_nobody_waiting() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let many = r#"{"execute":"query-block"}"#.repeat(2000);
    let mut silent = UnixStream::connect(machine.monitor_path()).await.unwrap();
    qmp.send(r#"{"execute":"query-name","id":1}"#).await;
    drop(qmp);
    silent
        .write_all(br#"{"execute":"qmp_capabilities"}"#)
        .await
        .unwrap();
    silent.write_all(many.as_bytes()).await.unwrap();
    machine.wait_for("query-block", 2000).await;
    let mut silent = Wire::new(silent);
    assert!(silent.line().await.contains("QMP"));
}

#[tokio::test(start_paused = true)]
async fn the_monitor_tells_of_the_machine_and_of_itself() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let zeros = "00000000-0000-0000-0000-000000000000";
    assert_eq!(qmp.get("query-uuid").await, json!({"UUID": zeros}));
    assert_eq!(qmp.get("query-name").await, json!({}));
    assert_eq!(
        qmp.get("query-status").await,
        json!({"status": "running", "running": true})
    );
    machine.name("vm1");
    machine.uuid("1a2b3c4d-0000-0000-0000-000000000001");
    assert_eq!(qmp.get("query-name").await, json!({"name": "vm1"}));
    assert_eq!(
        qmp.get("query-uuid").await["UUID"],
        "1a2b3c4d-0000-0000-0000-000000000001"
    );
    assert_eq!(
        qmp.get("query-current-machine").await,
        json!({"wakeup-suspend-support": true})
    );
    assert_eq!(qmp.get("query-version").await["qemu"]["major"], 10);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_in_memory_is_one_of_the_clients() {
    let machine = TestMachine::start().await;
    let mut first = Wire::new(machine.connect_monitor());
    assert!(first.line().await.starts_with("{\"QMP\": "));
    let mut second = Wire::new(machine.connect_monitor());
    second.silence().await;
    assert_eq!(
        first.ask(r#"{"execute":"qmp_capabilities"}"#).await,
        "{\"return\": {}}\r\n"
    );
    machine.terminate();
    assert!(first.line().await.contains("SHUTDOWN"));
    assert_eq!(first.rest().await, "");
    assert_eq!(second.rest().await, "");
    assert_eq!(Wire::new(machine.connect_monitor()).rest().await, "");
}
