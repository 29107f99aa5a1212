//! Commands that are known by their names only.

use crate::support::{both, synced_pair};
use qga_core::{CommandSpec, ErrorKind};
use serde_json::{Value, json};

#[test]
fn a_raw_command_is_sent_by_name() {
    let (client, mut peer) = synced_pair();
    let script = || {
        let request = peer.request();
        peer.send(crate::support::reply(&request, &json!({"b": 1.5})));
        request
    };
    let arguments = json!({"a": [1]});
    let (answer, request) = both(|| client.execute_raw("vendor-do", arguments), script);
    assert_eq!(answer.unwrap(), json!({"b": 1.5}));
    assert_eq!(request["execute"], "vendor-do");
    assert_eq!(request["arguments"], json!({"a": [1]}));
    let script = || {
        let request = peer.request();
        peer.send(crate::support::reply(&request, &Value::Null));
        request
    };
    let name = String::from("vendor-do");
    let (answer, request) = both(|| client.execute_raw(name, Value::Null), script);
    assert_eq!(answer.unwrap(), Value::Null);
    assert!(request.get("arguments").is_none());
}

#[test]
fn what_a_raw_command_is_said_to_be_holds() {
    let (client, mut peer) = synced_pair();
    let strict = client.with_options(client.options().reply_limit(100));
    let long = || CommandSpec::new("vendor-read").reply_limit(10_000);
    let (answer, ()) = both(
        || strict.execute_raw(long(), Value::Null),
        || peer.answer(json!("x".repeat(5000))),
    );
    assert_eq!(answer.unwrap(), "x".repeat(5000));
    let secret = CommandSpec::new("vendor-secret").secret(true);
    let script = || {
        peer.request();
        peer.send("hunter2\n");
    };
    let (error, ()) = both(|| strict.execute_raw(secret, Value::Null), script);
    let error = error.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Malformed { .. }));
    assert!(
        !format!("{error} {error:?}").contains("hunter2"),
        "{error:?}"
    );
    assert_eq!(error.command(), Some("vendor-secret"));
    let checked = CommandSpec::new("vendor-do").check("what vendor-status says");
    let script = || {
        peer.sync();
        peer.request();
        drop(peer);
    };
    let (error, ()) = both(|| strict.execute_raw(checked, Value::Null), script);
    assert_eq!(error.unwrap_err().check(), Some("what vendor-status says"));
}
