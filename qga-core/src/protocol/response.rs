//! What a command's response is read into.

use serde::de::DeserializeOwned;

use crate::command::NoReply;
use crate::error::Error;
use crate::json::Reader;

/// A response of some type. Whoever has this knows the type no more, so its code is there once, and not once for each
/// command.
pub(crate) trait Response: Send {
    /// Reads what the agent returned.
    fn read(&mut self, reader: &mut Reader<'_>) -> serde_json::Result<()>;

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
    fn read(&mut self, reader: &mut Reader<'_>) -> serde_json::Result<()> {
        self.response = Some(R::deserialize(reader)?);
        Ok(())
    }

    fn no_reply(&mut self, how: NoReply) -> bool {
        self.response = (self.no_reply)(how);
        self.response.is_some()
    }
}
