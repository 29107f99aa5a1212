//! Whether it may be another agent that answers.

use std::sync::Arc;
use std::time::Duration;

use std::time::Instant;

use crate::support::{Peer, Ping, QUICK, echo, echo_reply, pair, synced_pair};
use qga_core::{Answering, Client, Error, Execution, MessageTransport, TransportError};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::sync::{Mutex, mpsc};
use tokio::time::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// A client that opens stream after stream; their other ends come out of the receiver.
async fn reconnecting() -> (Client, mpsc::UnboundedReceiver<DuplexStream>, Peer) {
    let (sender, mut opened) = mpsc::unbounded_channel();
    let sender = Arc::new(Mutex::new(sender));
    let open = move || {
        let sender = Arc::clone(&sender);
        async move {
            let (ours, theirs) = tokio::io::duplex(4096);
            sender.lock().await.send(theirs).unwrap();
            Ok(ours)
        }
    };
    let connect = Client::builder().options(QUICK).connect_with(open);
    let (client, peer) = tokio::join!(connect, accept(&mut opened));
    (client.unwrap(), opened, peer)
}

async fn accept(opened: &mut mpsc::UnboundedReceiver<DuplexStream>) -> Peer {
    let mut peer = Peer::over(opened.recv().await.unwrap());
    peer.sync().await;
    peer
}

fn is_kept_back(error: &Error) -> bool {
    error.is_not_allowed() && error.execution() == Execution::NotRun
}

#[tokio::test(start_paused = true)]
async fn a_contact_lasts_while_the_agent_is_heard() {
    let (client, mut peer) = synced_pair().await;
    let contact = client.contact();
    let same = client.in_contact(contact);
    for _ in 0..5 {
        sleep(SECOND).await;
        let (answer, ()) = tokio::join!(same.execute(echo(1)), peer.answer_echo());
        answer.unwrap();
        assert_eq!(client.contact(), contact);
    }
}

