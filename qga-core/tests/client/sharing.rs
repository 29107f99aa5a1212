//! One channel, several tasks.

use std::time::Duration;

use crate::support::{Ping, echo, synced_pair};
use qga_core::{Execution, Stage};
use serde_json::{Value, json};

#[tokio::test(start_paused = true)]
async fn tasks_that_share_a_client_each_get_their_own_reply() {
    let (client, mut peer) = synced_pair().await;
    let agent = tokio::spawn(async move {
        loop {
            peer.answer_echo().await;
        }
    });
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let client = client.clone();
            tokio::spawn(async move { (n, client.execute(echo(n)).await.unwrap()) })
        })
        .collect();
    for task in tasks {
        let (n, answer) = task.await.unwrap();
        assert_eq!(answer, n.to_string());
    }
    agent.abort();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_another_tasks_command_counts_against_the_deadline() {
    let (client, mut peer) = synced_pair().await;
    let slow = client.clone();
    let slow = tokio::spawn(async move { slow.execute(echo("slow")).await });
    let request = peer.request().await;
    let brief = client.options().timeout(Duration::from_secs(1));
    let error = client.with_options(brief).execute(Ping).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Queue, Execution::NotRun)
    );
    assert!(peer.hears_nothing().await);
    peer.send(crate::support::echo_reply(&request)).await;
    assert_eq!(slow.await.unwrap().unwrap(), "slow");
}

#[tokio::test(start_paused = true)]
async fn a_raw_command_is_sent_by_name() {
    let (client, mut peer) = synced_pair().await;
    let (answer, request) =
        tokio::join!(client.execute_raw("vendor-do", json!({"a": [1]})), async {
            let request = peer.request().await;
            peer.send(crate::support::reply(&request, &json!({"b": 1.5})))
                .await;
            request
        });
    assert_eq!(answer.unwrap(), json!({"b": 1.5}));
    assert_eq!(request["execute"], "vendor-do");
    assert_eq!(request["arguments"], json!({"a": [1]}));
    let (answer, request) = tokio::join!(client.execute_raw("vendor-do", Value::Null), async {
        let request = peer.request().await;
        peer.send(crate::support::reply(&request, &Value::Null))
            .await;
        request
    });
    assert_eq!(answer.unwrap(), Value::Null);
    assert!(request.get("arguments").is_none());
}

#[test]
fn a_client_may_move_from_one_runtime_to_another() {
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap()
    };
    let (client, mut peer) = runtime().block_on(synced_pair());
    runtime().block_on(async {
        let (answer, ()) = tokio::join!(client.execute(echo(1)), peer.answer_echo());
        assert_eq!(answer.unwrap(), "1");
    });
}

#[test]
fn futures_of_a_client_may_move_between_threads() {
    fn assert_send<T: Send>(_: T) {}
    async fn check() {
        let (client, _) = synced_pair().await;
        assert_send(client.execute(Ping));
        assert_send(client.execute_raw("guest-ping", Value::Null));
        assert_send(async move {
            let mut pipeline = client.pipeline([echo(1)]);
            pipeline.next().await
        });
    }
    assert_send(check());
}
