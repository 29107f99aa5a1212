//! What can go wrong with a reply, and which replies it happens to.

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
/// A fault can also be parsed from text such as `"torn=5+delay=1s"`. The names are those of the
/// functions, with dashes.
///
/// [`and`](Fault::and) joins faults. Each fault acts on what the ones before it have made of the
/// reply, so begin with what happens to the reply and end with what happens on its way:
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
    /// The agent carries out the request, does not answer it, and goes on with the next one.
    pub fn no_answer() -> Self {
        Self::one(Effect::NoAnswer)
    }

    /// The agent hangs: it answers nothing more, and accepts no other client.
    pub fn hang() -> Self {
        Self::one(Effect::Hang)
    }

    /// The reply, and everything after it, comes this much of tokio's time late.
    ///
    /// A guest that reboots looks like this too: it answers afterwards what was sent in the meantime.
    pub fn delay(duration: Duration) -> Self {
        Self::one(Effect::Delay(duration))
    }

    /// These bytes come before the reply, for example an old reply or half of one.
    ///
    /// The agent adds no newline, so `bytes_first("AAAA")` puts the bytes on the reply's own line.
    pub fn bytes_first(bytes: impl Into<Vec<u8>>) -> Self {
        Self::one(Effect::BytesFirst(bytes.into()))
    }

    /// This many bytes of lines come before the reply, like old replies that nobody has read. Each line
    /// has 15 bytes; the last one is cut off if the number is not a multiple of that. The agent makes
    /// the lines while it sends them, so they take no memory.
    pub fn lines_first(bytes: u64) -> Self {
        let unit = b"{\"return\": {}}\n".to_vec();
        Self::one(Effect::FillerFirst {
            unit,
            bytes: Some(bytes),
        })
    }

    /// Lines come without end, and the reply never comes.
    ///
    /// They come as fast as the client reads. Paused time stands still meanwhile; add
    /// [`drip_every`](Fault::drip_every) to let it advance.
    pub fn endless_lines() -> Self {
        let unit = b"{\"return\": {}}\n".to_vec();
        Self::one(Effect::FillerFirst { unit, bytes: None })
    }

    /// This many bytes without a newline come before the reply, on its own line. The agent makes them
    /// while it sends them, so they take no memory.
    pub fn long_line(bytes: u64) -> Self {
        Self::one(Effect::FillerFirst {
            unit: vec![b'x'; 64],
            bytes: Some(bytes),
        })
    }

    /// A line comes that never ends, and the reply never comes.
    ///
    /// It comes as fast as the client reads. Paused time stands still meanwhile; add
    /// [`drip_every`](Fault::drip_every) to let it advance.
    pub fn endless_line() -> Self {
        Self::one(Effect::FillerFirst {
            unit: vec![b'x'; 64],
            bytes: None,
        })
    }

    /// These bytes come instead of the reply. The agent adds no newline to them.
    pub fn garbage(bytes: impl Into<Vec<u8>>) -> Self {
        Self::one(Effect::Instead(bytes.into()))
    }

    /// Only the first `bytes` bytes of the reply come. The channel stays open, so the next reply follows
    /// on the same line.
    pub fn torn(bytes: usize) -> Self {
        Self::one(Effect::Cut(bytes))
    }

    /// The closure gets the bytes of the reply, including the newline and the sentinel, and returns the
    /// bytes that the agent sends instead.
    pub fn rewrite(change: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::one(Effect::Rewrite(Arc::new(change)))
    }

    /// The reply comes in pieces of `bytes` bytes (at least 1), and the agent flushes each of them.
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

    /// The agent closes the connection instead of answering.
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

    /// The closure gets the value of the reply's `return` and returns the value that the agent sends
    /// instead. Errors stay as they are.
    pub fn rewrite_return(change: impl Fn(Value) -> Value + Send + Sync + 'static) -> Self {
        Self::one(Effect::Return(Arc::new(change)))
    }

    /// Each object in the reply's `return` gets members that are in no schema.
    pub fn unknown_fields() -> Self {
        Self::rewrite_return(strange::with_fields)
    }

    /// Each value of an enumeration in the reply's `return` becomes one that is in no schema.
    pub fn unknown_values() -> Self {
        Self::rewrite_return(strange::with_values)
    }

    /// A string in the reply gets bytes that are not UTF-8. None of them is 0xFF, the sentinel.
    pub fn invalid_utf8() -> Self {
        Self::rewrite(strange::with_broken_text)
    }

    /// The reply's `return` becomes this many nested arrays.
    pub fn deep_nesting(depth: usize) -> Self {
        Self::rewrite(move |_| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            format!("{{\"return\": {open}{close}}}\n").into_bytes()
        })
    }

    /// The agent resets the connection instead of answering, so that the client reads an error and not
    /// the end of the stream.
    ///
    /// A Unix socket is reset only if the client has sent something after the request, such as a
    /// newline. A stream in memory cannot be reset and just ends.
    pub fn reset() -> Self {
        Self::one(Effect::Reset)
    }

    pub(crate) fn resets(&self) -> bool {
        let reset = |effect: &Effect| matches!(effect, Effect::Reset);
        self.effects.iter().any(reset)
    }

    /// The agent is killed while it works on the request, and started again. It does not answer and
    /// forgets open files and half-read requests. The channel stays open.
    pub fn restart() -> Self {
        Self::one(Effect::Restart)
    }

    /// Joins two faults: the other one acts on what this one has made of the reply.
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
