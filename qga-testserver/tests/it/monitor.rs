//! The monitor of a fake machine, by plain bytes. What is asserted was seen on real ones.

mod blocks;
mod faults;
mod port;
mod power;
mod protocol;

use std::time::Duration;

use qga_testserver::TestMachine;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::wire::Wire;

/// Longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client that has negotiated, over a socket.
struct Qmp {
    wire: Wire<UnixStream>,
    /// What came before the replies.
    events: Vec<Value>,
}

impl Qmp {
    async fn connect(machine: &TestMachine) -> Self {
        let mut qmp = Self::raw(machine).await;
        let greeting = qmp.next().await;
        assert!(
            greeting["QMP"]["version"]["qemu"]["major"].is_u64(),
            "{greeting}"
        );
        assert_eq!(qmp.get("qmp_capabilities").await, json!({}));
        qmp
    }

    /// A client that has said nothing yet.
    async fn raw(machine: &TestMachine) -> Self {
        let stream = UnixStream::connect(machine.monitor_path()).await.unwrap();
        Self {
            wire: Wire::new(stream),
            events: Vec::new(),
        }
    }

    async fn next(&mut self) -> Value {
        let line = self.wire.line().await;
        let told = line.strip_suffix("\r\n").expect("a line ends so");
        serde_json::from_str(told).unwrap()
    }

    async fn send(&mut self, request: impl AsRef<[u8]>) {
        self.wire.send(request).await;
    }

    /// The next reply, and keeps the events before it.
    async fn reply(&mut self) -> Value {
        loop {
            let told = self.next().await;
            if told.get("event").is_none() {
                return told;
            }
            self.events.push(told);
        }
    }

    async fn call(&mut self, command: &str, arguments: Value) -> Value {
        self.send(json!({"execute": command, "arguments": arguments}).to_string())
            .await;
        let mut reply = self.reply().await;
        match reply.get_mut("return") {
            Some(value) => value.take(),
            None => reply["error"]["desc"].take(),
        }
    }

    async fn get(&mut self, command: &str) -> Value {
        self.call(command, json!({})).await
    }

    async fn status(&mut self) -> String {
        let told = self.get("query-status").await;
        let status = told["status"].as_str().unwrap().to_owned();
        assert_eq!(told["running"], status == "running", "{told}");
        status
    }

    /// The next event.
    async fn event(&mut self) -> Value {
        if self.events.is_empty() {
            let told = timeout(PATIENCE, self.next()).await.expect("an event");
            assert!(told["timestamp"]["seconds"].is_u64(), "{told}");
            return told;
        }
        self.events.remove(0)
    }

    /// The next events have these names.
    async fn events(&mut self, names: &[&str]) {
        for name in names {
            let event = self.event().await;
            assert_eq!(event["event"], *name, "{event}");
        }
    }

    /// The next event is about the port.
    async fn port(&mut self, is_open: bool) {
        let event = self.event().await;
        assert_eq!(event["event"], "VSERPORT_CHANGE", "{event}");
        assert_eq!(event["data"], json!({"open": is_open, "id": "ga0"}));
    }

    /// Nothing comes but the end.
    async fn end(&mut self) {
        assert!(self.events.is_empty(), "{:?}", self.events);
        assert_eq!(self.wire.rest().await, "");
    }
}

/// Sends the agent a request.
async fn tell_agent(machine: &TestMachine, request: Value) -> Wire<UnixStream> {
    let stream = UnixStream::connect(machine.agent().path()).await.unwrap();
    let mut wire = Wire::new(stream);
    wire.send(request.to_string()).await;
    wire
}

/// Sends the agent `guest-shutdown`.
async fn shut_down(machine: &TestMachine, mode: &str) -> Wire<UnixStream> {
    tell_agent(
        machine,
        json!({"execute": "guest-shutdown", "arguments": {"mode": mode}}),
    )
    .await
}
