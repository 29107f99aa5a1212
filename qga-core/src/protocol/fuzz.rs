//! What must hold for any bytes from an agent: the targets of fuzzers, which panic where it does not.

#![allow(
    clippy::indexing_slicing,
    reason = "a panic is what a fuzzer looks for"
)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hasher};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::frame::{Decoder, Frame, Progress};
use super::handshake::{Handshake, Step};
use super::limits::ReplyLimits;
use super::message::{Id, ReplyLine};
use super::random::Random;
use crate::json;

/// The longest line, in bytes, and the most that the decoder may ever read at once.
const LIMIT: usize = 300;
const ONE_READ: usize = 8 * 1024;

#[derive(Debug, PartialEq)]
enum Seen {
    Line(Vec<u8>),
    Delimited(Vec<u8>),
    TooLong,
}

/// However bytes are split, the same lines come of them; the first byte says how they are split.
pub fn frames(data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else {
        return;
    };
    let whole = decode(std::iter::once(bytes));
    let size = usize::from(*first).max(1);
    assert_eq!(decode(bytes.chunks(size)), whole, "in pieces of {size}");
    assert_eq!(decode(bytes.chunks(1)), whole, "byte by byte");
    assert_eq!(plainly(bytes), whole, "as a simple reading has it");
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Seen> {
    let mut decoder = Decoder::default();
    let mut seen = Vec::new();
    for mut piece in pieces {
        loop {
            match decoder.advance(LIMIT) {
                Progress::Frame => seen.push(of(decoder.frame())),
                Progress::TooLong => seen.push(Seen::TooLong),
                _ if piece.is_empty() => break,
                _ => {
                    let spare = decoder.spare();
                    assert!(!spare.is_empty() && spare.len() <= LIMIT + 1 + ONE_READ);
                    let count = spare.len().min(piece.len());
                    spare[..count].copy_from_slice(&piece[..count]);
                    decoder.filled(count);
                    piece = &piece[count..];
                }
            }
        }
    }
    seen
}

fn of(frame: Frame<'_>) -> Seen {
    let bytes = frame.bytes.to_vec();
    if frame.delimited {
        Seen::Delimited(bytes)
    } else {
        Seen::Line(bytes)
    }
}

/// The same by a few lines that read one byte after the other.
fn plainly(bytes: &[u8]) -> Vec<Seen> {
    let mut seen = Vec::new();
    let (mut line, mut delimited, mut too_long) = (Vec::new(), false, false);
    for &byte in bytes {
        match byte {
            0xFF => (line, delimited, too_long) = (Vec::new(), true, false),
            b'\n' => {
                let line = std::mem::take(&mut line);
                let delimited = std::mem::take(&mut delimited);
                if std::mem::take(&mut too_long) || line.is_empty() {
                } else if delimited {
                    seen.push(Seen::Delimited(line));
                } else {
                    seen.push(Seen::Line(line));
                }
            }
            _ if too_long => {}
            _ => {
                line.push(byte);
                if line.len() > LIMIT {
                    seen.push(Seen::TooLong);
                    too_long = true;
                }
            }
        }
    }
    seen
}

/// Any line is a reply or is refused, and a handshake survives it.
pub fn replies(data: &[u8]) {
    let limits = ReplyLimits::DEFAULT;
    // Only we refuse a float that is longer.
    if data.len() <= 4096
        && let Ok(text) = limits.check(data)
    {
        check_same::<Value>(text);
        check_same::<BTreeMap<Name, Value>>(text);
        check_same::<Vec<(f32, Option<Name>)>>(text);
    }
    if let Ok(reply) = ReplyLine::parse(data, &limits) {
        check(&reply);
    }
    if let Some(reply) = ReplyLine::parse_tail(data, &limits) {
        check(&reply);
    }
    // libFuzzer sees what is compared with its data, and would guess a token that is always the same.
    let mut hasher = DefaultHasher::new();
    hasher.write(data);
    let mut random = Random::from_seed(hasher.finish());
    let mut handshake = Handshake::new(&mut random);
    for line in data.split(|byte| *byte == b'\n') {
        let delimited = line.first() == Some(&0xFF);
        let bytes = line.strip_prefix(b"\xFF").unwrap_or(line);
        let step = handshake.receive(Frame { bytes, delimited }, &mut random);
        assert!(!matches!(step, Step::Synced(_)), "nobody can guess a token");
        assert!(handshake.request().len() < 200);
    }
}

/// A name of more than one kind.
#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    A,
    B(String),
}

/// What `serde_json` reads is read, and but for half a character nothing else. Booleans as names are left out, since
/// `serde_json` 1.0.154 reads a name that is none from within its first character, and makes text that is no UTF-8.
fn check_same<T: DeserializeOwned + PartialEq + Debug>(text: &str) {
    match (
        json::from_str(text).ok(),
        serde_json::from_str::<T>(text).ok(),
    ) {
        (ours, Some(value)) => assert_eq!(ours, Some(value)),
        (Some(_), None) => assert!(text.contains("\\u"), "this is not JSON"),
        (None, None) => {}
    }
}

fn check(reply: &ReplyLine<'_>) {
    match &reply.result {
        Ok(value) => {
            let read = serde_json::from_str::<serde::de::IgnoredAny>(value.get());
            assert!(read.is_ok(), "a value is JSON");
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control)),
    }
    if let Id::Number(id) = reply.id {
        assert!(serde_json::to_string(&id).is_ok());
    }
}
