mod plan;
mod random;
mod strange;
mod text;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

pub use plan::FaultPlan;
pub(crate) use plan::Faults;
pub use text::ParseFaultError;

/// Something that goes wrong with one reply.
///
/// A fault can be parsed from text as well: `"torn=5+delay=1s"`. The names are those of the
/// functions, with dashes.
///
/// Faults are joined by [`and`](Fault::and); each one acts on what the ones before it made of the
/// reply. Say what happens to the reply first, then what happens on the way:
///
/// ```
/// use std::time::Duration;
/// use qga_testserver::Fault;
///
/// // Old bytes, then after a second the first ten bytes of the reply, then the end of the stream.
/// let fault = Fault::close_within(10)
///     .and(Fault::delay(Duration::from_secs(1)))
///     .and(Fault::bytes_first("{\"return\": 1}\n"));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a fault does nothing until it is given to an agent"]
pub struct Fault {
    pub(crate) effects: Vec<Effect>,
}

/// One thing that goes wrong.
#[derive(Clone)]
pub(crate) enum Effect {
    NoAnswer,
    Hang,
    Delay(Duration),
    BytesFirst(Vec<u8>),
    FillerFirst {
        unit: Vec<u8>,
        bytes: Option<u64>,
    },
    Instead(Vec<u8>),
    Cut(usize),
    Rewrite(Arc<dyn Fn(Vec<u8>) -> Vec<u8> + Send + Sync>),
    Drip {
        bytes: usize,
        every: Duration,
    },
    CloseWithin(usize),
    CloseAfter,
    Twice,
    Id(Option<Value>),
    NoSentinel,
    /// The value of the reply's `return` becomes another one.
    Return(Arc<dyn Fn(Value) -> Value + Send + Sync>),
    Restart,
    Reset,
}

impl Fault {
    /// The request is carried out and never answered; the agent goes on with the next one.
    pub fn no_answer() -> Self {
        Self::one(Effect::NoAnswer)
    }

    /// The agent stops here for good: it answers nothing more, and takes no other client.
    pub fn hang() -> Self {
        Self::one(Effect::Hang)
    }

    /// The reply, and all that comes after it, is late by this much of tokio's time.
    ///
    /// So is a guest that reboots: what is sent meanwhile is answered afterwards.
    pub fn delay(duration: Duration) -> Self {
        Self::one(Effect::Delay(duration))
    }

    /// These bytes come before the reply: an old reply, or half of one.
    ///
    /// The agent adds no newline, so that `bytes_first("AAAA")` glues a torn reply to this one.
    pub fn bytes_first(bytes: impl Into<Vec<u8>>) -> Self {
        Self::one(Effect::BytesFirst(bytes.into()))
    }

    /// Whole lines come before the reply until they are this many bytes: old replies that nobody
    /// has read. They are made while they are sent and take no memory.
    pub fn lines_first(bytes: u64) -> Self {
        let unit = b"{\"return\": {}}\n".to_vec();
        Self::one(Effect::FillerFirst {
            unit,
            bytes: Some(bytes),
        })
    }

    /// Lines come without end, and the reply never.
    ///
    /// They come as fast as the client reads. Where time is paused it stands still meanwhile; join
    /// [`drip_every`](Fault::drip_every) to let it go on.
    pub fn endless_lines() -> Self {
        let unit = b"{\"return\": {}}\n".to_vec();
        Self::one(Effect::FillerFirst { unit, bytes: None })
    }

    /// This many bytes of filler without a newline come before the reply, on its line. They are
    /// made while they are sent and take no memory.
    pub fn long_line(bytes: u64) -> Self {
        Self::one(Effect::FillerFirst {
            unit: vec![b'x'; 64],
            bytes: Some(bytes),
        })
    }

    /// A line begins that has no end.
    ///
    /// It comes as fast as the client reads. Where time is paused it stands still meanwhile; join
    /// [`drip_every`](Fault::drip_every) to let it go on.
    pub fn endless_line() -> Self {
        Self::one(Effect::FillerFirst {
            unit: vec![b'x'; 64],
            bytes: None,
        })
    }

    /// These bytes come in place of the reply, as they are: add a newline if there should be one.
    pub fn garbage(bytes: impl Into<Vec<u8>>) -> Self {
        Self::one(Effect::Instead(bytes.into()))
    }

    /// Only the first `bytes` bytes of the reply come; the channel stays open, so that the next
    /// reply is glued to them.
    pub fn torn(bytes: usize) -> Self {
        Self::one(Effect::Cut(bytes))
    }

    /// The reply's bytes become what the closure makes of them, newline and sentinel included.
    pub fn rewrite(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::one(Effect::Rewrite(Arc::new(change)))
    }

