//! Reading the JSON of agents, which spell numbers in their own ways and send what we do not know.

mod error;
mod lenient;
mod number;
mod raw;
mod surrogates;

pub use error::JsonError;
pub(crate) use error::words;
pub(crate) use lenient::from_str;
pub(crate) use number::natural;
pub use raw::RawObject;
pub(crate) use surrogates::replace_lone_surrogates;
