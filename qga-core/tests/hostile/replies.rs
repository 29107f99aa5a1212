use std::time::Duration;

use qga_core::{Client, Error, ErrorKind, Execution, Malformed, Options, Stage};
use qga_testserver::{Fault, TestAgent};
use serde_json::{Value, json};

use crate::{GetHostName, HostName, LIMIT, Ping, guest, in_time, spoiled};

fn reason(result: Result<HostName, Error>) -> Malformed {
    let error = result.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun);
    match error.kind() {
        ErrorKind::Malformed { reason, .. } => *reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_not_utf8_are_refused_wherever_they_stand() {
    let reply = b"{\"return\": {\"host-name\": \"vm1\"}}\n";
    for at in 0..reply.len() {
        for bad in [b"\xFE".as_slice(), b"\xC3(", b"\xED\xA0\x80", b"\x80"] {
            let bytes = [&reply[..at], bad, &reply[at..]].concat();
            let reason = reason(spoiled(Fault::garbage(bytes)).await);
            assert_eq!(reason, Malformed::NotUtf8, "{bad:?} at {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sentinel_in_the_middle_of_a_reply_does_no_harm() {
    for at in 0..40 {
        let fault = Fault::rewrite(move |mut reply| {
            reply.insert(at.min(reply.len()), 0xFF);
            reply
        });
        match spoiled(fault).await {
            Ok(host) => assert_eq!(host.host_name, "test-guest"),
            Err(error) => assert!(error.is_bad_reply() || error.is_timeout(), "{error}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_reply_is_refused_and_says_why() {
    let cases: [(&[u8], Malformed); 18] = [
        (b"garbage", Malformed::NotJson),
        (b"{\"return\": {}", Malformed::NotJson),
        (b"{\"return\": {}}}", Malformed::NotJson),
        (b"{\"return\": {}, \"id\": inf}", Malformed::NotJson),
        (b"{\"return\": \0}", Malformed::NotJson),
        (b"{\"return\": \"\x01\"}", Malformed::NotJson),
        (b"[]", Malformed::NotAnObject),
        (b"7", Malformed::NotAnObject),
        (b"{}", Malformed::NoReturnOrError),
        (b"{\"id\": 7}", Malformed::NoReturnOrError),
        (
            b"{\"return\": 1, \"return\": 2}",
            Malformed::DuplicateMember,
        ),
        (
            b"{\"return\": 1, \"id\": 1, \"id\": 2}",
            Malformed::DuplicateMember,
        ),
        (b"{\"error\": {\"desc\": \"d\"}}", Malformed::BadError),
        (b"{\"error\": {\"class\": \"c\"}}", Malformed::BadError),
        (
            b"{\"error\": {\"class\": 7, \"desc\": \"d\"}}",
            Malformed::BadError,
        ),
        (b"{\"error\": null}", Malformed::BadError),
        (b"{\"error\": [[[[]]]]}", Malformed::BadError),
        (
            b"{\"return\": 1, \"error\": {\"class\": \"c\", \"desc\": \"d\"}}",
            Malformed::ReturnAndError,
        ),
    ];
    for (line, expected) in cases {
        let reason = reason(spoiled(Fault::garbage([line, b"\n"].concat())).await);
        assert_eq!(reason, expected, "{}", line.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn replies_to_nobody_are_passed_over_until_the_deadline() {
    let ids = [
        json!(0),
        json!(-1),
        json!("x"),
        Value::Null,
        json!(1e300),
        json!([7]),
        json!({"id": 7}),
    ];
    for id in ids {
        let error = spoiled(Fault::wrong_id(id)).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
    }
    let error = spoiled(Fault::no_id()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_errors_wrong_id_does_not_make_it_the_commands_error() {
    let error = b"{\"id\": 7, \"error\": {\"class\": \"GenericError\", \"desc\": \"theirs\"}}\n";
    let error = spoiled(Fault::garbage(error)).await.unwrap_err();
    assert!(
        error.is_timeout() && error.agent_error().is_none(),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_drips_ends_at_the_deadline() {
    let (agent, client) = guest().await;
    agent.fault(Fault::drip_every(1, Duration::from_secs(1)));
    let error = in_time(client.execute(GetHostName)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let patient = client.options().timeout(Duration::from_secs(100));
    client.with_options(patient).execute(Ping).await.unwrap();
}

/// There is no next command here: the guest has broken its own channel.
#[tokio::test(start_paused = true)]
async fn endless_bytes_end_every_command_at_its_deadline() {
    for endless in [Fault::endless_line(), Fault::endless_lines()] {
        let (agent, client) = guest().await;
        agent.fault(endless.and(Fault::drip_every(100, Duration::from_millis(10))));
        let error = in_time(client.execute(GetHostName)).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Receive, Execution::MaybeRun)
        );
        let error = in_time(client.execute(GetHostName)).await.unwrap_err();
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Sync, Execution::NotRun)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_accepts_and_is_silent_ends_in_a_timeout_of_the_sync() {
    let (ours, _theirs) = tokio::io::duplex(4096);
    let client = Client::builder()
        .options(Options::new().timeout(LIMIT))
        .build(ours);
    let error = in_time(client.execute(Ping)).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_answers_syncs_with_lies_ends_in_a_timeout_of_the_sync() {
    let lies: [&[u8]; 6] = [
        b"\xFF{\"return\": 1}\n",
        b"\xFF{\"return\": {}}\n",
        b"\xFF{\"return\": 18446744073709551616}\n",
        b"\xFF\xFF\xFF\n",
        b"\xFF[[[[\n",
        b"\xFF{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n",
    ];
    for lie in lies {
        let (agent, stream) = TestAgent::in_memory();
        agent.fault(Fault::garbage(lie).always());
        let client = Client::builder()
            .options(Options::new().timeout(LIMIT))
            .build(stream);
        let error = in_time(client.execute(Ping)).await.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert_eq!(error.stage(), Stage::Sync);
        agent.reset();
        client.execute(Ping).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_that_fit_no_type_are_errors() {
    for number in ["1e999999", "-1e999999", &"9".repeat(100_000), "0.1", "-1"] {
        let (agent, client) = guest().await;
        let text = format!("{{\"return\": {number}, \"id\": ");
        agent.fault(Fault::rewrite(move |reply| with_return(&text, &reply)));
        let result = client.execute_raw("guest-get-time", Value::Null).await;
        match result {
            Ok(value) => assert!(value.is_number(), "{value}"),
            Err(error) => assert!(error.is_bad_reply(), "{error}"),
        }
        client.execute(Ping).await.unwrap();
    }
}

/// A reply with the id of this one.
fn with_return(before: &str, reply: &[u8]) -> Vec<u8> {
    let reply: Value = serde_json::from_slice(reply).unwrap();
    format!("{before}{}}}\n", reply["id"]).into_bytes()
}
