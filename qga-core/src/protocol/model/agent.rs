//! An agent that writes down what it ran. Its process outlives its channels: half a request of one client
//! is continued by the next, and what it said to one that has left may be found by the next.

use std::collections::HashMap;

use serde_json::Value;

use super::Kind;
use crate::protocol::random::Random;

const STRAY: &str =
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n";

pub(super) struct Agent {
    pub(super) kind: Kind,
    random: Random,
    /// How often each command was run, by its text.
    pub(super) ran: HashMap<String, u32>,
    /// The request that is being read.
    input: Vec<u8>,
    said: Vec<String>,
}

/// What the agent does with its channel.
pub(super) enum Act {
    Say(Vec<u8>),
    /// It does nothing for so many milliseconds.
    Pause(u64),
    /// The channel ends: whether by a reset.
    End(bool),
}

impl Agent {
    pub(super) fn new(seed: u64, kind: Kind) -> Self {
        Self {
            kind,
            random: Random::from_seed(seed),
            ran: HashMap::new(),
            input: Vec::new(),
            said: Vec::new(),
        }
    }

    /// Takes a byte; a request is carried out at its last brace, and 0xFF ends half a one.
    pub(super) fn take(&mut self, byte: u8) -> Vec<Act> {
        if byte == 0xFF {
            self.input.clear();
            let lines = STRAY.repeat(1 + self.random.size(2));
            return vec![Act::Say(lines.into_bytes())];
        }
        self.input.push(byte);
        if byte != b'}' {
            return Vec::new();
        }
        let Ok(request) = serde_json::from_slice::<Value>(&self.input) else {
            return Vec::new();
        };
        self.input.clear();
        if self.kind.is_faulty && self.random.percent(3) {
            // Killed with the request in hand.
            return vec![Act::End(self.random.percent(50))];
        }
        self.carry_out(&request)
    }

    fn carry_out(&mut self, request: &Value) -> Vec<Act> {
        let is_delimited = request["execute"] == "guest-sync-delimited";
        // Where an old refusal could be one of the sync, the other sync is tried.
        let is_sync = is_delimited || request["execute"] == "guest-sync";
        let text = self.reply(request, is_sync);
        let mut acts = Vec::new();
        let mut bytes = Vec::new();
        if self.kind.is_faulty {
            self.spoil(&mut acts, &mut bytes);
        }
        if is_delimited {
            bytes.push(0xFF);
        }
        let is_lost = self.kind.is_faulty && !is_sync && self.random.percent(4);
        if !is_lost {
            bytes.extend_from_slice(text.as_bytes());
        }
        if self.kind.is_faulty && self.kind.echoes_ids && self.random.percent(5) {
            bytes.extend_from_slice(text.as_bytes());
        }
        if !text.is_empty() {
            self.said.push(text);
        }
        if self.kind.is_faulty && self.random.percent(6) {
            bytes.truncate(self.random.size(bytes.len() + 1));
            acts.push(Act::Say(bytes));
            acts.push(Act::End(self.random.percent(50)));
        } else {
            acts.push(Act::Say(bytes));
        }
        acts
    }

    fn reply(&mut self, request: &Value, is_sync: bool) -> String {
        let is_wrong = self.kind.is_faulty && self.kind.echoes_ids && self.random.percent(2);
        let id = match &request["id"] {
            _ if is_wrong => ", \"id\": 5".to_owned(),
            id if self.kind.echoes_ids && !id.is_null() => format!(", \"id\": {id}"),
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
        *self.ran.entry(name).or_default() += 1;
        if self.random.percent(5) {
            failed("GenericError")
        } else if request["execute"] == "test-quit" {
            String::new()
        } else if self.random.percent(5) && !id.is_empty() {
            let id = id.trim_start_matches(", ");
            format!("{{{id}, \"return\": {text}}}\n")
        } else {
            format!("{{\"return\": {text}{id}}}\n")
        }
    }

    /// Waits, or puts something before a reply.
    fn spoil(&mut self, acts: &mut Vec<Act>, before: &mut Vec<u8>) {
        if self.random.percent(8) {
            acts.push(Act::Pause(self.random.below(400)));
        }
        if self.random.percent(3) {
            acts.push(Act::Pause(self.random.below(15_000)));
        }
        if self.random.percent(1) {
            before.resize(before.len() + self.random.size(5_000), b'x');
        }
        // Without ids, an old reply that comes after the request cannot be told from a new one.
        if !self.kind.echoes_ids {
            return;
        }
        if self.random.percent(6) && !self.said.is_empty() {
            let old = &self.said[self.random.size(self.said.len())];
            before.extend_from_slice(old.as_bytes());
        }
        if self.random.percent(3) && !self.said.is_empty() {
            let old = &self.said[self.random.size(self.said.len())];
            let torn = self.random.size(old.len() - 1);
            before.extend_from_slice(&old.as_bytes()[..torn]);
        }
        if self.random.percent(2) {
            before.extend_from_slice(b"\xFE\xFE");
        }
    }
}
