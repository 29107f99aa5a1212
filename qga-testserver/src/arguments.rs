use crate::json::{Object, Value};
use crate::reply::Failure;

mod leftover;

/// A parameter of a command.
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
    Text,
    /// `GuestFileWhence`: an integer, or one of three names.
    Whence,
}

/// The names that stand for a whence of 0, 1 and 2.
const WHENCE: [&[u8]; 3] = [b"set", b"cur", b"end"];

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
) -> Result<Arguments<'a>, Failure> {
    for parameter in parameters {
        match given.get(parameter.name) {
            Some(value) => check_kind(parameter, value)?,
            None if parameter.optional => {}
            None => return Err(fault(parameter.name, " is missing")),
        }
    }
    let known = |name: &[u8]| parameters.iter().any(|known| known.name.as_bytes() == name);
    match leftover::first(given, known) {
        Some(name) => Err(fault(name, " is unexpected")),
        None => Ok(Arguments(given)),
    }
}

impl<'a> Arguments<'a> {
    /// An integer, if it was given.
    pub(crate) fn integer(self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Value::Int(number) => Some(*number),
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

    /// A whence as a number, which may be out of range.
    pub(crate) fn whence(self, name: &str) -> Option<i64> {
        self.integer(name)
            .or_else(|| whence_named(self.text(name)?))
    }
}

fn whence_named(text: &[u8]) -> Option<i64> {
    (0..)
        .zip(WHENCE)
        .find(|(_, name)| *name == text)
        .map(|(number, _)| number)
}

fn check_kind(parameter: &Parameter, value: &Value) -> Result<(), Failure> {
    let expected = match (parameter.kind, value) {
        (Kind::Integer | Kind::Whence, Value::Int(_)) | (Kind::Text, Value::String(_)) => {
            return Ok(());
        }
        (Kind::Whence, Value::String(name)) => {
            return match whence_named(name) {
                Some(_) => Ok(()),
                None => Err(fault(
                    parameter.name,
                    [b" does not accept value '", &**name, b"'"].concat(),
                )),
            };
        }
        (Kind::Integer, _) | (Kind::Whence, Value::UInt(_) | Value::Double(_)) => "integer",
        (Kind::Text, _) => "string",
        (Kind::Whence, _) => "GuestFileWhence",
    };
    let text = format!(
        "Invalid parameter type for '{}', expected: {expected}",
        parameter.name
    );
    Err(Failure::generic(text))
}

fn fault(name: impl AsRef<[u8]>, what: impl AsRef<[u8]>) -> Failure {
    Failure::generic([b"Parameter '", name.as_ref(), b"'", what.as_ref()].concat())
}
