//! Reading the JSON of agents, which spell numbers in their own ways and send what we do not know.

mod arguments;
mod error;
mod lenient;
mod long;
mod number;
mod place;
mod probe;
mod raw;
mod refuse;
mod surrogates;

pub(crate) use arguments::write_arguments;
pub use error::JsonError;
pub(crate) use error::words;
pub(crate) use lenient::from_str;
pub(crate) use long::{MOST_MEMBERS, from_empty_object, from_long_object};
pub(crate) use number::natural;
pub(crate) use probe::is_none;
pub use raw::RawObject;
pub(crate) use surrogates::replace_lone_surrogates;
