//! Cases recorded from real agents of QEMU 7.2, 10.0 and 11.1.

use std::collections::HashMap;
use std::time::Duration;

use qga_testserver::{Profile, TestAgent};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::wire::Wire;

#[cfg(unix)]
mod real;

const CASES: &str = include_str!("../fixtures/conformance.jsonl");
/// A folder that is empty when a case begins.
const FOLDER: &str = "/tmp/case";

/// The versions whose answers were recorded.
const RECORDED: [(&str, Profile); 3] = [
    ("7.2", Profile::Qemu7_2),
    ("10.0", Profile::Qemu10_0),
    ("11.1", Profile::Qemu11_1),
];

/// What a client sends to get a clean channel.
const RESET: &[u8] =
    b"\xff\n{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7000001}}\n";
/// What the agent says to it last.
const RESET_REPLY: &str = "\u{ff}{\"return\": 7000001}\n";
/// What the agent says to it first when nothing was left behind.
const STRAY: &str = "JSON parse error, stray '\\uFFFD'\"}}\n";

trait Channel: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Channel for T {}

/// The agent of a case.
trait Agent {
    /// Where it has the empty folder.
    fn folder(&self) -> &str;
    async fn connect(&self) -> Box<dyn Channel>;
}

impl Agent for TestAgent {
    fn folder(&self) -> &str {
        FOLDER
    }

    async fn connect(&self) -> Box<dyn Channel> {
        Box::new(TestAgent::connect(self))
    }
}

/// One case in progress: its clients, and what was captured.
struct Run<A> {
    version: &'static str,
    agent: A,
    clients: HashMap<String, Wire<Box<dyn Channel>>>,
    latest: String,
    captured: HashMap<String, String>,
}

