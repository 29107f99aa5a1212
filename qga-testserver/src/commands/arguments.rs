use crate::Profile;
use crate::wire::json::{Object, Value};
use crate::wire::reply::Failure;

mod leftover;

/// A parameter of a command, or a member of an object that a parameter takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    name: &'static str,
    kind: Kind,
    optional: bool,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Integer,
    /// An integer up to 2^64; a negative one wraps.
    Unsigned,
    Text,
    Boolean,
    /// A list of strings.
    Texts,
    /// A list of objects with these members.
    Objects(&'static [Parameter]),
    /// `GuestFileWhence`: an integer, or one of three names.
    Whence,
    /// `GuestExecCaptureOutput`: a boolean, or the name of a mode since QEMU 8.1.
    Capture,
    /// Any value.
    Any,
}

/// The names that stand for a whence of 0, 1 and 2.
const WHENCE: [&str; 3] = ["set", "cur", "end"];
/// What of a program's output can be captured.
const MODES: [&str; 5] = ["none", "stdout", "stderr", "separated", "merged"];

/// Arguments that fit a command's parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a>(&'a Object);

/// A parameter that must be given.
pub(crate) const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: false,
    }
}

/// A parameter that may be left out.
pub(crate) const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter {
        name,
        kind,
        optional: true,
    }
}

/// Checks arguments as the agent does: what is missing or of the wrong type in the order of the
/// parameters, then what is left over.
pub(crate) fn check<'a>(
    given: &'a Object,
    parameters: &[Parameter],
    profile: Profile,
) -> Result<Arguments<'a>, Failure> {
    check_members(given, parameters, "", profile)?;
    Ok(Arguments(given))
}

impl<'a> Arguments<'a> {
    /// An integer, if it was given.
    pub(crate) fn integer(self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// An unsigned integer, if it was given.
    pub(crate) fn unsigned(self, name: &str) -> Option<u64> {
        match self.0.get(name)? {
            Value::Int(number) => Some(number.cast_unsigned()),
            Value::UInt(number) => Some(*number),
            _ => None,
        }
    }

    /// A string, if it was given.
    pub(crate) fn text(self, name: &str) -> Option<&'a [u8]> {
        match self.0.get(name)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean, if it was given.
    pub(crate) fn boolean(self, name: &str) -> Option<bool> {
        match self.0.get(name)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A list of strings, if it was given.
    pub(crate) fn texts(self, name: &str) -> Option<Vec<&'a [u8]>> {
        let text = |value: &'a Value| match value {
            Value::String(text) => Some(text.as_slice()),
            _ => None,
        };
        match self.0.get(name)? {
            Value::Array(values) => Some(values.iter().filter_map(text).collect()),
            _ => None,
        }
    }

    /// A list of objects; none when it was not given.
    pub(crate) fn objects(self, name: &str) -> Vec<Arguments<'a>> {
        let object = |value: &'a Value| match value {
            Value::Object(object) => Some(Arguments(object)),
            _ => None,
        };
        match self.0.get(name) {
            Some(Value::Array(values)) => values.iter().filter_map(object).collect(),
            _ => Vec::new(),
        }
    }

    /// A whence as a number, which may be out of range.
    pub(crate) fn whence(self, name: &str) -> Option<i64> {
        self.integer(name)
            .or_else(|| whence_named(self.text(name)?))
    }
}

fn whence_named(text: &[u8]) -> Option<i64> {
    (0..)
        .zip(WHENCE)
        .find(|(_, name)| name.as_bytes() == text)
        .map(|(number, _)| number)
}

fn check_members(
    given: &Object,
    parameters: &[Parameter],
    path: &str,
    profile: Profile,
) -> Result<(), Failure> {
    for parameter in parameters {
        let place = format!("{path}{}", parameter.name);
        match given.get(parameter.name) {
            Some(value) => check_value(parameter.kind, value, &place, profile)?,
            None if parameter.optional => {}
            None => return Err(fault(place, " is missing")),
        }
    }
    let known = |name: &[u8]| parameters.iter().any(|known| known.name.as_bytes() == name);
    match leftover::first(given, known) {
        Some(name) => Err(fault([path.as_bytes(), name].concat(), " is unexpected")),
        None => Ok(()),
    }
}

fn check_value(kind: Kind, value: &Value, place: &str, profile: Profile) -> Result<(), Failure> {
    let expected = match (kind, value) {
        (Kind::Capture, _) if !profile.since(8, 1) => {
            return check_value(Kind::Boolean, value, place, profile);
        }
        (Kind::Any, _)
        | (Kind::Unsigned, Value::Int(_) | Value::UInt(_))
        | (Kind::Integer | Kind::Whence, Value::Int(_))
        | (Kind::Text, Value::String(_))
        | (Kind::Boolean | Kind::Capture, Value::Bool(_)) => return Ok(()),
        (Kind::Texts | Kind::Objects(_), Value::Array(values)) => {
            return check_elements(kind, values, place, profile);
        }
        (Kind::Whence, Value::String(name)) => {
            return check_name(name, &WHENCE, place, profile);
        }
        (Kind::Capture, Value::String(name)) => {
            return check_name(name, &MODES, place, profile);
        }
        (Kind::Integer, _) | (Kind::Whence, Value::UInt(_) | Value::Double(_)) => "integer",
        (Kind::Unsigned, _) => "uint64",
        (Kind::Text, _) => "string",
        (Kind::Boolean, _) => "boolean",
        (Kind::Texts | Kind::Objects(_), _) => "array",
        (Kind::Whence, _) => "GuestFileWhence",
        (Kind::Capture, _) => "GuestExecCaptureOutput",
    };
    Err(wrong_type(place, expected))
}

fn check_elements(
    kind: Kind,
    values: &[Value],
    place: &str,
    profile: Profile,
) -> Result<(), Failure> {
    for (index, value) in values.iter().enumerate() {
        let place = format!("{place}[{index}]");
        match (kind, value) {
            (Kind::Objects(members), Value::Object(object)) => {
                check_members(object, members, &format!("{place}."), profile)?;
            }
            (Kind::Objects(_), _) => return Err(wrong_type(&place, "object")),
            _ => check_value(Kind::Text, value, &place, profile)?,
        }
    }
    Ok(())
}

fn check_name(name: &[u8], names: &[&str], place: &str, profile: Profile) -> Result<(), Failure> {
    if names.iter().any(|known| known.as_bytes() == name) {
        return Ok(());
    }
    if !profile.since(6, 0) {
        return Err(Failure::generic(
            [b"Invalid parameter '", name, b"'"].concat(),
        ));
    }
    let what = [b" does not accept value '", name, b"'"].concat();
    Err(fault(place, what))
}

fn wrong_type(place: &str, expected: &str) -> Failure {
    let text = format!("Invalid parameter type for '{place}', expected: {expected}");
    Failure::generic(text)
}

fn fault(place: impl AsRef<[u8]>, what: impl AsRef<[u8]>) -> Failure {
    Failure::generic([b"Parameter '", place.as_ref(), b"'", what.as_ref()].concat())
}
