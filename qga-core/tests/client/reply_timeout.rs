//! A short time for the answer, and a long one for the channel.

use std::time::Duration;

use crate::support::{Peer, Ping, echo, synced_pair};
use qga_core::{Client, ErrorKind, Execution, Options};
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn brief() -> Options {
    Options::new().timeout(60 * SECOND).reply_timeout(SECOND)
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_answer_is_left_after_the_reply_timeout() {
    let (client, _peer) = synced_pair().await;
    let error = client
        .with_options(brief())
        .execute(Ping)
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout(time) if *time == SECOND));
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(error.to_string().contains("no reply within 1s"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_comes_late_is_waited_for() {
    let (ours, theirs) = tokio::io::duplex(4096);
    let mut peer = Peer::over(theirs);
    let options = brief().reply_timeout(SECOND / 4);
    let client = Client::builder().options(options).build(ours);
    let (answer, ()) = tokio::join!(client.execute(echo("late")), async {
        sleep(SECOND / 2).await;
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(answer.unwrap(), "late");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_somebody_else_has_is_waited_for() {
    let (client, mut peer) = synced_pair().await;
    let patient = client.with_options(Options::new());
    let brief = client.with_options(brief());
    let answers = async {
        sleep(20 * SECOND).await;
        peer.answer_echo().await;
        peer.answer_echo().await;
    };
    let (first, second, ()) = tokio::join!(
        patient.execute(echo("1")),
        brief.execute(echo("2")),
        answers
    );
    assert_eq!(first.unwrap(), "1");
    assert_eq!(second.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn each_answer_of_a_pipeline_has_the_reply_timeout() {
    let (client, mut peer) = synced_pair().await;
    let client = client.with_options(brief());
    let mut pipeline = client.pipeline((0..3).map(echo));
    let read = async {
        let mut answers = Vec::new();
        while let Some(answer) = pipeline.next().await {
            answers.push(answer.map_err(|error| error.is_timeout()));
        }
        answers
    };
    let answers = async {
        for _ in 0..2 {
            sleep(SECOND * 3 / 4).await;
            peer.answer_echo().await;
        }
    };
    let (read, ()) = tokio::join!(read, answers);
    assert_eq!(read.len(), 3);
    assert!(read[..2].iter().all(Result::is_ok), "{read:?}");
    assert_eq!(read[2], Err(true));
}

#[tokio::test(start_paused = true)]
async fn a_longer_reply_timeout_than_the_whole_changes_nothing() {
    let (client, _peer) = synced_pair().await;
    let options = Options::new().timeout(SECOND).reply_timeout(9 * SECOND);
    let error = client
        .with_options(options)
        .execute(Ping)
        .await
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout(time) if *time == SECOND));
}
