//! Text to tokens. Comments and documentation leave none.

use std::sync::Arc;

use crate::problem::{Location, Problem};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// One of `{ } [ ] : ,`.
    Punct(char),
    Text(String),
    Flag(bool),
    End,
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
    location: Location,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(file: &Arc<str>, text: &'a str) -> Self {
        Self {
            rest: text,
            location: Location::start(Arc::clone(file)),
        }
    }

    /// The next token and where it begins.
    pub(super) fn next(&mut self) -> Result<(Token, Location), Problem> {
        self.skip()?;
        let location = self.location.clone();
        let token = match self.bump() {
            None => Token::End,
            Some(mark @ ('{' | '}' | '[' | ']' | ':' | ',')) => Token::Punct(mark),
            Some('\'') => Token::Text(self.text(&location)?),
            Some('"') => return Err(Problem::new(&location, "strings have single quotes")),
            Some(first) if first.is_ascii_alphabetic() => self.word(first, &location)?,
            Some(other) => return Err(stray(other, &location)),
        };
        Ok((token, location))
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.rest.chars().next()?;
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        if next == '\n' {
            self.location.line += 1;
            self.location.column = 1;
        } else {
            self.location.column += 1;
        }
        Some(next)
    }

    fn line(&mut self) -> &'a str {
        let line = self.rest.split('\n').next().unwrap_or_default();
        while !self.rest.is_empty() && self.bump() != Some('\n') {}
        line.trim_end()
    }

    /// Skips blanks, comments and blocks of documentation.
    fn skip(&mut self) -> Result<(), Problem> {
        loop {
            if self.rest.starts_with([' ', '\t', '\r', '\n']) {
                self.bump();
            } else if self.rest.starts_with('#') {
                let location = self.location.clone();
                if self.line() == "##" {
                    self.documentation(&location)?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// A block of documentation goes from one line `##` to the next.
    fn documentation(&mut self, start: &Location) -> Result<(), Problem> {
        while self.rest.trim_start_matches([' ', '\t']).starts_with('#') {
            if self.line().trim_start() == "##" {
                return Ok(());
            }
        }
        let message = "this block of documentation has no `##` at its end";
        Err(Problem::new(start, message))
    }

    fn text(&mut self, start: &Location) -> Result<String, Problem> {
        let mut text = String::new();
        loop {
            let location = self.location.clone();
            match self.bump() {
                Some('\'') => return Ok(text),
                Some('\\') if self.bump() == Some('\\') => text.push('\\'),
                Some('\\') => return Err(Problem::new(&location, "only `\\\\` is an escape")),
                Some(plain @ ' '..='~') => text.push(plain),
                None | Some('\n') => {
                    return Err(Problem::new(start, "this string has no closing quote"));
                }
                Some(_) => {
                    return Err(Problem::new(&location, "strings are printable ASCII"));
                }
            }
        }
    }

    fn word(&mut self, first: char, location: &Location) -> Result<Token, Problem> {
        let mut word = String::from(first);
        while self
            .rest
            .starts_with(|next: char| next.is_ascii_alphanumeric())
        {
            word.extend(self.bump());
        }
        match word.as_str() {
            "true" => Ok(Token::Flag(true)),
            "false" => Ok(Token::Flag(false)),
            _ => {
                let message = format!("`{word}` is neither `true` nor `false`; names have quotes");
                Err(Problem::new(location, message))
            }
        }
    }
}

fn stray(character: char, location: &Location) -> Problem {
    Problem::new(
        location,
        format!("`{}` has no place here", character.escape_default()),
    )
}

impl Token {
    /// The token in words, for an error.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Punct(mark) => format!("`{mark}`"),
            Self::Text(text) => format!("'{text}'"),
            Self::Flag(flag) => format!("`{flag}`"),
            Self::End => "the end of the file".into(),
        }
    }
}
