//! What a reply and a sync may bring.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::{Peer, Ping, QUICK, STRAY, echo, pair, reply, synced_pair};
use qga_core::{Client, Error, ErrorKind, Execution, Malformed, Options, QgaCommand, Stage};
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tokio::time::timeout;

/// What a command comes to that is answered so, under these options; the next command must work.
async fn answered(options: Options, returned: Value) -> Result<Value, Error> {
    let (client, mut peer) = synced_pair().await;
    let limited = client.with_options(options);
    let (answer, ()) = tokio::join!(limited.execute(echo(1)), async {
        let request = peer.request().await;
        peer.send(reply(&request, &returned)).await;
    });
    let is_broken = answer.is_err();
    let (next, ()) = tokio::join!(client.execute(echo(2)), async {
        if is_broken {
            peer.sync().await;
        }
        peer.answer_echo().await;
    });
    assert_eq!(next.unwrap(), "2");
    answer
}

fn reason(result: Result<Value, Error>) -> Malformed {
    let error = result.unwrap_err();
    assert_eq!(error.execution(), Execution::MaybeRun);
    match error.kind() {
        ErrorKind::Malformed { reason, .. } => *reason,
        _ => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_too_long_is_an_error_and_not_cut() {
    let limited = QUICK.list_limit(10);
    let commas = ",".repeat(1000);
    for fits in [
        json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        json!([
            [1, 2, 3, 4, 5, 6],
            [1, 2, 3, 4, 5, 6],
            commas,
            "\",,,,,,,,,,,"
        ]),
    ] {
        assert_eq!(answered(limited, fits.clone()).await.unwrap(), fits);
    }
    let members: serde_json::Map<_, _> = (0..11).map(|n| (n.to_string(), json!(n))).collect();
    for too_long in [
        json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        json!({"deep": [[{"list": vec![0; 11]}]]}),
        Value::Object(members),
    ] {
        let reason = reason(answered(limited, too_long).await);
        assert_eq!(reason, Malformed::TooManyItems);
    }
}

/// What a type decodes into makes no difference, nor does the way by which a reply comes.
#[tokio::test(start_paused = true)]
async fn a_limit_holds_for_types_and_in_pipelines_and_behind_a_torn_reply() {
    #[derive(QgaCommand)]
    #[qga(name = "test-map", response = HashMap<String, u8>)]
    struct Map;

    #[derive(QgaCommand)]
    #[qga(name = "test-nothing", response = IgnoredAny)]
    struct Nothing;

    fn is_refused<T: std::fmt::Debug>(result: Result<T, Error>) {
        let error = result.unwrap_err();
        let is_malformed = matches!(error.kind(), ErrorKind::Malformed { .. });
        assert!(is_malformed, "{error:?}");
    }

    let members = |count: u8| -> HashMap<_, _> { (0..count).map(|n| (n.to_string(), n)).collect() };
    for torn in ["", "{\"return\": [\"a"] {
        let (client, mut peer) = synced_pair().await;
        let client = client.with_options(QUICK.list_limit(10));
        let mut answer = async |count| {
            let mut request = peer.request().await;
            if request["execute"] == "guest-sync-delimited" {
                peer.send(format!(
                    "\u{fffd}\n{}",
                    reply(&request, &request["arguments"]["id"])
                ))
                .await;
                request = peer.request().await;
            }
            let returned = json!(members(count));
            peer.send(format!("{torn}{}", reply(&request, &returned)))
                .await;
        };
        let (fits, ()) = tokio::join!(client.execute(Map), answer(10));
        assert_eq!(fits.unwrap(), members(10));
        let (too_long, ()) = tokio::join!(client.execute(Map), answer(11));
        is_refused(too_long);
        let (ignored, ()) = tokio::join!(client.execute(Nothing), answer(11));
        is_refused(ignored);
        let mut maps = client.pipeline([Map]);
        let (in_pipeline, ()) = tokio::join!(maps.next(), answer(11));
        is_refused(in_pipeline.unwrap());
    }
    assert_eq!(Options::new().list_limit(0), Options::new().list_limit(1));
}

#[tokio::test(start_paused = true)]
async fn a_list_may_have_a_hundred_thousand_elements_unless_set() {
    let longest = vec![0; 100_000];
    assert!(answered(QUICK, json!(longest)).await.is_ok());
    let reason = reason(answered(QUICK, json!(vec![0; 100_001])).await);
    assert_eq!(reason, Malformed::TooManyItems);
}

#[tokio::test(start_paused = true)]
async fn the_depth_of_a_reply_may_be_set() {
    let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    let deep = |levels| answered(QUICK.depth_limit(levels), nested(9));
    assert_eq!(deep(10).await.unwrap(), nested(9));
    assert_eq!(reason(deep(9).await), Malformed::TooDeep);
    let deepest = QUICK.depth_limit(usize::MAX);
    assert_eq!(answered(deepest, nested(126)).await.unwrap(), nested(126));
    assert_eq!(
        reason(answered(deepest, nested(127)).await),
        Malformed::TooDeep
    );
}

#[tokio::test(start_paused = true)]
async fn a_sync_passes_over_so_much_and_no_more() {
    let cases = [
        (QUICK.skip_limit(1000, 100), "{\"return\": 1}\n".repeat(90)),
        (QUICK.skip_limit(u64::MAX, 9), "\u{fffd}\n".repeat(10)),
        (QUICK.skip_limit(1000, 100), "\n".repeat(2000)),
        (QUICK.skip_limit(1000, 100), "x".repeat(2000)),
    ];
    for (options, old) in cases {
        let (client, mut peer) = pair(64 * 1024);
        peer.send(&old).await;
        let error = client.with_options(options).execute(echo(1)).await;
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::TooMuchSkipped { .. }),
            "{error:?}"
        );
        let (stage, execution) = (error.stage(), error.execution());
        assert_eq!((stage, execution), (Stage::Sync, Execution::NotRun));
        let patient = client.with_options(QUICK);
        let (answer, ()) = tokio::join!(patient.execute(echo(2)), async {
            peer.request().await;
            peer.send("\n").await;
            peer.sync().await;
            peer.answer_echo().await;
        });
        assert_eq!(answer.unwrap(), "2");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_to_wait_in_a_channel_is_passed_over() {
    let (client, mut peer) = pair(64 * 1024);
    let (answer, ()) = tokio::join!(client.execute(echo(1)), async {
        for _ in 0..5000 {
            peer.send(format!("{{\"return\": \"{}\"}}\n", "x".repeat(1000)))
                .await;
        }
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn what_is_the_answer_to_a_sync_does_not_count_as_passed_over_however_it_is_cut() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let options = QUICK.skip_limit(0, 0);
    let client = Client::builder().options(options).build(ours);
    let mut peer = Peer::over(theirs);
    let agent = async {
        let request = peer.request().await;
        let answer = reply(&request, &request["arguments"]["id"]);
        let sent = [STRAY.as_bytes(), b"\xFF", answer.as_bytes()].concat();
        for byte in sent {
            peer.send([byte]).await;
            tokio::task::yield_now().await;
        }
        peer.answer(json!({})).await;
    };
    let (result, _) = tokio::join!(client.execute(Ping), timeout(Duration::from_secs(1), agent));
    result.unwrap();
}
