//! Parts for clients of other protocols than the guest agent's, such as that of a machine's monitor: channels by the
//! same addresses, and errors that tell the same.
//!
//! Their commands are [derived](crate::QgaCommand) too, with `#[qga(protocol = ...)]`.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::command::{CommandSpec, QgaCommand};
use crate::error::{self, Error, ErrorKind, Execution, Stage};
use crate::transport::{Address, Programs, Schemes, open};

pub use crate::transport::ByteStream;

/// Opens what an address names. An address of the scheme `exec` is refused, and so is one of a
/// [scheme](Address::Other) that this crate does not know.
///
/// # Errors
///
/// As those of [`Client::connect`](crate::Client::connect) in [`Stage::Connect`]. There is no deadline.
///
/// # Cancel safety
///
/// If the future is dropped, nothing is left open.
pub async fn open(address: &Address) -> Result<ByteStream, Error> {
    let opened = open::plain_stream(address, &Schemes::new(), &Programs::default()).await;
    opened.map_err(|error| error.with_address(Some(&open::text_of(address))))
}

/// An error, of a command if it came to one, and of an address if there is one.
#[must_use]
pub fn error(
    stage: Stage,
    execution: Execution,
    kind: ErrorKind,
    command: Option<&CommandSpec<'_>>,
    address: Option<&Arc<str>>,
) -> Error {
    let error = Error::new(stage, execution, kind).with_address(address);
    match command {
        Some(spec) => error.with_spec(spec),
        None => error,
    }
}

/// The same failure, told to another command, which it may have kept from being answered.
#[must_use]
pub fn error_again(
    error: &Error,
    execution: Execution,
    command: Option<&CommandSpec<'_>>,
    address: Option<&Arc<str>>,
) -> Error {
    let error = error.same(execution).with_address(address);
    match command {
        Some(spec) => error.with_spec(spec),
        None => error,
    }
}

/// The arguments of a command as JSON; `None` where it has none.
///
/// # Errors
///
/// When they do not serialize, with [`ErrorKind::Encode`].
pub fn encode<P, C: QgaCommand<P>>(command: &C) -> Result<Option<String>, Error> {
    let Some(arguments) = command.arguments() else {
        return Ok(None);
    };
    encode_arguments(&arguments, &command.spec()).map(Some)
}

/// The arguments of a command that is known by its name.
///
/// # Errors
///
/// As [`encode`].
pub fn encode_arguments(
    arguments: &impl serde::Serialize,
    command: &CommandSpec<'_>,
) -> Result<String, Error> {
    serde_json::to_string(arguments).map_err(|cause| Error::encode(cause).with_spec(command))
}

/// The response of a command, from the JSON that was returned.
///
/// # Errors
///
/// When the JSON does not fit the type, with [`ErrorKind::Decode`].
pub fn decode<P, C: QgaCommand<P>>(json: &str) -> Result<C::Response, Error> {
    error::decode(json, C::SECRET_REPLY, |json| Deserialize::deserialize(json))
}

/// The same for any type, where the command is known by its name.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_value<R: DeserializeOwned>(
    json: &str,
    command: &CommandSpec<'_>,
) -> Result<R, Error> {
    error::decode(json, command.secret, |json| Deserialize::deserialize(json))
}
