//! The other end of a channel, played by the test in a thread of its own.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use qga_core::blocking::{Client, ClientBuilder};
use qga_core::{Options, QgaCommand};
use serde_json::{Value, json};

#[derive(Clone, Copy, QgaCommand)]
#[qga(name = "guest-ping")]
pub(crate) struct Ping;

/// Returns its own argument, so that a reply given to the wrong command is noticed.
#[derive(Clone, Debug, QgaCommand)]
#[qga(name = "test-echo", response = Value)]
pub(crate) struct Echo {
    pub(crate) text: String,
}

pub(crate) fn echo(text: impl ToString) -> Echo {
    Echo {
        text: text.to_string(),
    }
}

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_response)]
pub(crate) struct Shutdown;

/// Longer than any test takes.
pub(crate) const PATIENT: Options = Options::new()
    .timeout(Duration::from_secs(20))
    .grace(Duration::from_millis(100));

/// For a command that is to run out of time.
pub(crate) const BRIEF: Options = PATIENT.timeout(Duration::from_millis(200));

/// The agent's end of a stream.
pub(crate) struct Peer {
    pub(crate) stream: UnixStream,
    received: Vec<u8>,
}

/// A client and the other end of its channel.
pub(crate) fn pair() -> (Client, Peer) {
    pair_with(|builder| builder)
}

pub(crate) fn pair_with(set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (Client, Peer) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let client = set(Client::builder().options(PATIENT)).build(ours);
    (client, Peer::over(theirs))
}

/// A client that has synchronized, and the other end of its channel.
pub(crate) fn synced_pair() -> (Client, Peer) {
    let (client, mut peer) = pair();
    both(|| client.execute(Ping).unwrap(), || peer.sync_and_answer());
    (client, peer)
}

/// Does the second in another thread.
pub(crate) fn both<A, B: Send>(
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let second = scope.spawn(second);
        (first(), second.join().unwrap())
    })
}

/// A socket that an agent listens at, in a folder of its own.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            path: folder.path().join("qga.sock"),
            _folder: folder,
        }
    }

    pub(crate) fn listen(&self) -> UnixListener {
        drop(std::fs::remove_file(&self.path));
        UnixListener::bind(&self.path).unwrap()
    }
}

/// The next connection, which must come.
pub(crate) fn accept(listener: &UnixListener) -> Peer {
    listener.set_nonblocking(true).unwrap();
    for _ in 0..2000 {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).unwrap();
            return Peer::over(stream);
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("the client does not connect");
}

impl Peer {
    pub(crate) fn over(stream: UnixStream) -> Self {
        let long = Some(Duration::from_secs(20));
        stream.set_read_timeout(long).unwrap();
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// The next request as it came, without its newline; `None` when the client has closed the channel.
    pub(crate) fn next_request_bytes(&mut self) -> Option<Vec<u8>> {
        let mut seen = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let end = self.received[seen..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let rest = self.received.split_off(seen + end + 1);
                let mut line = std::mem::replace(&mut self.received, rest);
                line.pop();
                return Some(line);
            }
            seen = self.received.len();
            match self.stream.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
                // It has closed the channel with something unread in it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("the client sends nothing: {error}"),
            }
        }
    }

    /// The next request; a 0xFF resets, as it does in the agent.
    pub(crate) fn next_request(&mut self) -> Option<Value> {
        let line = self.next_request_bytes()?;
        let start = line.iter().rposition(|byte| *byte == 0xFF);
        Some(serde_json::from_slice(&line[start.map_or(0, |at| at + 1)..]).unwrap())
    }

    pub(crate) fn request(&mut self) -> Value {
        self.next_request()
            .expect("the client has closed the channel")
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Answers a sync as the agent does: with an error line, the 0xFF, and the token.
    pub(crate) fn sync(&mut self) {
        let request = self.request();
        assert_eq!(request["execute"], "guest-sync-delimited", "{request}");
        self.send(STRAY);
        self.send(b"\xFF");
        self.send(reply(&request, &request["arguments"]["id"]));
    }

    /// Answers a sync as an agent before QEMU 4.0 does.
    pub(crate) fn sync_without_id(&mut self) {
        let request = self.request();
        let token = &request["arguments"]["id"];
        self.send(b"\xFF");
        self.send(format!("{{\"return\": {token}}}\n"));
    }

    /// Answers the next request.
    pub(crate) fn answer(&mut self, returned: Value) {
        let request = self.request();
        self.send(reply(&request, &returned));
    }

    pub(crate) fn sync_and_answer(&mut self) {
        self.sync();
        self.answer(json!({}));
    }

    /// Answers the next request with the text that it holds, which it returns.
    pub(crate) fn answer_echo(&mut self) -> String {
        let request = self.request();
        self.send(echo_reply(&request));
        request["arguments"]["text"].as_str().unwrap().to_owned()
    }

    /// Answers syncs and echoes until the client leaves.
    pub(crate) fn echo_all(&mut self) {
        while let Some(request) = self.next_request() {
            match request["execute"].as_str() {
                Some("test-echo") => self.send(echo_reply(&request)),
                Some("guest-ping") => self.send(reply(&request, &json!({}))),
                _ => {
                    self.send(b"\xFF");
                    self.send(reply(&request, &request["arguments"]["id"]));
                }
            }
        }
    }

    /// Whether the client has sent nothing that is not read yet.
    pub(crate) fn hears_nothing(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let more = self.stream.read(&mut [0; 1]);
        self.stream.set_nonblocking(false).unwrap();
        self.received.is_empty() && more.is_err()
    }
}

pub(crate) const STRAY: &str =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n";

pub(crate) fn reply(request: &Value, returned: &Value) -> String {
    format!("{{\"return\": {returned}, \"id\": {}}}\n", request["id"])
}

pub(crate) fn echo_reply(request: &Value) -> String {
    reply(request, &request["arguments"]["text"])
}
