use std::collections::HashSet;

use super::lexer::Kind;
use super::{Dialect, Object, Value, number, string};

/// Builds one value from tokens as they come.
///
/// It keeps the first error and ignores the tokens after it.
#[derive(Debug, Default)]
pub(super) struct Parser {
    open: Vec<Frame>,
    expect: Expect,
    done: Option<Value>,
    fault: Option<Vec<u8>>,
}

/// What may come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expect {
    #[default]
    Value,
    FirstMember,
    FirstElement,
    /// A name after a comma, if the dialect distinguishes it from a value.
    Name,
    Colon,
    NextMember,
    NextElement,
}

/// An array or an object that is not closed yet.
#[derive(Debug)]
enum Frame {
    Array(Vec<Value>),
    Object(OpenObject),
}

#[derive(Debug, Default)]
struct OpenObject {
    members: Object,
    names: HashSet<Vec<u8>>,
    /// The name whose value is to come.
    name: Option<Vec<u8>>,
}

impl Parser {
    /// Takes the next token.
    pub(super) fn push(&mut self, kind: Kind, text: &[u8], dialect: Dialect) {
        if self.fault.is_none()
            && let Err(fault) = self.step(kind, text, dialect)
        {
            self.fault = Some(fault);
            self.open.clear();
        }
    }

    /// Ends the value: the brackets balance, or more were closed than opened.
    pub(super) fn finish(&mut self) -> Result<Value, Vec<u8>> {
        let parser = std::mem::take(self);
        match (parser.fault, parser.done) {
            (Some(fault), _) => Err(fault),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(b"premature EOI".to_vec()),
        }
    }

    /// The first error, if there has been one.
    pub(super) fn fault(&self) -> Option<&[u8]> {
        self.fault.as_deref()
    }

    fn step(&mut self, kind: Kind, text: &[u8], dialect: Dialect) -> Result<(), Vec<u8>> {
        use Expect::{Colon, FirstElement, FirstMember, Name, NextElement, NextMember};
        let wording = dialect.wording();
        match (self.expect, kind) {
            (FirstMember | NextMember, Kind::CloseBrace)
            | (FirstElement | NextElement, Kind::CloseBracket) => self.close(),
            (NextMember, Kind::Comma) if dialect == Dialect::Early => {
                self.expect = Name;
                Ok(())
            }
            (Colon, Kind::Colon) | (NextMember | NextElement, Kind::Comma) => {
                self.expect = Expect::Value;
                Ok(())
            }
            (Colon, _) => Err(wording.colon.into()),
            (NextMember, _) => Err(wording.member.into()),
            (NextElement, _) => Err(wording.element.into()),
            (FirstMember | Name, _) if dialect == Dialect::Early && kind != Kind::String => {
                Err(b"expecting key".to_vec())
            }
            (_, Kind::OpenBrace) => self.enter(Frame::Object(OpenObject::default()), FirstMember),
            (_, Kind::OpenBracket) => self.enter(Frame::Array(Vec::new()), FirstElement),
            (_, Kind::String) => self.value(Value::String(string::decode(text)?)),
            (_, Kind::Integer) => self.value(number::integer(text)),
            (_, Kind::Float) => self.value(number::float(text)),
            (_, Kind::Keyword) => self.value(keyword(text)?),
            (_, Kind::CloseBrace | Kind::CloseBracket | Kind::Colon | Kind::Comma) => {
                Err(b"expecting value".to_vec())
            }
        }
    }

    #[allow(
        clippy::unnecessary_wraps,
        reason = "an arm of `step`, whose others can fail"
    )]
    fn enter(&mut self, frame: Frame, expect: Expect) -> Result<(), Vec<u8>> {
        self.open.push(frame);
        self.expect = expect;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Vec<u8>> {
        match self.open.pop() {
            Some(Frame::Array(values)) => self.value(Value::Array(values)),
            Some(Frame::Object(object)) => self.value(Value::Object(object.members)),
            None => Err(b"expecting value".to_vec()),
        }
    }

    /// Puts a whole value where it belongs.
    fn value(&mut self, value: Value) -> Result<(), Vec<u8>> {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Frame::Array(values)) => {
                values.push(value);
                self.expect = Expect::NextElement;
            }
            Some(Frame::Object(object)) => self.expect = object.take(value)?,
        }
        Ok(())
    }
}

impl OpenObject {
    /// Takes a name or a value. A name that is there already shows only once its value is whole.
    fn take(&mut self, value: Value) -> Result<Expect, Vec<u8>> {
        match (self.name.take(), value) {
            (None, Value::String(name)) => {
                self.name = Some(name);
                Ok(Expect::Colon)
            }
            (None, _) => Err(b"key is not a string in object".to_vec()),
            (Some(name), value) => {
                if !self.names.insert(name.clone()) {
                    return Err(b"duplicate key".to_vec());
                }
                self.members.put(name, value);
                Ok(Expect::NextMember)
            }
        }
    }
}

fn keyword(text: &[u8]) -> Result<Value, Vec<u8>> {
    match text {
        b"true" => Ok(Value::Bool(true)),
        b"false" => Ok(Value::Bool(false)),
        b"null" => Ok(Value::Null),
        _ => Err([b"invalid keyword '", text, b"'"].concat()),
    }
}
