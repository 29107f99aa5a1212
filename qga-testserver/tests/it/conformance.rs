//! Cases recorded from real agents of QEMU 7.2 and 10.0, which agree on all of these.

use std::collections::HashMap;

use qga_testserver::{Profile, TestAgent};
use serde_json::Value;
use tokio::io::DuplexStream;

use crate::wire::Wire;

const CASES: &str = include_str!("../fixtures/conformance.jsonl");

/// What a client sends to get a clean channel, and what the agent says to it.
const RESET: &[u8] =
    b"\xff\n{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":7000001}}\n";
const STRAY: &str =
    r#"{"error": {"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"}}"#;

/// One case in progress: its clients, and what was captured.
struct Run {
    agent: TestAgent,
    clients: HashMap<String, Wire<DuplexStream>>,
    captured: HashMap<String, String>,
}

#[tokio::test(start_paused = true)]
async fn the_fake_answers_recorded_requests_as_the_real_agents_did() {
    for profile in [Profile::Qemu7_2, Profile::Qemu10_0] {
        for line in CASES.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            println!("{profile:?} {} {}", case["id"], case["title"]);
            let (agent, stream) = TestAgent::in_memory();
            agent.profile(profile);
            let clients = HashMap::from([("A".to_owned(), Wire::new(stream))]);
            Run {
                agent,
                clients,
                captured: HashMap::new(),
            }
            .case(&case)
            .await;
        }
    }
}

impl Run {
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
        // Whatever the case left behind, it leaves no other answer than this.
        let last = if self.clients.contains_key("A") {
            "A"
        } else {
            "B"
        };
        let client = self.clients.get_mut(last).unwrap();
        assert_eq!(client.ask(RESET).await.trim_end(), STRAY);
        assert_eq!(client.line().await, "\u{ff}{\"return\": 7000001}\n");
        client.silence().await;
    }

    async fn step(&mut self, step: &Value) {
        let name = step["on"].as_str().unwrap_or("A");
        if let Some(name) = step["connect"].as_str() {
            self.clients
                .insert(name.to_owned(), Wire::new(self.agent.connect()));
        } else if let Some(name) = step["close"].as_str() {
            self.clients.remove(name);
        } else if step["reconnect"] == true {
            // The old client goes before the new one comes.
            self.clients.clear();
            self.clients
                .insert("A".to_owned(), Wire::new(self.agent.connect()));
        } else if step.get("send").is_some() {
            let bytes = self.bytes(&step["send"]);
            let chunk = step["chunk"]
                .as_u64()
                .map_or(bytes.len(), |chunk| chunk.try_into().unwrap());
            for piece in bytes.chunks(chunk.max(1)) {
                self.clients.get_mut(name).unwrap().send(piece).await;
            }
        } else {
            self.expect(name, step).await;
        }
    }

    async fn expect(&mut self, name: &str, step: &Value) {
        let patterns = step["expect"].as_array().unwrap();
        if patterns.is_empty() {
            self.clients.get_mut(name).unwrap().silence().await;
        }
        for pattern in patterns {
            let line = self.clients.get_mut(name).unwrap().line().await;
            if let Some(capture) = step["capture"].as_str() {
                let reply: Value = serde_json::from_str(&line).unwrap();
                self.captured
                    .insert(capture.to_owned(), reply["return"].to_string());
            }
            let pattern = self.text(pattern);
            assert!(
                matches(&line, &pattern),
                "got    {line:?}\nwanted {pattern:?}"
            );
        }
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
        for (name, value) in &self.captured {
            text = text.replace(&format!("@@{name}@@"), value);
        }
        text
    }
}

/// Whether a line is as wanted, where `@@*INT@@` stands for any integer.
fn matches(line: &str, pattern: &str) -> bool {
    match pattern.split_once("@@*INT@@") {
        None => line == pattern,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            rest.trim_start_matches(|c: char| c == '-' || c.is_ascii_digit()) == after
        }),
    }
}
