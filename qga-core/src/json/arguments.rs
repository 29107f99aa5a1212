//! The arguments of a request, written straight into it.

use std::fmt::Display;

use serde::ser::{Error, Impossible, SerializeMap};
use serde::{Serialize, Serializer};

use super::probe::write_base64;
use super::refuse::refuse;

/// Writes the arguments of a command. Of a map, base64 is encoded into its place, and not looked at again.
pub(crate) fn write_arguments<A: Serialize>(
    to: &mut Vec<u8>,
    arguments: &A,
) -> serde_json::Result<()> {
    let start = to.len();
    match arguments.serialize(Arguments(to)) {
        Ok(()) => Ok(()),
        Err(Failure::Json(error)) => Err(error),
        // It is for the agent to refuse.
        Err(Failure::NoMap) => {
            to.truncate(start);
            serde_json::to_writer(to, arguments)
        }
    }
}

struct Arguments<'a>(&'a mut Vec<u8>);

/// The members that are written; none yet, if there is only a brace.
struct Members<'a> {
    to: &'a mut Vec<u8>,
    is_first: bool,
}

#[derive(Debug)]
enum Failure {
    Json(serde_json::Error),
    /// It is no map whose keys are texts.
    NoMap,
}

impl Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Self::Json(Error::custom(message))
    }
}

impl std::error::Error for Failure {}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => error.fmt(f),
            Self::NoMap => f.write_str("not a map"),
        }
    }
}

impl SerializeMap for Members<'_> {
    type Ok = ();
    type Error = Failure;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failure> {
        if !std::mem::take(&mut self.is_first) {
            self.to.push(b',');
        }
        let start = self.to.len();
        serde_json::to_writer(&mut *self.to, key).map_err(Failure::Json)?;
        match self.to.get(start) {
            Some(b'"') => Ok(()),
            _ => Err(Failure::NoMap),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failure> {
        self.to.push(b':');
        if write_base64(value, self.to) {
            return Ok(());
        }
        serde_json::to_writer(&mut *self.to, value).map_err(Failure::Json)
    }

    fn end(self) -> Result<(), Failure> {
        self.to.push(b'}');
        Ok(())
    }
}

impl<'a> Serializer for Arguments<'a> {
    type Ok = ();
    type Error = Failure;
    type SerializeSeq = Impossible<(), Failure>;
    type SerializeTuple = Impossible<(), Failure>;
    type SerializeTupleStruct = Impossible<(), Failure>;
    type SerializeTupleVariant = Impossible<(), Failure>;
    type SerializeMap = Members<'a>;
    type SerializeStruct = Impossible<(), Failure>;
    type SerializeStructVariant = Impossible<(), Failure>;

    #[inline]
    fn serialize_map(self, _: Option<usize>) -> Result<Members<'a>, Failure> {
        self.0.push(b'{');
        Ok(Members {
            to: self.0,
            is_first: true,
        })
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Failure> {
        Err(Failure::NoMap)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<(), Failure> {
        Err(Failure::NoMap)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Failure> {
        Err(Failure::NoMap)
    }

    fn serialize_none(self) -> Result<(), Failure> {
        Err(Failure::NoMap)
    }

    refuse!(Failure, Failure::NoMap);
}

#[cfg(test)]
#[path = "arguments/tests.rs"]
mod tests;
