//! Turns a reply into the bytes that go out, as faults have changed it.

use std::time::Duration;

use crate::fault::{Effect, Fault};
use crate::guest::power::PowerChange;
use crate::wire::json::{self, Value};
use crate::wire::reply::Reply;

/// How the agent answers one request: the pieces in their order, and what happens after them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) pieces: Vec<Piece>,
    /// The size of the pieces that the bytes are cut into, if they are, and the time between two pieces.
    pub(crate) drip: Option<(usize, Duration)>,
    /// Whether the agent closes the connection after the pieces.
    pub(crate) close: bool,
    /// Whether it closes the connection by a reset.
    pub(crate) reset: bool,
    /// Whether the agent is killed and started again after the pieces.
    pub(crate) restart: bool,
    /// What happens to the guest's power after the pieces.
    pub(crate) power: Option<PowerChange>,
}

/// A part of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Bytes(Vec<u8>),
    /// The unit over and over, up to this many bytes or for ever.
    Filler {
        unit: Vec<u8>,
        bytes: Option<u64>,
    },
    Wait(Duration),
    /// The agent does nothing more.
    Hang,
}

impl Delivery {
    /// Plans the delivery of a reply, if there is one, and lets the faults act on it one after the other.
    ///
    /// A reply becomes bytes by `spell`.
    pub(crate) fn new(
        mut reply: Option<Reply>,
        faults: &[Fault],
        spell: impl FnOnce(Reply) -> Vec<u8>,
    ) -> Self {
        let effects = || faults.iter().flat_map(|fault| &fault.effects);
        for effect in effects() {
            match (effect, &mut reply) {
                (Effect::Id(id), Some(reply)) => reply.id = id.as_ref().map(Value::from),
                (Effect::NoSentinel, Some(reply)) => reply.delimited = false,
                (Effect::Return(change), Some(reply)) => {
                    if let Ok(value) = &mut reply.outcome {
                        *value = Value::from(&change(value.to_json()));
                    }
                }
                _ => {}
            }
        }
        let mut delivery = Self::default();
        if let Some(reply) = reply {
            delivery.pieces.push(Piece::Bytes(spell(reply)));
        }
        for effect in effects() {
            delivery.suffer(effect);
        }
        delivery
    }

    fn suffer(&mut self, effect: &Effect) {
        match effect {
            Effect::Id(_) | Effect::NoSentinel | Effect::Return(_) => {}
            Effect::NoAnswer => self.pieces.clear(),
            Effect::Hang => self.pieces = vec![Piece::Hang],
            Effect::Delay(duration) => self.pieces.insert(0, Piece::Wait(*duration)),
            Effect::BytesFirst(bytes) => self.pieces.insert(0, Piece::Bytes(bytes.clone())),
            Effect::FillerFirst { unit, bytes } => {
                self.pieces.insert(
                    0,
                    Piece::Filler {
                        unit: unit.clone(),
                        bytes: *bytes,
                    },
                );
            }
            Effect::Instead(bytes) => self.pieces = vec![Piece::Bytes(bytes.clone())],
            Effect::Cut(bytes) => self.cut(*bytes),
            Effect::Rewrite(change) => self.rewrite(change.as_ref()),
            Effect::Drip { bytes, every } => self.drip = Some((*bytes, *every)),
            Effect::CloseWithin(bytes) => {
                self.cut(*bytes);
                self.close = true;
            }
            Effect::CloseAfter => self.close = true,
            Effect::Twice => self.pieces.extend_from_within(..),
            Effect::Reset => {
                self.pieces.clear();
                self.close = true;
                self.reset = true;
            }
            Effect::Restart => {
                self.pieces.clear();
                self.restart = true;
            }
        }
    }

    /// Keeps only the first `left` bytes. Filler is not cut.
    fn cut(&mut self, mut left: usize) {
        for piece in &mut self.pieces {
            if let Piece::Bytes(bytes) = piece {
                bytes.truncate(left);
                left -= bytes.len();
            }
        }
    }

    fn rewrite(&mut self, change: &(dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync)) {
        for piece in &mut self.pieces {
            if let Piece::Bytes(bytes) = piece {
                *bytes = change(std::mem::take(bytes));
            }
        }
    }
}

/// A reply's line as the agent sends it.
pub(super) fn line(reply: Reply) -> Vec<u8> {
    let mut line = Vec::new();
    if reply.delimited {
        line.push(0xFF);
    }
    json::write(&reply.into(), &mut line);
    line.push(b'\n');
    line
}