#[tokio::test(start_paused = true)]
async fn a_contact_ends_with_two_quiet_seconds_and_nothing_is_sent_in_it() {
    let (client, mut peer) = synced_pair().await;
    let contact = client.contact();
    sleep(2 * SECOND).await;
    assert_ne!(client.contact(), contact);
    let error = client
        .in_contact(contact)
        .execute(echo(1))
        .await
        .unwrap_err();
    assert!(is_kept_back(&error), "{error}");
    let mut pipeline = client.in_contact(contact).pipeline([echo(1), echo(2)]);
    for _ in 0..2 {
        let error = pipeline.next().await.unwrap().unwrap_err();
        assert!(is_kept_back(&error), "{error}");
    }
    assert!(peer.hears_nothing().await);
    let (answer, ()) = tokio::join!(client.execute(echo(2)), peer.answer_echo());
    answer.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_took_long_begins_another_contact() {
    let (client, mut peer) = synced_pair().await;
    let contact = client.contact();
    let same = client.in_contact(contact);
    let (answer, ()) = tokio::join!(same.execute(echo(1)), async {
        let request = peer.request().await;
        sleep(3 * SECOND).await;
        peer.send(echo_reply(&request)).await;
    });
    answer.unwrap();
    assert_ne!(client.contact(), contact);
}

#[tokio::test(start_paused = true)]
async fn a_contact_ends_with_a_dropped_future_and_with_a_timeout() {
    for seconds in [1, 60] {
        let (client, mut peer) = synced_pair().await;
        let same = client.in_contact(client.contact());
        drop(timeout(seconds * SECOND / 2, client.execute(echo(1))).await);
        peer.request().await;
        let (answer, ()) = tokio::join!(same.execute(echo(2)), async {
            if seconds == 1 {
                peer.sync().await;
            }
        });
        assert!(is_kept_back(&answer.unwrap_err()));
        assert!(peer.hears_nothing().await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_for_one_contact_is_not_sent_over_a_new_connection() {
    let (client, mut opened, mut peer) = reconnecting().await;
    let (answer, ()) = tokio::join!(client.execute(echo(1)), peer.answer_echo());
    answer.unwrap();
    let contact = client.contact();
    drop(peer);
    let same = client.in_contact(contact);
    let (answer, mut peer) = tokio::join!(same.execute(Ping), accept(&mut opened));
    assert!(is_kept_back(&answer.unwrap_err()));
    assert!(peer.hears_nothing().await);
    assert_ne!(client.contact(), contact);
    let (pinged, ()) = tokio::join!(client.execute(Ping), peer.answer(json!({})));
    pinged.unwrap();
}

/// It may be sent again by itself.
#[derive(qga_core::QgaCommand)]
#[qga(name = "test-ask", retry = Safe)]
struct Ask;

#[tokio::test(start_paused = true)]
async fn a_command_for_one_contact_that_is_lost_is_not_sent_again_in_the_next() {
    let (client, mut opened, mut peer) = reconnecting().await;
    let (answer, ()) = tokio::join!(client.execute(echo(1)), peer.answer_echo());
    answer.unwrap();
    let same = client.in_contact(client.contact());
    let (answer, mut peer) = tokio::join!(same.execute(Ask), async {
        peer.request().await;
        drop(peer);
        accept(&mut opened).await
    });
    let error = answer.unwrap_err();
    assert!(error.is_closed(), "{error}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert!(peer.hears_nothing().await);
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_late_belongs_to_the_contact_that_begins_with_it() {
    let (client, mut peer) = synced_pair().await;
    for late in [0, 3] {
        let before = client.contact();
        let ((answer, contact), ()) = tokio::join!(client.execute_with_contact(echo(1)), async {
            let request = peer.request().await;
            sleep(late * SECOND).await;
            peer.send(echo_reply(&request)).await;
        });
        answer.unwrap();
        assert_eq!(contact == before, late == 0, "{late} s");
        let same = client.in_contact(contact);
        let (answer, ()) = tokio::join!(same.execute(echo(2)), peer.answer_echo());
        answer.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_agents_own_error_tells_its_contact_too() {
    let (client, mut peer) = synced_pair().await;
    let ((answer, contact), ()) = tokio::join!(client.execute_with_contact(echo(1)), async {
        let request = peer.request().await;
        sleep(3 * SECOND).await;
        let error = json!({"class": "GenericError", "desc": "no"});
        let reply = json!({"error": error, "id": request["id"]});
        peer.send(format!("{reply}\n")).await;
    });
    assert!(answer.unwrap_err().agent_error().is_some());
    assert_eq!(client.contact(), contact);
}

#[tokio::test(start_paused = true)]
async fn it_is_known_how_long_the_last_answer_took() {
    let (client, mut peer) = synced_pair().await;
    assert_eq!(client.latency(), None);
    let _present = client.contact();
    for late in [1, 4, 0] {
        let (answer, ()) = tokio::join!(client.execute(echo(1)), async {
            let request = peer.request().await;
            sleep(late * SECOND).await;
            peer.send(echo_reply(&request)).await;
        });
        answer.unwrap();
        let latency = client.latency().unwrap();
        assert!(latency >= late * SECOND, "{latency:?}");
        assert!(latency < (late + 1) * SECOND, "{latency:?}");
    }
    // What is not answered tells nothing.
    let latency = client.latency();
    client.execute(Ping).await.unwrap_err();
    assert_eq!(client.latency(), latency);
}

/// An agent that does not echo ids, so that a line that nobody has asked for makes a handshake due.
async fn synced_pair_without_ids() -> (Client, Peer) {
    let (client, mut peer) = pair(64 * 1024);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.sync_without_id().await;
        peer.request().await;
        peer.send("{\"return\": {}}\n").await;
    });
    pinged.unwrap();
    (client, peer)
}

#[tokio::test(start_paused = true)]
async fn a_line_that_nobody_has_asked_for_ends_the_contact_before_anything_is_sent_in_it() {
    for is_pipeline in [false, true] {
        let (client, mut peer) = synced_pair_without_ids().await;
        let contact = client.contact();
        peer.send("{\"return\": 5}\n").await;
        let same = client.in_contact(contact);
        let command = async {
            if is_pipeline {
                same.pipeline([echo(1)]).next().await.unwrap()
            } else {
                same.execute(echo(1)).await
            }
        };
        let (answer, ()) = tokio::join!(command, peer.sync_without_id());
        assert!(is_kept_back(&answer.unwrap_err()), "{is_pipeline}");
        assert!(peer.hears_nothing().await);
        assert_ne!(client.contact(), contact);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_nobody_has_asked_for_in_a_pipeline_ends_its_contact() {
    let (client, mut peer) = synced_pair_without_ids().await;
    let contact = client.contact();
    let same = client.in_contact(contact);
    let mut pipeline = same.pipeline([echo(1), echo(2)]).in_flight(1);
    let (first, ()) = tokio::join!(pipeline.next(), async {
        let request = peer.request().await;
        let text = &request["arguments"]["text"];
        peer.send(format!("{{\"return\": {text}}}\n{{\"return\": 5}}\n"))
            .await;
    });
    first.unwrap().unwrap();
    let (second, ()) = tokio::join!(pipeline.next(), peer.sync_without_id());
    assert!(is_kept_back(&second.unwrap().unwrap_err()));
    assert!(peer.hears_nothing().await);
    assert_ne!(client.contact(), contact);
}

/// A transport of messages that fails at every third.
struct Unsteady(u32);

impl MessageTransport for Unsteady {
    fn call<'a>(&'a mut self, request: &'a [u8], _: Instant) -> Answering<'a> {
        Box::pin(async move {
            self.0 += 1;
            if self.0.is_multiple_of(3) {
                return Err(TransportError::timeout());
            }
            let request: Value = serde_json::from_slice(request).map_err(TransportError::other)?;
            Ok(json!({"return": {}, "id": request["id"]})
                .to_string()
                .into())
        })
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_a_transport_that_needs_no_sync_ends_the_contact() {
    let client = Client::builder().build_messages(Unsteady(0));
    client.execute(Ping).await.unwrap();
    let contact = client.contact();
    client.execute(Ping).await.unwrap();
    assert_eq!(client.contact(), contact);
    client.execute(Ping).await.unwrap_err();
    assert_ne!(client.contact(), contact);
    let same = client.in_contact(contact);
    assert!(is_kept_back(&same.execute(Ping).await.unwrap_err()));
}

#[tokio::test(start_paused = true)]
async fn a_contact_of_one_channel_is_none_of_another() {
    let ((one, _one_peer), (other, _other_peer)) = (synced_pair().await, synced_pair().await);
    assert_ne!(one.contact(), other.contact());
    let error = one.in_contact(other.contact()).execute(Ping).await;
    assert!(is_kept_back(&error.unwrap_err()));
}
