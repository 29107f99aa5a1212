//! The agent's dialect of JSON: bytes to requests and replies to bytes, without I/O.
//!
//! `lexer` finds tokens, `parser` builds values from them, `reader` counts brackets and holds the
//! limits, and `writer` spells a value the way the agent does.

mod dialect;
mod lexer;
mod number;
mod order;
mod parser;
mod reader;
mod string;
mod utf8;
mod value;
mod writer;

pub(crate) use dialect::Dialect;
pub(crate) use reader::{Message, Reader};
pub(crate) use value::{Object, Value, text};
pub(crate) use writer::{write, write_pretty};

/// All tokens of one request together stay below this many bytes.
const SIZE_LIMIT: usize = 64 << 20;
