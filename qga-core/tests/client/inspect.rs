//! Somebody who looks at what goes over a channel.

use std::sync::{Arc, Mutex};

use qga_core::{Answering, Client, Direction, MessageTransport, blocking};
use qga_testserver::TestAgent;
use serde_json::{Value, json};

use crate::support::Ping;

/// All that was seen, each way.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<[Vec<u8>; 2]>>);

impl Seen {
    fn look(&self) -> impl Fn(Direction, &[u8]) + Send + Sync + 'static + use<> {
        let seen = self.clone();
        move |direction, bytes| {
            let [sent, received] = &mut *seen.0.lock().unwrap();
            match direction {
                Direction::Sent => sent.extend_from_slice(bytes),
                Direction::Received => received.extend_from_slice(bytes),
            }
        }
    }

    /// The last request and the last reply.
    #[track_caller]
    fn assert_last_is_a_ping(&self) {
        let [sent, received] = &*self.0.lock().unwrap();
        let last = |bytes: &[u8]| -> Value {
            let line = bytes
                .strip_suffix(b"\n")
                .unwrap()
                .rsplit(|byte| *byte == b'\n')
                .next();
            serde_json::from_slice(line.unwrap()).unwrap()
        };
        assert_eq!(last(sent)["execute"], "guest-ping");
        assert_eq!(last(received)["return"], json!({}));
        assert_eq!(last(received)["id"], last(sent)["id"]);
    }
}

#[tokio::test]
async fn whoever_looks_on_sees_the_bytes_of_each_direction() {
    let agent = TestAgent::start().await;
    let seen = Seen::default();
    let builder = Client::builder().inspect(seen.look());
    let client = builder.clone().connect(agent.address()).await.unwrap();
    client.execute(Ping).await.unwrap();
    seen.assert_last_is_a_ping();
    // The agent serves one client at a time.
    drop(client);
    let seen = Seen::default();
    let client = builder.inspect(seen.look()).build(agent.connect());
    client.execute(Ping).await.unwrap();
    seen.assert_last_is_a_ping();
}

#[tokio::test]
async fn whoever_looks_on_sees_what_comes_after_a_reconnect() {
    let agent = TestAgent::start().await;
    let seen = Seen::default();
    let builder = Client::builder().inspect(seen.look());
    let client = builder.connect(agent.address()).await.unwrap();
    agent.restart();
    for half in &mut *seen.0.lock().unwrap() {
        half.clear();
    }
    while client.execute(Ping).await.is_err() {}
    seen.assert_last_is_a_ping();
}

#[test]
fn whoever_looks_on_sees_what_a_thread_that_waits_sends_and_gets() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let agent = runtime.block_on(TestAgent::start());
    let seen = Seen::default();
    let builder = blocking::Client::builder().inspect(seen.look());
    let client = builder.connect(agent.address()).unwrap();
    client.execute(Ping).unwrap();
    seen.assert_last_is_a_ping();
}

#[tokio::test]
async fn whoever_looks_on_sees_whole_messages_as_lines() {
    struct Yes;
    impl MessageTransport for Yes {
        fn call<'a>(&'a mut self, request: &'a [u8], _: std::time::Instant) -> Answering<'a> {
            let request: Value = serde_json::from_slice(request).unwrap();
            let reply = json!({"return": {}, "id": request["id"]});
            Box::pin(async move { Ok(reply.to_string().into()) })
        }
    }
    let seen = Seen::default();
    let client = Client::builder().inspect(seen.look()).build_messages(Yes);
    client.execute(Ping).await.unwrap();
    seen.assert_last_is_a_ping();
}
