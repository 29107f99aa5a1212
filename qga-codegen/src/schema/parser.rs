//! Tokens to objects, lists and strings, each with its place.

use std::sync::Arc;

use super::lexer::{Lexer, Token};
use crate::problem::{Location, Name, Problem};

/// How deep brackets may nest. Schemas need five or so.
const DEPTH_LIMIT: usize = 32;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) location: Location,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    List(Vec<Node>),
    Object(Object),
}

/// The members of an object, in order.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) location: Location,
    pub(super) members: Vec<(Name, Node)>,
}

/// Reads a file's expressions, which stand one after the other.
pub(super) fn parse(file: &Arc<str>, text: &str) -> Result<Vec<Object>, Problem> {
    let mut parser = Parser::new(Lexer::new(file, text))?;
    let mut objects = Vec::new();
    while parser.token != Token::End {
        let location = parser.location.clone();
        if parser.token != Token::Punct('{') {
            return Err(parser.expected("`{` at the start of a definition"));
        }
        match parser.node(0)?.value {
            Value::Object(object) => objects.push(object),
            _ => return Err(Problem::new(&location, "a definition is an object")),
        }
    }
    Ok(objects)
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    location: Location,
}

impl<'a> Parser<'a> {
    fn new(mut lexer: Lexer<'a>) -> Result<Self, Problem> {
        let (token, location) = lexer.next()?;
        Ok(Self {
            lexer,
            token,
            location,
        })
    }

    fn advance(&mut self) -> Result<(Token, Location), Problem> {
        let (token, location) = self.lexer.next()?;
        Ok((
            std::mem::replace(&mut self.token, token),
            std::mem::replace(&mut self.location, location),
        ))
    }

    fn expected(&self, what: &str) -> Problem {
        let found = self.token.describe();
        Problem::new(&self.location, format!("expected {what}, found {found}"))
    }

    fn node(&mut self, depth: usize) -> Result<Node, Problem> {
        if depth > DEPTH_LIMIT {
            return Err(Problem::new(&self.location, "this nests too deep"));
        }
        let before = (self.location.clone(), self.token.clone());
        let value = match before.1 {
            Token::Punct('{') => Value::Object(self.object(depth)?),
            Token::Punct('[') => Value::List(self.list(depth)?),
            Token::Text(text) => {
                self.advance()?;
                Value::Text(text)
            }
            Token::Flag(flag) => {
                self.advance()?;
                Value::Flag(flag)
            }
            Token::Punct(_) | Token::End => return Err(self.expected("a value")),
        };
        let location = before.0;
        Ok(Node { location, value })
    }

    fn object(&mut self, depth: usize) -> Result<Object, Problem> {
        let (_, location) = self.advance()?;
        let mut members: Vec<(Name, Node)> = Vec::new();
        while !self.closes('}', members.is_empty())? {
            let name = self.key()?;
            if members.iter().any(|(other, _)| other.text == name.text) {
                return Err(name.problem(format!("`{name}` is there twice")));
            }
            if self.token != Token::Punct(':') {
                return Err(self.expected("`:`"));
            }
            self.advance()?;
            members.push((name, self.node(depth + 1)?));
        }
        Ok(Object { location, members })
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, Problem> {
        self.advance()?;
        let mut nodes = Vec::new();
        while !self.closes(']', nodes.is_empty())? {
            nodes.push(self.node(depth + 1)?);
        }
        Ok(nodes)
    }

    /// Whether the brackets close here; otherwise steps over the comma before the next element.
    fn closes(&mut self, mark: char, first: bool) -> Result<bool, Problem> {
        if self.token == Token::Punct(mark) {
            self.advance()?;
            return Ok(true);
        }
        if !first {
            if self.token != Token::Punct(',') {
                return Err(self.expected(&format!("`,` or `{mark}`")));
            }
            self.advance()?;
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<Name, Problem> {
        if !matches!(self.token, Token::Text(_)) {
            return Err(self.expected("a name in quotes"));
        }
        let (token, location) = self.advance()?;
        let text = match token {
            Token::Text(text) => text,
            _ => String::new(),
        };
        Ok(Name { text, location })
    }
}
