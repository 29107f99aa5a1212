//! What a client meets each time that it connects, as a test has it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qga_core::{Client, ClientBuilder, Error};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::support::reply;

/// What a client meets when it connects.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Door {
    Agent,
    /// An agent each of whose answers takes so long.
    Slow(Duration),
    /// It takes everything and answers nothing.
    Silent,
    /// It is silent, and then says this unasked.
    Says(&'static str, Duration),
    HangsUp,
    Refuses,
    /// It takes so long to open, and an agent is behind it.
    OpensAfter(Duration),
}

/// Where a client connects to. The last door stays.
#[derive(Clone, Default)]
pub(crate) struct Host(Arc<Mutex<Inside>>);

#[derive(Default)]
struct Inside {
    doors: VecDeque<Door>,
    opened: usize,
    ran: Vec<String>,
    is_mute: bool,
    connections: Vec<AbortHandle>,
}

impl Host {
    /// A client of this host, which has connected to an agent, and what it meets afterwards.
    pub(crate) async fn client(
        doors: &[Door],
        build: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Self, Client) {
        let host = Self::default();
        host.doors(&[Door::Agent]);
        let client = host.connect(build(Client::builder())).await.unwrap();
        host.doors(doors);
        (host, client)
    }

    /// The same, and the channel is lost.
    pub(crate) async fn lost(
        doors: &[Door],
        build: impl FnOnce(ClientBuilder) -> ClientBuilder,
    ) -> (Self, Client) {
        let (host, client) = Self::client(doors, build).await;
        host.hang_up().await;
        (host, client)
    }

    pub(crate) async fn connect(&self, builder: ClientBuilder) -> Result<Client, Error> {
        let host = self.clone();
        builder
            .connect_with(move || {
                let host = host.clone();
                async move { host.open().await }
            })
            .await
    }

    pub(crate) fn doors(&self, doors: &[Door]) {
        self.0.lock().unwrap().doors = doors.iter().copied().collect();
    }

    /// Ends all connections.
    pub(crate) async fn hang_up(&self) {
        let connections = std::mem::take(&mut self.0.lock().unwrap().connections);
        for connection in connections {
            connection.abort();
        }
        tokio::task::yield_now().await;
    }

    /// Agents go on and answer nothing more.
    pub(crate) fn goes_mute(&self) {
        self.0.lock().unwrap().is_mute = true;
    }

    pub(crate) fn speaks_again(&self) {
        self.0.lock().unwrap().is_mute = false;
    }

    /// How many connections were begun since the first one.
    pub(crate) fn reopened(&self) -> usize {
        self.0.lock().unwrap().opened - 1
    }

    /// What agents have been asked, but for syncs.
    pub(crate) fn ran(&self) -> Vec<String> {
        self.0.lock().unwrap().ran.clone()
    }

    async fn open(&self) -> io::Result<DuplexStream> {
        let door = self.next_door();
        match door {
            Door::Refuses => return Err(io::ErrorKind::ConnectionRefused.into()),
            Door::OpensAfter(time) => sleep(time).await,
            _ => {}
        }
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let task = tokio::spawn(self.clone().live(door, theirs));
        self.0.lock().unwrap().connections.push(task.abort_handle());
        Ok(ours)
    }

    fn next_door(&self) -> Door {
        let mut inside = self.0.lock().unwrap();
        inside.opened += 1;
        match inside.doors.len() {
            1 => inside.doors[0],
            _ => inside.doors.pop_front().unwrap(),
        }
    }

    async fn live(self, door: Door, mut stream: DuplexStream) {
        match door {
            Door::Agent | Door::OpensAfter(_) => self.answer(stream, Duration::ZERO).await,
            Door::Slow(time) => self.answer(stream, time).await,
            Door::Silent => silence(stream).await,
            Door::Says(words, after) => {
                sleep(after).await;
                stream.write_all(words.as_bytes()).await.unwrap();
                self.answer(stream, Duration::ZERO).await;
            }
            Door::HangsUp | Door::Refuses => {}
        }
    }

    /// Answers as an agent does, with the text that the request holds, if any, until the client leaves.
    async fn answer(self, stream: DuplexStream, time: Duration) {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while let Ok(1..) = stream.read_until(b'\n', &mut line).await {
            sleep(time).await;
            let answer = self.carry_out(&line);
            line.clear();
            let is_mute = self.0.lock().unwrap().is_mute;
            if !is_mute && stream.write_all(&answer).await.is_err() {
                return;
            }
        }
    }

    fn carry_out(&self, line: &[u8]) -> Vec<u8> {
        let start = line.iter().rposition(|byte| *byte == 0xFF);
        let request: Value = serde_json::from_slice(&line[start.map_or(0, |at| at + 1)..]).unwrap();
        let arguments = &request["arguments"];
        let name = request["execute"].as_str().unwrap();
        let mut answer = Vec::new();
        let returned = if name == "guest-sync-delimited" {
            answer.push(0xFF);
            arguments["id"].clone()
        } else {
            self.0.lock().unwrap().ran.push(name.to_owned());
            let text = arguments["text"].clone();
            if text.is_null() { json!({}) } else { text }
        };
        answer.extend_from_slice(reply(&request, &returned).as_bytes());
        answer
    }
}

async fn silence(stream: DuplexStream) {
    let (mut reader, _writer) = tokio::io::split(stream);
    tokio::io::copy(&mut reader, &mut tokio::io::sink())
        .await
        .unwrap();
    std::future::pending::<()>().await;
}
