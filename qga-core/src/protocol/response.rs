//! What a command's response is read into.

use serde::de::DeserializeOwned;

use crate::command::NoReply;
use crate::error::{Error, decode};
use crate::json::{from_empty_object, from_long_object};

/// A response of some type. Whoever has this knows the type no more, so its code is there once, and not once for each
/// command.
pub(crate) trait Response: Send {
    /// Reads `{}`, and says whether it fits.
    fn read_empty(&mut self) -> bool;

    /// Reads an object with a long text in it, and says whether it is one and fits.
    fn read_long(&mut self, json: &[u8]) -> bool;

    /// Reads what is spelt as usual, and says whether it is that and fits.
    fn read(&mut self, json: &str) -> bool;

    /// Reads with all leniency.
    fn decode(&mut self, json: &str, is_secret: bool) -> Result<(), Error>;

    /// Takes that there is no reply for the response, and says whether it can be.
    fn no_reply(&mut self, how: NoReply) -> bool;
}

/// A response of a type that is known, once it was read.
pub(crate) struct Typed<R> {
    response: Option<R>,
    no_reply: fn(NoReply) -> Option<R>,
}

impl<R> Typed<R> {
    #[inline]
    pub(crate) fn new(no_reply: fn(NoReply) -> Option<R>) -> Self {
        Self {
            response: None,
            no_reply,
        }
    }

    /// What was read, as the result says.
    #[inline]
    pub(crate) fn take(self, result: Result<(), Error>) -> Result<R, Error> {
        result.and_then(|()| self.response.ok_or_else(Error::lost_reply))
    }
}

impl<R: DeserializeOwned + Send> Response for Typed<R> {
    fn read_empty(&mut self) -> bool {
        self.response = from_empty_object();
        self.response.is_some()
    }

    fn read_long(&mut self, json: &[u8]) -> bool {
        self.response = from_long_object(json);
        self.response.is_some()
    }

    fn read(&mut self, json: &str) -> bool {
        self.response = serde_json::from_str(json).ok();
        self.response.is_some()
    }

    fn decode(&mut self, json: &str, is_secret: bool) -> Result<(), Error> {
        self.response = Some(decode(json, is_secret)?);
        Ok(())
    }

    fn no_reply(&mut self, how: NoReply) -> bool {
        self.response = (self.no_reply)(how);
        self.response.is_some()
    }
}
