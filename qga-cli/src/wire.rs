//! What is said on the channel of an agent, for `-v`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};

use qga_core::Direction;
use serde_json::Value;

use crate::show::visible;

/// The longest line that is looked into, in bytes.
const LINE: usize = 64 * 1024;
/// The members of requests and replies that may hold a secret, or what a file or a program holds.
const WITHHELD: [&str; 6] = [
    "password",
    "env",
    "input-data",
    "buf-b64",
    "out-data",
    "err-data",
];

/// The lines that are not at their ends yet.
#[derive(Default)]
pub(crate) struct Wire {
    sent: Mutex<Line>,
    received: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    begun: Vec<u8>,
    left_out: usize,
}

impl Wire {
    /// Prints each line once it has come to its end.
    pub(crate) fn look(self) -> impl Fn(Direction, &[u8]) + Send + Sync + 'static {
        move |direction, bytes| {
            let (mark, line) = match direction {
                Direction::Sent => ('>', &self.sent),
                Direction::Received => ('<', &self.received),
            };
            let mut line = line.lock().unwrap_or_else(PoisonError::into_inner);
            let mut text = String::new();
            for part in bytes.split_inclusive(|byte| *byte == b'\n') {
                line.add(part);
                if part.ends_with(b"\n") {
                    let shown = std::mem::take(&mut *line).shown();
                    // Writing to a string cannot fail.
                    let _ = writeln!(text, "{mark} {shown}");
                }
            }
            // Nobody may listen.
            let _ = io::stderr().write_all(text.as_bytes());
        }
    }
}

impl Line {
    fn add(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.begun.len()).min(bytes.len());
        let (kept, left_out) = bytes.split_at(room);
        self.begun.extend_from_slice(kept);
        self.left_out += left_out.len();
    }

    fn shown(self) -> String {
        let line = self.begun.trim_ascii();
        if self.left_out > 0 {
            return format!("a line of {} bytes", self.begun.len() + self.left_out);
        }
        // A sync is announced by a byte that no text has.
        let json = line.strip_prefix(b"\xff").unwrap_or(line);
        match serde_json::from_slice::<Value>(json) {
            Ok(mut value) => {
                withhold(&mut value);
                visible(&value.to_string())
            }
            // What cannot be read might hold anything.
            Err(_) => format!("no JSON: {} bytes", line.len()),
        }
    }
}

fn withhold(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                if WITHHELD.contains(&name.as_str()) {
                    *value = withheld(value).into();
                } else {
                    withhold(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(withhold),
        // The guest's `env` is told variables in this way.
        Value::String(text) => {
            if let Some((name, value)) = text.split_once('=')
                && is_variable(name)
            {
                *text = format!("{name}={} characters withheld", value.len());
            }
        }
        _ => {}
    }
}

fn is_variable(name: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    !name.is_empty() && name.chars().all(is_part)
}

fn withheld(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{} characters withheld", text.len()),
        _ => "withheld".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8]) -> String {
        let mut line = Line::default();
        line.add(bytes);
        line.shown()
    }

    #[test]
    fn a_secret_is_withheld_wherever_it_stands() {
        for name in WITHHELD {
            let line = format!(r#"{{"arguments":[{{"{name}":"hunter2"}}],"{name}":["hunter2"]}}"#);
            let shown = shown(line.as_bytes());
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(shown.contains("7 characters withheld"), "{shown}");
        }
    }

    #[test]
    fn the_value_of_a_variable_is_withheld() {
        let shown = shown(br#"{"arg":["A=hunter2","--x=y"]}"#);
        assert_eq!(shown, r#"{"arg":["A=7 characters withheld","--x=y"]}"#);
    }

    #[test]
    fn what_is_no_json_or_very_long_is_not_shown() {
        assert_eq!(shown(b"hunter2\x1b[2J\n"), "no JSON: 11 bytes");
        let mut line = Line::default();
        line.add(&vec![b'a'; LINE]);
        line.add(b"hunter2\n");
        assert_eq!(line.shown(), format!("a line of {} bytes", LINE + 8));
    }
}
