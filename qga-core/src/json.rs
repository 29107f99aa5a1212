//! Reading the JSON of agents, which spell numbers in their own ways and send what we do not know.

mod arguments;
mod error;
mod number;
mod probe;
mod raw;
mod reader;
mod refuse;

pub(crate) use arguments::write_arguments;
pub use error::JsonError;
pub(crate) use number::natural;
pub(crate) use probe::is_none;
pub use raw::RawObject;
pub(crate) use reader::{DEEPEST, Reader, from_str, is_json, read};
