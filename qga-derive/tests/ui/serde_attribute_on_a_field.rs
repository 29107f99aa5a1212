use qga_core::QgaCommand;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, QgaCommand)]
#[qga(name = "guest-file-write")]
struct FileWrite {
    #[serde(rename = "buf-b64")]
    buf: String,
    #[serde(rename(serialize = "n", deserialize = "m"), alias = "p")]
    count: u64,
    #[serde(skip)]
    note: String,
    #[serde(skip_serializing, default)]
    other: String,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    mode: Option<String>,
    #[serde(with = "base64")]
    bytes: Vec<u8>,
    #[serde(flatten)]
    more: More,
    #[serde(skip_deserializing)]
    #[qga(skip)]
    both: u8,
}

mod base64 {
    pub(crate) fn serialize<S: serde::Serializer>(_: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_none()
    }

    pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(_: D) -> Result<Vec<u8>, D::Error> {
        Ok(Vec::new())
    }
}

#[derive(Serialize, Deserialize)]
struct More {}

fn main() {}
