//! A monitor that a test plays line by line.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

pub(crate) const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "Acme"}, "capabilities": ["oob"]}}"#;

/// The other end of a client's stream.
pub(crate) struct Peer(BufReader<DuplexStream>);

/// A stream for a client, and its other end.
pub(crate) fn pair() -> (DuplexStream, Peer) {
    let (client, peer) = tokio::io::duplex(64 * 1024);
    (client, Peer(BufReader::new(peer)))
}

impl Peer {
    /// Greets and consents.
    pub(crate) async fn begin(&mut self) {
        self.send(GREETING).await;
        let request = self.request().await;
        assert_eq!(request["execute"], "qmp_capabilities");
        self.reply(&request, "{}").await;
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.bytes(format!("{text}\r\n").as_bytes()).await;
    }

    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
    }

    pub(crate) async fn event(&mut self, name: &str, data: &str) {
        let time = r#"{"seconds": 1700000000, "microseconds": 5}"#;
        self.send(&format!(
            r#"{{"timestamp": {time}, "event": "{name}", "data": {data}}}"#
        ))
        .await;
    }

    /// The next request; none at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.0.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    pub(crate) async fn request(&mut self) -> Value {
        self.next().await.expect("a request")
    }

    pub(crate) async fn reply(&mut self, to: &Value, value: &str) {
        self.send(&format!(r#"{{"return": {value}, "id": {}}}"#, to["id"]))
            .await;
    }

    pub(crate) async fn fail(&mut self, to: &Value, class: &str, desc: &str) {
        self.send(&format!(
            r#"{{"id": {}, "error": {{"class": "{class}", "desc": "{desc}"}}}}"#,
            to["id"]
        ))
        .await;
    }

    /// Takes a command of this name and answers it.
    pub(crate) async fn serve(&mut self, name: &str, value: &str) {
        let request = self.request().await;
        assert_eq!(request["execute"], name);
        self.reply(&request, value).await;
    }
}
