//! An agent that writes down what it ran. Its process outlives its channels: half a request of one
//! client is continued by the next (rule 58), and an unread reply may wait for it (rule 64).

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use crate::random::Random;
use crate::wire::Pipe;

/// How often each command was run, by its text.
pub(crate) type Ran = Arc<Mutex<HashMap<String, u32>>>;

const STRAY: &str =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n";

pub(crate) struct Agent {
    random: Random,
    echoes_ids: bool,
    is_faulty: bool,
    ran: Ran,
    /// The request that is being read.
    input: Vec<u8>,
    /// What the agent has not read of a channel that ended.
    backlog: VecDeque<u8>,
    /// What the next client finds.
    unread: Vec<u8>,
    said: Vec<String>,
}

/// What becomes of a reply.
#[derive(Default)]
struct Delivery {
    bytes: Vec<u8>,
    /// The channel ends after so many of the bytes.
    ends_after: Option<usize>,
    is_reset: bool,
}

impl Agent {
    pub(crate) fn new(seed: u64, echoes_ids: bool, is_faulty: bool, ran: Ran) -> Self {
        Self {
            random: Random(seed),
            echoes_ids,
            is_faulty,
            ran,
            input: Vec::new(),
            backlog: VecDeque::new(),
            unread: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Serves one channel after the other.
    pub(crate) async fn live(mut self, mut pipes: UnboundedReceiver<Pipe>) {
        while let Some(mut pipe) = pipes.recv().await {
            // An error is the client's leave, or our own.
            drop(self.serve(&mut pipe).await);
            if self.random.percent(50) {
                self.backlog.clear();
            }
        }
    }

    async fn serve(&mut self, pipe: &mut Pipe) -> io::Result<()> {
        let unread = std::mem::take(&mut self.unread);
        self.write(pipe, &unread).await?;
        let mut piece = [0; 512];
        loop {
            while let Some(byte) = self.backlog.pop_front() {
                if let Some(delivery) = self.take(byte).await {
                    self.deliver(pipe, delivery).await?;
                }
            }
            let most = 1 + self.random.size(piece.len() as u64);
            let count = pipe.stream.read(&mut piece[..most]).await?;
            if count == 0 {
                return Ok(());
            }
            self.backlog.extend(&piece[..count]);
        }
    }

    async fn deliver(&mut self, pipe: &mut Pipe, delivery: Delivery) -> io::Result<()> {
        let end = delivery.ends_after.unwrap_or(delivery.bytes.len());
        self.write(pipe, &delivery.bytes[..end]).await?;
        if delivery.ends_after.is_none() {
            return Ok(());
        }
        if delivery.is_reset {
            pipe.reset();
        }
        if self.random.percent(30) {
            self.unread.extend_from_slice(&delivery.bytes[end..]);
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    async fn write(&mut self, pipe: &mut Pipe, bytes: &[u8]) -> io::Result<()> {
        let size = 1 + self.random.size(bytes.len() as u64);
        for piece in bytes.chunks(size) {
            if let Err(error) = pipe.stream.write_all(piece).await {
                if self.random.percent(50) {
                    self.unread.extend_from_slice(bytes);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes a byte; a request is carried out at its last brace, and 0xFF ends half a one.
    async fn take(&mut self, byte: u8) -> Option<Delivery> {
        if byte == 0xFF {
            self.input.clear();
            let bytes = STRAY.repeat(1 + self.random.size(2)).into_bytes();
            return Some(Delivery {
                bytes,
                ..Delivery::default()
            });
        }
        self.input.push(byte);
        if byte != b'}' {
            return None;
        }
        let request: Value = serde_json::from_slice(&self.input).ok()?;
        self.input.clear();
        if self.is_faulty && self.random.percent(3) {
            // Killed with the request in hand.
            return Some(self.ending(Vec::new()));
        }
        Some(self.carry_out(&request).await)
    }

    async fn carry_out(&mut self, request: &Value) -> Delivery {
        let is_delimited = request["execute"] == "guest-sync-delimited";
        // Where an old refusal could be one of the sync, the other sync is tried.
        let is_sync = is_delimited || request["execute"] == "guest-sync";
        let text = self.reply(request, is_sync);
        let mut delivery = Delivery::default();
        if self.is_faulty {
            self.spoil(&mut delivery.bytes).await;
        }
        if is_delimited {
            delivery.bytes.push(0xFF);
        }
        let is_lost = self.is_faulty && !is_sync && self.random.percent(4);
        if !is_lost {
            delivery.bytes.extend_from_slice(text.as_bytes());
        }
        if self.is_faulty && self.echoes_ids && self.random.percent(5) {
            delivery.bytes.extend_from_slice(text.as_bytes());
        }
        if !text.is_empty() {
            self.said.push(text);
        }
        if self.is_faulty && self.random.percent(6) {
            return self.ending(delivery.bytes);
        }
        delivery
    }

    fn ending(&mut self, bytes: Vec<u8>) -> Delivery {
        Delivery {
            ends_after: Some(self.random.size(bytes.len() as u64 + 1)),
            is_reset: self.random.percent(50),
            bytes,
        }
    }

    fn reply(&mut self, request: &Value, is_sync: bool) -> String {
        let is_wrong = self.is_faulty && self.echoes_ids && self.random.percent(2);
        let id = match &request["id"] {
            _ if is_wrong => ", \"id\": 5".to_owned(),
            id if self.echoes_ids && !id.is_null() => format!(", \"id\": {id}"),
            _ => String::new(),
        };
        let text = &request["arguments"]["text"];
        let failed = |class: &str| {
            format!("{{\"error\": {{\"class\": \"{class}\", \"desc\": {text}}}{id}}}\n")
        };
        if is_sync {
            return format!("{{\"return\": {}{id}}}\n", request["arguments"]["id"]);
        }
        if self.random.percent(3) {
            return failed("CommandNotFound");
        }
        let name = text.as_str().unwrap().to_owned();
        *self.ran.lock().unwrap().entry(name).or_default() += 1;
        if self.random.percent(5) {
            failed("GenericError")
        } else if request["execute"] == "test-quit" {
            String::new()
        } else {
            format!("{{\"return\": {text}{id}}}\n")
        }
    }

    /// Waits, or puts something before a reply.
    async fn spoil(&mut self, before: &mut Vec<u8>) {
        if self.random.percent(8) {
            sleep(Duration::from_millis(self.random.below(400))).await;
        }
        if self.random.percent(3) {
            sleep(Duration::from_millis(self.random.below(15_000))).await;
        }
        if self.random.percent(1) {
            before.resize(before.len() + self.random.size(crate::FLOOD), b'x');
        }
        // Without ids, an old reply that comes after the request cannot be told from a new one.
        if !self.echoes_ids {
            return;
        }
        if self.random.percent(6) && !self.said.is_empty() {
            let old = &self.said[self.random.size(self.said.len() as u64)];
            before.extend_from_slice(old.as_bytes());
        }
        if self.random.percent(3) && !self.said.is_empty() {
            let old = &self.said[self.random.size(self.said.len() as u64)];
            let torn = self.random.size(old.len() as u64 - 1);
            before.extend_from_slice(&old.as_bytes()[..torn]);
        }
        if self.random.percent(2) {
            before.extend_from_slice(b"\xFE\xFE");
        }
    }
}
