//! The branches of unions.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Decodes a branch from all members of its object. An error tells where in the branch it is.
pub(crate) fn decode<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, String> {
    serde_path_to_error::deserialize(Value::Object(members)).map_err(|error| {
        let path = error.path().to_string();
        let source = error.into_inner();
        match path.as_str() {
            "." => source.to_string(),
            path => format!("`{path}`: {source}"),
        }
    })
}
