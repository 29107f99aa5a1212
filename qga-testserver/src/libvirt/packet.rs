//! Packets of libvirt's protocol, read and written from the daemon's side.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub(super) const REMOTE: u32 = 0x2000_8086;
pub(super) const QEMU: u32 = 0x2000_8087;
pub(super) const KEEPALIVE: u32 = 0x6B65_6570;

/// What a packet is.
pub(super) const CALL: u32 = 0;
const REPLY: u32 = 1;
const MESSAGE: u32 = 2;
pub(super) const STREAM: u32 = 3;

/// The longest packet, and the length of the shortest, in bytes.
const LONGEST: u32 = 33_554_436;
const SHORTEST: u32 = 28;

/// A packet from a client.
#[derive(Clone)]
pub(super) struct Packet {
    pub(super) program: u32,
    pub(super) procedure: u32,
    pub(super) kind: u32,
    serial: u32,
    status: u32,
    pub(super) payload: Vec<u8>,
}

/// The error that a call ends in.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: i32,
    pub(super) domain: i32,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn new(code: i32, domain: i32, detail: impl Into<String>) -> Self {
        Self {
            code,
            domain,
            detail: detail.into(),
        }
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        payload.extend(self.code.to_be_bytes());
        payload.extend(self.domain.to_be_bytes());
        put_word(&mut payload, 1);
        put_text(&mut payload, &format!("fake libvirt: {}", self.detail));
        // The level, and no domain.
        payload.extend([0, 0, 0, 2, 0, 0, 0, 0]);
        for text in ["fake libvirt: %s", &self.detail] {
            put_word(&mut payload, 1);
            put_text(&mut payload, text);
        }
        // No third text, two numbers of which none is used, and no network.
        put_word(&mut payload, 0);
        payload.extend([0xFF; 8]);
        put_word(&mut payload, 0);
        payload
    }
}

impl Packet {
    /// Reads a packet; none at the end of the stream, and where what comes is none.
    pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let Ok(length) = stream.read_u32().await else {
            return Ok(None);
        };
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Ok(None);
        }
        let mut words = [0; 6];
        for word in &mut words {
            *word = stream.read_u32().await?;
        }
        let [program, version, procedure, kind, serial, status] = words;
        let mut payload = Vec::new();
        let rest = u64::from(length - SHORTEST);
        stream.take(rest).read_to_end(&mut payload).await?;
        let is_whole = u64::try_from(payload.len()) == Ok(rest);
        Ok((is_whole && version == 1).then_some(Self {
            program,
            procedure,
            kind,
            serial,
            status,
            payload,
        }))
    }

    /// The reply to this call.
    pub(super) fn reply(&self, result: Result<Vec<u8>, Refusal>) -> Vec<u8> {
        let (status, payload) = match result {
            Ok(payload) => (0, payload),
            Err(refusal) => (1, refusal.payload()),
        };
        let words = [self.program, 1, self.procedure, REPLY, self.serial, status];
        packet(words, &payload)
    }

    /// A packet of the stream that this packet opened or belongs to.
    pub(super) fn stream(&self, status: u32, payload: &[u8]) -> Vec<u8> {
        let words = [self.program, 1, self.procedure, STREAM, self.serial, status];
        packet(words, payload)
    }

    /// Whether it finishes or aborts its stream.
    pub(super) fn is_end(&self) -> bool {
        self.status != 2
    }

    /// The answer to this ping, if it is one.
    pub(super) fn pong(&self) -> Option<Vec<u8>> {
        let is_ping = self.program == KEEPALIVE && self.kind == MESSAGE && self.procedure == 1;
        is_ping.then(|| packet([KEEPALIVE, 1, 2, MESSAGE, 0, 0], &[]))
    }
}

/// A packet that the daemon sends by itself.
pub(super) fn message(procedure: u32, payload: &[u8]) -> Vec<u8> {
    packet([REMOTE, 1, procedure, MESSAGE, 1, 0], payload)
}

fn packet(words: [u32; 6], payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX - SHORTEST) + SHORTEST;
    let mut packet = Vec::new();
    for word in [length].into_iter().chain(words) {
        put_word(&mut packet, word);
    }
    packet.extend(payload);
    packet
}

pub(super) fn put_word(payload: &mut Vec<u8>, word: u32) {
    payload.extend(word.to_be_bytes());
}

pub(super) fn put_number(payload: &mut Vec<u8>, number: i32) {
    put_word(payload, number.cast_unsigned());
}

pub(super) fn put_text(payload: &mut Vec<u8>, text: &str) {
    put_word(payload, u32::try_from(text.len()).unwrap_or(u32::MAX));
    payload.extend(text.as_bytes());
    while !payload.len().is_multiple_of(4) {
        payload.push(0);
    }
}

pub(super) fn take_word(payload: &mut &[u8]) -> Option<u32> {
    let (word, rest) = payload.split_first_chunk()?;
    *payload = rest;
    Some(u32::from_be_bytes(*word))
}

pub(super) fn take_number(payload: &mut &[u8]) -> Option<i32> {
    take_word(payload).map(u32::cast_signed)
}

pub(super) fn take_text(payload: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(take_word(payload)?).ok()?;
    let (text, rest) = payload.split_at_checked(length)?;
    *payload = rest.get(length.wrapping_neg() % 4..)?;
    String::from_utf8(text.to_vec()).ok()
}

pub(super) fn take_uuid(payload: &mut &[u8]) -> Option<[u8; 16]> {
    let (uuid, rest) = payload.split_first_chunk()?;
    *payload = rest;
    Some(*uuid)
}
