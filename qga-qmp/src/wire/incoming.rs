//! What an object says: a greeting, an event, or a reply.

use qga_core::{AgentError, Malformed};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// An object that a monitor sends.
#[derive(Debug)]
pub(crate) enum Incoming {
    Greeting(Greeting),
    Event(RawEvent),
    Reply {
        id: Id,
        result: Result<Box<RawValue>, AgentError>,
    },
}

/// Whose reply it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    /// Nobody's: the request could not be read.
    Absent,
    Number(u64),
    /// That of a request which is none of ours.
    Foreign,
}

/// What a monitor says of itself before anything else.
#[derive(Clone, Debug, Default)]
pub(crate) struct Greeting {
    pub(crate) version: Version,
    pub(crate) has_oob: bool,
}

/// The version of a QEMU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Version {
    /// The first number, as 10 in 10.0.2.
    pub major: u32,
    /// The second number.
    pub minor: u32,
    /// The third number.
    pub micro: u32,
    /// What its packagers call it, such as `Debian 1:7.2+dfsg-7`; empty where they say nothing.
    pub package: String,
}

/// An event as it came.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawEvent {
    /// Its name, such as `SHUTDOWN`.
    pub name: String,
    /// What it carries, as JSON: an object; `None` where it carries nothing.
    pub data: Option<Box<RawValue>>,
    /// When it happened by QEMU's clock, in microseconds since 1970.
    pub(crate) micros: Option<u64>,
}

impl RawEvent {
    /// What it carries, as a type; none where it does not fit.
    #[must_use]
    pub fn decode<T: DeserializeOwned>(&self) -> Option<T> {
        let json = self.data.as_deref().map_or("{}", RawValue::get);
        serde_json::from_str(json).ok()
    }
}

/// An explicit null is a value, not an absence.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "QMP", borrow, default, deserialize_with = "present")]
    greeting: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    event: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    timestamp: Option<&'a RawValue>,
    #[serde(rename = "return", borrow, default, deserialize_with = "present")]
    returned: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
}

fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    value: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

impl Incoming {
    /// Reads an object, or says in which way it is nothing that a monitor sends.
    pub(crate) fn read(object: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(object).map_err(|_| Malformed::NotUtf8)?;
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Malformed::DuplicateMember,
                _ => Malformed::NotJson,
            })?;
        if let Some(greeting) = envelope.greeting {
            return Ok(Self::Greeting(read_greeting(greeting)));
        }
        if let Some(name) = envelope.event {
            let name = serde_json::from_str(name.get()).map_err(|_| Malformed::NoReturnOrError)?;
            return Ok(Self::Event(RawEvent {
                name,
                data: envelope.data.map(ToOwned::to_owned),
                micros: envelope.timestamp.and_then(read_timestamp),
            }));
        }
        let result = match (envelope.returned, envelope.error) {
            (Some(value), None) => Ok(value.to_owned()),
            (None, Some(error)) => {
                Err(serde_json::from_str(error.get()).map_err(|_| Malformed::BadError)?)
            }
            (None, None) => return Err(Malformed::NoReturnOrError),
            (Some(_), Some(_)) => return Err(Malformed::ReturnAndError),
        };
        let id = envelope.id.map_or(Id::Absent, |id| {
            id.get().parse().map_or(Id::Foreign, Id::Number)
        });
        Ok(Self::Reply { id, result })
    }
}

/// What cannot be understood of a greeting is not known; that it greets is what counts.
fn read_greeting(json: &RawValue) -> Greeting {
    #[derive(Deserialize)]
    struct Parts {
        version: Option<Versions>,
        capabilities: Option<Vec<serde_json::Value>>,
    }
    #[derive(Deserialize)]
    struct Versions {
        qemu: Option<Numbers>,
        package: Option<String>,
    }
    #[derive(Deserialize)]
    struct Numbers {
        major: u32,
        minor: u32,
        micro: u32,
    }
    let Ok(parts) = serde_json::from_str::<Parts>(json.get()) else {
        return Greeting::default();
    };
    let mut version = Version::default();
    if let Some(versions) = parts.version {
        version.package = versions.package.unwrap_or_default();
        if let Some(qemu) = versions.qemu {
            (version.major, version.minor, version.micro) = (qemu.major, qemu.minor, qemu.micro);
        }
    }
    let capabilities = parts.capabilities.unwrap_or_default();
    Greeting {
        version,
        has_oob: capabilities.iter().any(|capability| capability == "oob"),
    }
}

fn read_timestamp(json: &RawValue) -> Option<u64> {
    #[derive(Deserialize)]
    struct Parts {
        seconds: u64,
        microseconds: u64,
    }
    let parts: Parts = serde_json::from_str(json.get()).ok()?;
    parts
        .seconds
        .checked_mul(1_000_000)?
        .checked_add(parts.microseconds)
}

#[cfg(test)]
#[path = "incoming/tests.rs"]
mod tests;
