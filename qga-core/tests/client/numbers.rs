//! An agent whose JSON library writes every number in another way.

use std::collections::BTreeMap;

use qga_core::{Client, Error, Execution, QgaCommand, Stage};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{Peer, pair};

#[derive(QgaCommand)]
#[qga(name = "guest-get-time", response = i64)]
struct GetTime;

#[derive(QgaCommand)]
#[qga(name = "acme-get-disks", response = Vec<Disk>)]
struct GetDisks;

#[derive(QgaCommand)]
#[qga(name = "acme-get-anything", response = Box<RawValue>)]
struct GetAnything;

#[derive(Debug, PartialEq, Deserialize)]
struct Disk {
    size: u32,
    #[serde(default)]
    counts: BTreeMap<String, Option<u8>>,
    load: f64,
}

/// `1234` as `1.234e+3`.
fn spelt(number: &Value) -> String {
    let digits = number.to_string();
    let (first, rest) = digits.split_at(1);
    format!("{first}.{rest}0e+{}", rest.len())
}

/// A client that has synchronized with an agent that spells numbers so, and that agent.
async fn spelling_pair(has_ids: bool) -> (Client, Peer) {
    let (client, mut peer) = pair(64 * 1024);
    let (time, ()) = tokio::join!(client.execute(GetTime), async {
        let request = peer.request().await;
        let token = spelt(&request["arguments"]["id"]);
        let id = if has_ids {
            format!(", \"id\": {}", spelt(&request["id"]))
        } else {
            String::new()
        };
        peer.send(b"\xFF").await;
        peer.send(format!("{{\"return\": {token}{id}}}\n")).await;
        returns(&mut peer, "1.780007654321e+18").await;
    });
    assert_eq!(time.unwrap(), 1_780_007_654_321_000_000);
    (client, peer)
}

/// Answers the next request.
async fn returns(peer: &mut Peer, returned: &str) {
    let request = peer.request().await;
    let id = match &request["id"] {
        Value::Null => String::new(),
        id => format!(", \"id\": {}", spelt(id)),
    };
    peer.send(format!("{{\"return\": {returned}{id}}}\n")).await;
}

async fn disks(client: &Client, peer: &mut Peer, returned: &str) -> Result<Vec<Disk>, Error> {
    tokio::join!(client.execute(GetDisks), returns(peer, returned)).0
}

#[tokio::test(start_paused = true)]
async fn tokens_and_ids_and_integers_are_numbers_however_they_are_spelt() {
    for has_ids in [true, false] {
        let (client, mut peer) = spelling_pair(has_ids).await;
        let reply = r#"[{"size": 1e3, "counts": {"1e3": 1.0, "b": null, "c": -0.0}, "load": 1e0}]"#;
        let disks = disks(&client, &mut peer, reply).await.unwrap();
        let counts = [("1e3", Some(1)), ("b", None), ("c", Some(0))];
        let expected = Disk {
            size: 1000,
            counts: counts.map(|(name, count)| (name.to_owned(), count)).into(),
            load: 1.0,
        };
        assert_eq!(disks, [expected]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_read_as_raw_json_stays_as_it_is_spelt() {
    for has_ids in [true, false] {
        let (client, mut peer) = spelling_pair(has_ids).await;
        let reply = r#"[1e3, -0.0, 1e999, {"a": 0.10000000000000000001}]"#;
        let answer = returns(&mut peer, reply);
        let (anything, ()) = tokio::join!(client.execute(GetAnything), answer);
        assert_eq!(anything.unwrap().get(), reply);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_reads_numbers_however_they_are_spelt() {
    for has_ids in [true, false] {
        let (client, mut peer) = spelling_pair(has_ids).await;
        let mut times = client.pipeline([GetTime, GetTime]);
        for (spelling, expected) in [("7.0", 7), ("-12.5e1", -125)] {
            let (time, ()) = tokio::join!(times.next(), returns(&mut peer, spelling));
            assert_eq!(time.unwrap().unwrap(), expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_not_whole_or_out_of_range_is_an_error_with_its_place() {
    let (client, mut peer) = spelling_pair(true).await;
    for (size, reason) in [
        ("1000.5", "floating point `1000.5`"),
        ("4294967296.0", "integer `4294967296`"),
        ("-1e0", "integer `-1`"),
        ("1e400", "floating point `1e400`"),
        ("1e-400", "floating point `1e-400`"),
    ] {
        let reply = format!(r#"[{{"size": 1e3, "load": 1}}, {{"size": {size}, "load": 1}}]"#);
        let error = disks(&client, &mut peer, &reply).await.unwrap_err();
        assert_eq!(error.decode_error().unwrap().path(), "[1].size", "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert_eq!(error.decode_error().unwrap().piece(), Some(size), "{error}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Decode, Execution::Answered)
        );
    }
    let load = disks(&client, &mut peer, r#"[{"size": 1, "load": 0.50}]"#).await;
    assert_eq!(load.unwrap().len(), 1);
}
