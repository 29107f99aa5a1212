//! Several commands in flight.

use std::cell::Cell;
use std::time::Duration;

use crate::support::{Echo, Peer, Ping, echo, echo_reply, pair, reply, synced_pair};
use qga_core::{Client, ErrorKind, Execution, QgaCommand};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tokio::time::Instant;

async fn collect(
    mut pipeline: qga_core::Pipeline<impl Iterator<Item = Echo>>,
) -> Vec<Result<Value, qga_core::Error>> {
    let mut results = Vec::new();
    while let Some(result) = pipeline.next().await {
        results.push(result);
    }
    results
}

fn values(results: Vec<Result<Value, qga_core::Error>>) -> Vec<Value> {
    results.into_iter().map(Result::unwrap).collect()
}

#[tokio::test(start_paused = true)]
async fn two_requests_are_written_before_the_first_answer() {
    let (client, mut peer) = synced_pair().await;
    let (results, ()) = tokio::join!(collect(client.pipeline((0..3).map(echo))), async {
        let first = peer.request().await;
        let second = peer.request().await;
        assert!(peer.hears_nothing().await);
        peer.send(echo_reply(&first)).await;
        let third = peer.request().await;
        peer.send(echo_reply(&second)).await;
        peer.send(echo_reply(&third)).await;
    });
    assert_eq!(values(results), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn the_iterator_is_asked_only_when_there_is_room() {
    let (client, mut peer) = synced_pair().await;
    let taken = Cell::new(0);
    let endless = std::iter::from_fn(|| {
        taken.set(taken.get() + 1);
        Some(echo(taken.get()))
    });
    let mut pipeline = client.pipeline(endless).in_flight(3);
    let (first, ()) = tokio::join!(pipeline.next(), async {
        for _ in 0..3 {
            peer.answer_echo().await;
        }
    });
    assert_eq!(first.unwrap().unwrap(), "1");
    assert_eq!(taken.get(), 3);
}

#[tokio::test(start_paused = true)]
async fn requests_go_out_while_long_replies_come_in() {
    let (client, mut peer) = pair(1024);
    let commands: Vec<Echo> = (0..4).map(|n| echo(n.to_string().repeat(900))).collect();
    let long = |n: usize| json!(n.to_string().repeat(50_000));
    let (results, ()) = tokio::join!(collect(client.pipeline(commands).in_flight(4)), async {
        peer.sync().await;
        for n in 0..4 {
            let request = peer.request().await;
            peer.send(reply(&request, &long(n))).await;
        }
    });
    assert_eq!(values(results), (0..4).map(long).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_where_an_agent_behind_a_port_could_lose_replies() {
    let (client, mut peer) = synced_pair().await;
    let commands: Vec<Echo> = (0..3).map(|n| echo(n.to_string().repeat(2500))).collect();
    let texts: Vec<_> = (0..3).map(|n| n.to_string().repeat(2500)).collect();
    let (results, ()) = tokio::join!(collect(client.pipeline(commands).in_flight(3)), async {
        for _ in 0..3 {
            let request = peer.request().await;
            assert!(peer.hears_nothing().await);
            peer.send(echo_reply(&request)).await;
        }
    });
    assert_eq!(values(results), texts);
}

#[tokio::test(start_paused = true)]
async fn as_many_short_requests_go_ahead_as_make_4_kib() {
    let (client, mut peer) = synced_pair().await;
    let commands = (0..200).map(echo);
    let (results, most) = tokio::join!(collect(client.pipeline(commands).in_flight(1024)), async {
        let (mut unanswered, mut bytes) = (Vec::new(), 0);
        while !peer.hears_nothing().await {
            let line = peer.request_bytes().await;
            bytes += line.len();
            unanswered.push(serde_json::from_slice::<Value>(&line).unwrap());
        }
        let most = bytes;
        let ahead = unanswered.len();
        for request in unanswered {
            peer.send(echo_reply(&request)).await;
        }
        for _ in ahead..200 {
            peer.answer_echo().await;
        }
        most
    });
    assert_eq!(
        values(results),
        (0..200).map(|n| n.to_string()).collect::<Vec<_>>()
    );
    assert!((3700..=4096).contains(&most), "{most}");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waited_when_the_channel_failed_has_not_run() {
    let (client, mut peer) = synced_pair().await;
    let commands = (0..9).map(|n| echo(n.to_string().repeat(3000)));
    let (results, ()) = tokio::join!(collect(client.pipeline(commands)), async {
        peer.request().await;
        drop(peer);
    });
    let executions: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().unwrap_err().execution())
        .collect();
    assert_eq!(executions, [Execution::MaybeRun, Execution::NotRun]);
}

#[tokio::test(start_paused = true)]
async fn an_error_reply_ends_one_command_only() {
    let (client, mut peer) = synced_pair().await;
    let (results, ()) = tokio::join!(collect(client.pipeline((0..3).map(echo))), async {
        peer.answer_echo().await;
        let id = &peer.request().await["id"];
        peer.send(format!(
            "{{\"id\": {id}, \"error\": {{\"class\": \"a\", \"desc\": \"b\"}}}}\n"
        ))
        .await;
        peer.answer_echo().await;
    });
    assert_eq!(results[0].as_ref().unwrap(), "0");
    assert_eq!(
        results[1].as_ref().unwrap_err().agent_error().unwrap().desc,
        "b"
    );
    assert_eq!(results[2].as_ref().unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_was_passed_over_is_lost_and_the_others_are_not() {
    let (client, mut peer) = synced_pair().await;
    let (results, ()) = tokio::join!(collect(client.pipeline((0..3).map(echo))), async {
        peer.request().await;
        peer.answer_echo().await;
        peer.answer_echo().await;
    });
    let lost = results[0].as_ref().unwrap_err();
    assert!(matches!(lost.kind(), ErrorKind::ReplyLost), "{lost:?}");
    assert_eq!(lost.execution(), Execution::MaybeRun);
    assert_eq!(lost.command(), Some("test-echo"));
    assert_eq!(results[1].as_ref().unwrap(), "1");
    assert_eq!(results[2].as_ref().unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_fails_gives_one_result_for_each_command_it_took() {
    let (client, mut peer) = synced_pair().await;
    let (results, ()) = tokio::join!(collect(client.pipeline((0..9).map(echo))), async {
        peer.answer_echo().await;
        peer.request().await;
        peer.request().await;
        drop(peer);
    });
    assert_eq!(results.len(), 3);
    assert_eq!(results[0].as_ref().unwrap(), "0");
    assert!(results[1].as_ref().unwrap_err().is_closed());
    let abandoned = results[2].as_ref().unwrap_err();
    assert!(matches!(abandoned.kind(), ErrorKind::Abandoned));
    for failed in &results[1..] {
        let failed = failed.as_ref().unwrap_err();
        assert_eq!(failed.execution(), Execution::MaybeRun);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_on_a_dead_channel_gives_one_error() {
    let (client, peer) = synced_pair().await;
    drop(peer);
    client.execute(Ping).await.unwrap_err();
    let results = collect(client.pipeline((0..9).map(echo))).await;
    assert_eq!(results.len(), 1);
    let error = results[0].as_ref().unwrap_err();
    assert!(error.is_closed());
    assert_eq!(error.execution(), Execution::NotRun);
    assert_eq!(error.command(), Some("test-echo"));
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_dropped_half_read_leaves_the_next_reply_with_its_own_command() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline((0..9).map(echo));
    let (first, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "0");
    drop(pipeline);
    let (answer, ()) = tokio::join!(client.execute(echo("next")), async {
        peer.answer_echo().await;
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_read_to_its_end_leaves_the_channel_in_step() {
    let (client, mut peer) = synced_pair().await;
    let (results, ()) = tokio::join!(collect(client.pipeline([echo(1), echo(2)])), async {
        peer.answer_echo().await;
        peer.answer_echo().await;
    });
    assert_eq!(values(results), ["1", "2"]);
    let (answer, ()) = tokio::join!(client.execute(echo("next")), peer.answer_echo());
    assert_eq!(answer.unwrap(), "next");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_of_next_loses_no_result() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline((0..3).map(echo));
    tokio::select! {
        biased;
        _ = pipeline.next() => unreachable!("nobody has answered"),
        request = peer.request() => peer.send(echo_reply(&request)).await,
    }
    let (results, ()) = tokio::join!(collect(pipeline), async {
        peer.answer_echo().await;
        peer.answer_echo().await;
    });
    assert_eq!(values(results), ["0", "1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_ids_gets_one_request_at_a_time() {
    let (client, mut peer) = pair(4096);
    let (results, ()) = tokio::join!(collect(client.pipeline([echo(1), echo(2)])), async {
        let sync = peer.request().await;
        peer.send(b"\xFF").await;
        peer.send(format!("{{\"return\": {}}}\n", sync["arguments"]["id"]))
            .await;
        for _ in 0..2 {
            let request = peer.request().await;
            assert!(peer.hears_nothing().await);
            peer.send(format!(
                "{{\"return\": {}}}\n",
                request["arguments"]["text"]
            ))
            .await;
        }
    });
    assert_eq!(values(results), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_in_a_pipeline_may_be_as_long_as_its_command_says() {
    #[derive(qga_core::QgaCommand)]
    #[qga(name = "test-small", response = Value)]
    struct Small;

    struct Large;

    impl qga_core::QgaCommand for Large {
        const NAME: &'static str = Small::NAME;
        type Response = Value;

        fn arguments(&self) -> Option<impl serde::Serialize> {
            None::<()>
        }

        fn reply_limit(&self) -> Option<usize> {
            Some(20_000)
        }
    }

    let (client, mut peer) = synced_pair().await;
    let strict = client.with_options(client.options().reply_limit(100));
    let long = json!("x".repeat(10_000));
    let mut pipeline = strict.pipeline([Large]);
    let (result, ()) = tokio::join!(pipeline.next(), peer.answer(long.clone()));
    assert_eq!(result.unwrap().unwrap(), long);
    drop(pipeline);
    let (result, ()) = tokio::join!(strict.execute(Large), peer.answer(long.clone()));
    assert_eq!(result.unwrap(), long);
    let (result, request) = tokio::join!(strict.execute(Small), async {
        let request = peer.request().await;
        peer.send(reply(&request, &long)).await;
    });
    let () = request;
    assert!(matches!(
        result.unwrap_err().kind(),
        ErrorKind::ReplyTooLong(100)
    ));
}

#[tokio::test(start_paused = true)]
async fn the_channel_is_free_after_the_last_result() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline([echo(1)]);
    let (last, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(last.unwrap().unwrap(), "1");
    let (answer, ()) = tokio::join!(client.execute(echo(2)), peer.answer_echo());
    assert_eq!(answer.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_result_has_its_deadline_however_often_it_is_asked_for() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline([echo(1)]);
    let start = Instant::now();
    let result = loop {
        tokio::select! {
            biased;
            result = pipeline.next() => break result,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        assert!(start.elapsed() < Duration::from_secs(100));
    };
    assert!(result.unwrap().unwrap_err().is_timeout());
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    peer.request().await;
}

#[tokio::test]
async fn a_reply_that_has_come_is_given_though_the_next_request_cannot_be_written() {
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let client = Client::new(ours);
    let mut peer = Peer::over(theirs);
    let mut pipeline = client.pipeline((0..5).map(echo));
    let (first, ()) = tokio::join!(pipeline.next(), async {
        peer.sync().await;
        let first = peer.request().await;
        let second = peer.request().await;
        peer.send(echo_reply(&first)).await;
        peer.send(echo_reply(&second)).await;
        drop(peer);
    });
    assert_eq!(first.unwrap().unwrap(), "0");
    assert_eq!(pipeline.next().await.unwrap().unwrap(), "1");
    assert!(pipeline.next().await.unwrap().unwrap_err().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_lets_others_in_after_what_is_in_flight() {
    let (client, mut peer) = synced_pair().await;
    let endless = tokio::spawn(collect(client.pipeline((0..1000).map(echo)).in_flight(3)));
    let agent = tokio::spawn(async move {
        let mut texts = Vec::new();
        loop {
            let request = peer.request().await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            peer.send(echo_reply(&request)).await;
            texts.push(request["arguments"]["text"].clone());
            if texts.len() == 1002 {
                return texts;
            }
        }
    });
    for ping in 0..2 {
        tokio::time::sleep(Duration::from_millis(10_500)).await;
        let start = Instant::now();
        client.execute(echo(format!("ping {ping}"))).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(4), "{start:?}");
    }
    let results = values(endless.await.unwrap());
    let expected: Vec<_> = (0..1000).map(|n| n.to_string()).collect();
    assert_eq!(results, expected);
    assert!(agent.await.unwrap().iter().any(|text| text == "ping 1"));
}

#[tokio::test(start_paused = true)]
async fn two_pipelines_take_turns() {
    let (client, mut peer) = synced_pair().await;
    let agent = tokio::spawn(async move {
        loop {
            let request = peer.request().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
            peer.send(echo_reply(&request)).await;
        }
    });
    let start = Instant::now();
    let halves = [0, 1].map(|n| {
        let client = client.clone();
        tokio::spawn(async move {
            let values = values(collect(client.pipeline((0..50).map(echo))).await);
            assert_eq!((n, values.len()), (n, 50));
            start.elapsed()
        })
    });
    let [first, second] = halves;
    let ends = [first.await.unwrap(), second.await.unwrap()];
    assert!(
        ends[0].abs_diff(ends[1]) < Duration::from_millis(50),
        "{ends:?}"
    );
    agent.abort();
}

#[tokio::test(start_paused = true)]
async fn a_task_that_comes_between_two_results_has_its_turn_before_the_next() {
    let (client, mut peer) = synced_pair().await;
    let mut pipeline = client.pipeline([echo(1), echo(2)]).in_flight(1);
    let (first, ()) = tokio::join!(pipeline.next(), peer.answer_echo());
    assert_eq!(first.unwrap().unwrap(), "1");
    let other = tokio::spawn({
        let client = client.clone();
        async move { client.execute(echo("other")).await }
    });
    tokio::task::yield_now().await;
    let (second, ()) = tokio::join!(pipeline.next(), async {
        let request = peer.request().await;
        assert_eq!(request["arguments"]["text"], "other");
        peer.send(crate::support::echo_reply(&request)).await;
        peer.answer_echo().await;
    });
    assert_eq!(second.unwrap().unwrap(), "2");
    assert_eq!(other.await.unwrap().unwrap(), "other");
}

/// A text that cannot be encoded where it is none.
struct Fragile(Option<&'static str>);

impl Serialize for Fragile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.ok_or_else(|| serde::ser::Error::custom("broken"))?;
        serializer.serialize_str(text)
    }
}

#[derive(QgaCommand)]
#[qga(name = "test-echo", response = Value)]
struct FragileEcho {
    text: Fragile,
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_goes_to_another_task_before_it_has_read_is_woken_there() {
    let (client, mut peer) = synced_pair().await;
    let commands = [None, Some("x")].map(|text| FragileEcho {
        text: Fragile(text),
    });
    let mut pipeline = client.pipeline(commands);
    let first = tokio::spawn(async move { (pipeline.next().await, pipeline) });
    let (result, mut pipeline) = first.await.unwrap();
    assert!(result.unwrap().is_err());

    let start = Instant::now();
    let second = tokio::spawn(async move { pipeline.next().await.unwrap() });
    peer.answer_echo().await;
    assert_eq!(second.await.unwrap().unwrap(), json!("x"));
    assert_eq!(start.elapsed(), Duration::ZERO);
}