#[tokio::test(start_paused = true)]
async fn the_fake_answers_as_qemu_7_2_did() {
    run_all(RECORDED[0]).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_answers_as_qemu_10_0_did() {
    run_all(RECORDED[1]).await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_answers_as_qemu_11_1_did() {
    run_all(RECORDED[2]).await;
}

async fn run_all((version, profile): (&'static str, Profile)) {
    for line in CASES.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        println!("{version} {} {}", case["id"], case["title"]);
        let (agent, _) = TestAgent::in_memory();
        agent.profile(profile);
        agent.edit_guest(|guest| guest.frozen = case["frozen"] == true);
        if let Some(command) = case["block"].as_str() {
            agent.disable(command);
        }
        agent.folder(FOLDER);
        Run::of(agent, version).await.case(&case).await;
    }
}

impl<A: Agent> Run<A> {
    async fn of(agent: A, version: &'static str) -> Self {
        let mut run = Self {
            version,
            agent,
            clients: HashMap::new(),
            latest: String::new(),
            captured: HashMap::new(),
        };
        run.connect("A").await;
        run
    }

    async fn case(&mut self, case: &Value) {
        for step in case["steps"].as_array().unwrap() {
            self.step(step).await;
        }
        if let Some(names) = case["consecutive"].as_array() {
            let numbers = names
                .iter()
                .map(|name| self.captured[name.as_str().unwrap()].parse());
            let numbers: Vec<i64> = numbers.collect::<Result<_, _>>().unwrap();
            assert!(
                numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
                "{numbers:?}"
            );
        }
        self.check_what_is_left(&case["after"]).await;
    }

    /// The client that came last cleans the channel, and sees what the case left behind.
    async fn check_what_is_left(&mut self, after: &Value) {
        let client = self.clients.get_mut(&self.latest).unwrap();
        client.send(RESET).await;
        let mut lines = Vec::new();
        loop {
            let line = client.line().await;
            if line == RESET_REPLY {
                break;
            }
            lines.push(line);
        }
        if let Some(wanted) = after.get(self.version) {
            let wanted: Vec<_> = wanted.as_str().unwrap().lines().collect();
            assert_eq!(lines.len(), wanted.len(), "{lines:?}");
            for (line, wanted) in lines.iter().zip(wanted) {
                assert!(matches(line.trim_end(), wanted), "{line}");
            }
        } else {
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].ends_with(STRAY), "{lines:?}");
        }
        client.silence().await;
    }

    async fn step(&mut self, step: &Value) {
        let name = step["on"].as_str().unwrap_or("A");
        if let Some(name) = step["connect"].as_str() {
            self.connect(name).await;
        } else if let Some(name) = step["close"].as_str() {
            self.clients.remove(name);
        } else if step["reconnect"] == true {
            // The old client goes before the new one comes.
            self.clients.clear();
            self.connect("A").await;
        } else if step.get("send").is_some() {
            let bytes = self.bytes(&step["send"]);
            let chunk = step["chunk"]
                .as_u64()
                .map_or(bytes.len(), |chunk| chunk.try_into().unwrap());
            for piece in bytes.chunks(chunk.max(1)) {
                self.clients.get_mut(name).unwrap().send(piece).await;
            }
        } else if step.get("poll").is_some() {
            self.poll(name, step).await;
        } else {
            self.expect(name, step).await;
        }
    }

    async fn connect(&mut self, name: &str) {
        let client = Wire::new(self.agent.connect().await);
        self.clients.insert(name.to_owned(), client);
        name.clone_into(&mut self.latest);
    }

    /// Asks until the process has ended.
    async fn poll(&mut self, name: &str, step: &Value) {
        let request = self.bytes(&step["poll"]);
        loop {
            let client = self.clients.get_mut(name).unwrap();
            let line = client.ask(&request).await;
            if line != "{\"return\": {\"exited\": false}}\n" {
                return self.check(&line, &self.expected(step)[0]);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn expect(&mut self, name: &str, step: &Value) {
        let patterns = self.expected(step);
        if patterns.is_empty() {
            self.clients.get_mut(name).unwrap().silence().await;
        }
        for pattern in patterns {
            let line = self.clients.get_mut(name).unwrap().line().await;
            if let Some(capture) = step["capture"].as_str() {
                let reply: Value = serde_json::from_str(&line).unwrap();
                let path = step["from"].as_str().unwrap().split('.');
                let value = path.fold(&reply, |value, name| &value[name]);
                let value = value.as_i64().unwrap_or_default().to_string();
                self.captured.insert(capture.to_owned(), value);
            }
            self.check(&line, &pattern);
        }
    }

    /// The replies that this version gives.
    fn expected(&self, step: &Value) -> Vec<Value> {
        let expected = match &step["expect"] {
            Value::Object(versions) => &versions[self.version],
            all => all,
        };
        expected.as_array().unwrap().clone()
    }

    fn check(&self, line: &str, pattern: &Value) {
        let fits = match pattern["any_of"].as_array() {
            Some(patterns) => patterns
                .iter()
                .any(|pattern| matches(line, &self.text(pattern))),
            None => matches(line, &self.text(pattern)),
        };
        assert!(fits, "got    {line:?}\nwanted {pattern}");
    }

    fn bytes(&self, send: &Value) -> Vec<u8> {
        self.text(send)
            .chars()
            .map(|byte| u8::try_from(byte).unwrap())
            .collect()
    }

    /// A string, or a list of strings and of `[unit, count]`, with what was captured put in.
    fn text(&self, value: &Value) -> String {
        let part = |part: &Value| match part {
            Value::Array(run) => run[0]
                .as_str()
                .unwrap()
                .repeat(run[1].as_u64().unwrap().try_into().unwrap()),
            _ => part.as_str().unwrap().to_owned(),
        };
        let mut text = value
            .as_array()
            .map_or_else(|| part(value), |parts| parts.iter().map(part).collect());
        text = text.replace(FOLDER, self.agent.folder());
        for (name, value) in &self.captured {
            text = text.replace(&format!("@@{name}@@"), value);
        }
        text
    }
}

/// Whether a line is as wanted, where `@@*INT@@` stands for any integer and `@@*STR@@` for
/// anything that stands in quotes.
fn matches(line: &str, pattern: &str) -> bool {
    let number = pattern.find("@@*INT@@");
    let text = pattern.find("@@*STR@@");
    let Some(at) = number.into_iter().chain(text).min() else {
        return line == pattern;
    };
    let (before, after) = (&pattern[..at], &pattern[at + 8..]);
    let Some(rest) = line.strip_prefix(before) else {
        return false;
    };
    let any = |c: char| {
        if number == Some(at) {
            c == '-' || c.is_ascii_digit()
        } else {
            c != '"'
        }
    };
    let longest = rest.find(|c| !any(c)).unwrap_or(rest.len());
    let mut ends = rest
        .char_indices()
        .map(|(end, _)| end)
        .take_while(|end| *end <= longest);
    ends.any(|end| matches(&rest[end..], after))
}