    /// The reply comes in pieces of `bytes` bytes (at least 1), each of them flushed.
    pub fn drip(bytes: usize) -> Self {
        Self::drip_every(bytes, Duration::ZERO)
    }

    /// The reply comes in pieces of `bytes` bytes (at least 1), with this much of tokio's time
    /// between them.
    pub fn drip_every(bytes: usize, every: Duration) -> Self {
        Self::one(Effect::Drip {
            bytes: bytes.max(1),
            every,
        })
    }

    /// The agent closes the connection in place of the reply.
    pub fn close_before() -> Self {
        Self::close_within(0)
    }

    /// The agent closes the connection after the first `bytes` bytes of the reply.
    pub fn close_within(bytes: usize) -> Self {
        Self::one(Effect::CloseWithin(bytes))
    }

    /// The agent closes the connection after the whole reply.
    pub fn close_after() -> Self {
        Self::one(Effect::CloseAfter)
    }

    /// The reply comes twice.
    pub fn twice() -> Self {
        Self::one(Effect::Twice)
    }

    /// The reply carries this `id`, whatever the request had.
    pub fn wrong_id(id: impl Into<Value>) -> Self {
        Self::one(Effect::Id(Some(id.into())))
    }

    /// The reply carries no `id`.
    pub fn no_id() -> Self {
        Self::one(Effect::Id(None))
    }

    /// The reply to `guest-sync-delimited` comes without its 0xFF.
    pub fn no_sentinel() -> Self {
        Self::one(Effect::NoSentinel)
    }

    /// The value of the reply's `return` becomes what the closure makes of it; errors stay.
    pub fn rewrite_return(change: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        Self::one(Effect::Return(Arc::new(change)))
    }

    /// Each object in the reply's `return` has members that no schema knows.
    pub fn unknown_fields() -> Self {
        Self::rewrite_return(strange::with_fields)
    }

    /// Each value of an enumeration in the reply's `return` is one that no schema knows.
    pub fn unknown_values() -> Self {
        Self::rewrite_return(strange::with_values)
    }

    /// The reply has bytes in a string that are no UTF-8, and not the sentinel's 0xFF.
    pub fn invalid_utf8() -> Self {
        Self::rewrite(strange::with_broken_text)
    }

    /// The reply's `return` is this many arrays, one in the other.
    pub fn deep_nesting(depth: usize) -> Self {
        Self::rewrite(move |_| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!("{{\"return\": {open}{close}}}\n").into_bytes()
        })
    }

    /// The agent's end of the connection is reset in place of the reply, so that the client reads
    /// an error and not the end of the stream.
    ///
    /// A Unix socket is reset only if the client has sent something after the request, such as a
    /// newline; in memory there is no such thing, and the stream just ends.
    pub fn reset() -> Self {
        Self::one(Effect::Reset)
    }

    pub(crate) fn resets(&self) -> bool {
        let reset = |effect: &Effect| matches!(effect, Effect::Reset);
        self.effects.iter().any(reset)
    }

    /// The agent is killed with the request in hand and started again: no answer, open files and
    /// half-read requests are forgotten, the channel stays open.
    pub fn restart() -> Self {
        Self::one(Effect::Restart)
    }

    /// This fault, then the other one on what it left.
    pub fn and(mut self, other: Fault) -> Self {
        self.effects.extend(other.effects);
        self
    }

    fn one(effect: Effect) -> Self {
        Self {
            effects: vec![effect],
        }
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::NoAnswer => f.write_str("NoAnswer"),
            Effect::Hang => f.write_str("Hang"),
            Effect::Delay(duration) => f.debug_tuple("Delay").field(duration).finish(),
            Effect::BytesFirst(bytes) => f.debug_tuple("BytesFirst").field(&bytes.len()).finish(),
            Effect::FillerFirst { bytes, .. } => f.debug_tuple("FillerFirst").field(bytes).finish(),
            Effect::Instead(bytes) => f.debug_tuple("Instead").field(&bytes.len()).finish(),
            Effect::Cut(bytes) => f.debug_tuple("Cut").field(bytes).finish(),
            Effect::Rewrite(_) => f.write_str("Rewrite"),
            Effect::Drip { bytes, every } => {
                f.debug_tuple("Drip").field(bytes).field(every).finish()
            }
            Effect::CloseWithin(bytes) => f.debug_tuple("CloseWithin").field(bytes).finish(),
            Effect::CloseAfter => f.write_str("CloseAfter"),
            Effect::Twice => f.write_str("Twice"),
            Effect::Id(id) => f.debug_tuple("Id").field(id).finish(),
            Effect::NoSentinel => f.write_str("NoSentinel"),
            Effect::Return(_) => f.write_str("Return"),
            Effect::Restart => f.write_str("Restart"),
            Effect::Reset => f.write_str("Reset"),
        }
    }
}
