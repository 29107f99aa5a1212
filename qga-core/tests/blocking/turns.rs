//! Threads that share a client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::{both, echo, synced_pair};
use qga_core::QgaCommand;
use serde::{Serialize, Serializer};

#[test]
fn threads_have_the_channel_in_the_order_in_which_they_came() {
    let (client, mut peer) = synced_pair();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.execute(echo("first")));
        let request = peer.request();
        let (sender, begun) = mpsc::channel();
        let others: Vec<_> = (0..4)
            .map(|n| {
                let (client, sender) = (&client, sender.clone());
                let other = scope.spawn(move || {
                    sender.send(()).unwrap();
                    client.execute(echo(n))
                });
                begun.recv().unwrap();
                // It is about to stand in the queue.
                sleep(Duration::from_millis(100));
                other
            })
            .collect();
        peer.send(crate::support::echo_reply(&request));
        let served: Vec<_> = (0..4).map(|_| peer.answer_echo()).collect();
        assert_eq!(served, ["0", "1", "2", "3"]);
        assert_eq!(first.join().unwrap().unwrap(), "first");
        for (n, other) in others.into_iter().enumerate() {
            assert_eq!(other.join().unwrap().unwrap(), n.to_string());
        }
    });
}

#[test]
fn threads_that_share_a_client_each_get_their_own_reply() {
    let (client, mut peer) = synced_pair();
    let agent = thread::spawn(move || peer.echo_all());
    thread::scope(|scope| {
        for thread in 0..8 {
            let client = client.clone();
            scope.spawn(move || {
                for command in 0..50 {
                    let text = format!("{thread}.{command}");
                    assert_eq!(client.execute(echo(&text)).unwrap(), text);
                }
            });
        }
    });
    drop(client);
    agent.join().unwrap();
}

/// Arguments that panic while a pipeline has the channel.
struct Panics(bool);

impl Serialize for Panics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(!self.0, "the caller's own mistake");
        serializer.serialize_str("harmless")
    }
}

#[derive(QgaCommand)]
#[qga(name = "test-echo", response = String)]
struct Fragile {
    text: Panics,
}

#[test]
fn a_panic_in_a_callers_own_code_leaves_the_channel_to_others() {
    let (client, mut peer) = synced_pair();
    let fragile = |panics| Fragile {
        text: Panics(panics),
    };
    let run = || {
        let mut pipeline = client
            .pipeline([fragile(false), fragile(true)])
            .in_flight(1);
        assert_eq!(pipeline.next().unwrap().unwrap(), "harmless");
        let panicked = catch_unwind(AssertUnwindSafe(|| pipeline.next()));
        assert!(panicked.is_err());
    };
    both(run, || peer.answer_echo());
    let (answer, _) = both(|| client.execute(echo("next")), || peer.answer_echo());
    assert_eq!(answer.unwrap(), "next");
}
