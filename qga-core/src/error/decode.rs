//! From the JSON that an agent returned to a command's response.

use std::fmt;

use super::{Error, ErrorKind, Execution, Stage};
use crate::json::{self, JsonError, Reader};

/// Of a longer reply, an error does not show the piece that does not fit; in bytes.
const LONGEST_SHOWN: usize = 64 * 1024;

/// How a reply does not fit its command's response type.
///
/// ```
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-network-get-interfaces", response = Vec<Interface>)]
/// # struct GetInterfaces;
/// # #[derive(serde::Deserialize)]
/// # struct Interface { name: String }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let (agent, stream) = qga_testserver::TestAgent::in_memory();
/// # agent.on("guest-network-get-interfaces").reply(serde_json::json!([{"name": "lo"}, {"name": 5}]));
/// # let client = qga_core::Client::new(stream);
/// let error = client.execute(GetInterfaces).await.err().unwrap();
/// assert_eq!(error.decode_error().unwrap().path(), "[1].name");
/// assert!(error.to_string().ends_with(
///     "the reply does not fit at `[1].name`, which is 5: invalid type: integer `5`, expected a string"
/// ));
/// # }
/// ```
pub struct DecodeError {
    path: String,
    source: JsonError,
    json: Option<String>,
    piece: Option<String>,
}

impl DecodeError {
    /// The place inside what the agent returned, such as `[3].ip-addresses[0].prefix`; `.` is the
    /// whole. For a field that is missing it is the object that lacks it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// All that the agent returned; `None` where the command says that its
    /// [reply is a secret](crate::QgaCommand::SECRET_REPLY).
    #[must_use]
    pub fn json(&self) -> Option<&str> {
        self.json.as_deref()
    }

    /// What stands at [`path`](Self::path), as the agent wrote it; `None` like [`json`](Self::json), and where
    /// the reply is longer than 64 KiB.
    #[must_use]
    pub fn piece(&self) -> Option<&str> {
        self.piece.as_deref()
    }

    pub(crate) fn reason(&self) -> &JsonError {
        &self.source
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodeError")
            .field("path", &self.path)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

/// Reads what the agent returned.
pub(crate) fn decode<'de, T>(
    json: &'de str,
    secret: bool,
    read: impl FnMut(&mut Reader<'de>) -> serde_json::Result<T>,
) -> Result<T, Error> {
    json::read(json, read).map_err(|misfit| {
        let place = Some(misfit.place).filter(|_| !secret);
        let shown = place.as_ref().filter(|_| json.len() <= LONGEST_SHOWN);
        let piece = shown.map(|place| place.piece.to_owned());
        let kind = ErrorKind::Decode(DecodeError {
            path: place.map_or_else(|| ".".to_owned(), |place| place.path),
            source: JsonError::new(withheld(misfit.error, secret)),
            json: Some(json.to_owned()).filter(|_| !secret),
            piece,
        });
        Error::new(Stage::Decode, Execution::Answered, kind)
    })
}

/// serde's words may quote what they speak of.
fn withheld(error: serde_json::Error, secret: bool) -> serde_json::Error {
    if secret {
        return serde::de::Error::custom("the reason is withheld, as the reply is a secret");
    }
    error
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_list_is_not_lost_for_half_a_character_in_it() {
        let names: Vec<String> =
            decode(r#"["a", "b\udcff"]"#, false, |json| Vec::deserialize(json)).unwrap();
        assert_eq!(names, ["a", "b\u{FFFD}"]);
        let error =
            decode(r#"["\udcff"]"#, false, |json| <Vec<u8>>::deserialize(json)).unwrap_err();
        assert_eq!(error.decode_error().unwrap().path(), "[0]");
    }
}
