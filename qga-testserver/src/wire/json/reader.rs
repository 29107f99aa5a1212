use super::lexer::{Kind, Lexed, Lexer};
use super::parser::Parser;
use super::{Dialect, SIZE_LIMIT, Value};

/// Open braces and brackets together.
const NESTING_LIMIT: i64 = 1024;
/// Tokens of one request.
const TOKEN_LIMIT: usize = 2 << 20;
/// What a token takes in memory besides its text, at most.
const TOKEN_COST: usize = 64;
/// So much of a request's own bytes is kept for the test to look at.
const RAW_LIMIT: usize = 64 << 10;

/// Turns bytes into requests, however they are split.
///
/// There is one for each agent, not for each client: what one client left half sent, the next one
/// goes on with.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    lexer: Lexer,
    parser: Parser,
    braces: i64,
    brackets: i64,
    tokens: usize,
    size: usize,
    raw: Vec<u8>,
    dialect: Dialect,
    /// The fault of the request in progress has been spoken of.
    silent: bool,
}

/// One request, or one fault in the input.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// The request, or the text of the error to answer with.
    pub(crate) outcome: Result<Value, Vec<u8>>,
    /// The bytes it was made of, or the first of them if they are very many.
    pub(crate) raw: Vec<u8>,
    /// About what it takes in memory, in bytes.
    pub(crate) cost: usize,
}

impl Reader {
    /// Says how faults are spoken of from now on.
    pub(crate) fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Takes bytes off `input` until a message is whole, or all of them.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Option<Message> {
        loop {
            let before = *input;
            let lexed = self.lexer.next(input);
            let taken = before.len() - input.len();
            self.note(before.get(..taken).unwrap_or_default());
            let outcome = match lexed? {
                Lexed::Token(kind) => self.take(kind),
                Lexed::Stray => {
                    let fault = stray(self.lexer.text());
                    let outcome = (!self.silent).then(|| Err(self.located(&fault)));
                    self.forget(outcome)
                }
                Lexed::TooLong => self.over("JSON token size limit exceeded"),
                Lexed::Skipped => {
                    self.raw.clear();
                    None
                }
            };
            if outcome.is_some() {
                return outcome;
            }
        }
    }

    fn take(&mut self, kind: Kind) -> Option<Message> {
        match kind {
            Kind::OpenBrace => self.braces += 1,
            Kind::CloseBrace => self.braces -= 1,
            Kind::OpenBracket => self.brackets += 1,
            Kind::CloseBracket => self.brackets -= 1,
            _ => {}
        }
        if !self.silent {
            self.size += self.lexer.text().len();
            self.tokens += 1;
            if let Some(limit) = self.limit() {
                return self.over(limit);
            }
            self.parser.push(kind, self.lexer.text(), self.dialect);
        }
        match self.parser.fault() {
            Some(fault) if self.dialect == Dialect::Early && !self.silent => {
                let fault = self.located(fault);
                self.complain(fault)
            }
            _ if !self.is_balanced() => None,
            _ if self.silent => self.forget(None),
            _ => {
                let outcome = self.parser.finish();
                let outcome = outcome.map_err(|fault| self.located(&fault));
                self.forget(Some(outcome))
            }
        }
    }

    /// The request has passed a limit.
    fn over(&mut self, limit: &str) -> Option<Message> {
        match self.dialect {
            _ if self.silent => None,
            Dialect::Late => self.forget(Some(Err(limit.into()))),
            Dialect::Early => self.complain(limit.into()),
        }
    }

    /// Speaks of a fault, and is silent for the rest of the request.
    fn complain(&mut self, fault: Vec<u8>) -> Option<Message> {
        let (braces, brackets) = (self.braces, self.brackets);
        let balanced = self.is_balanced();
        let message = self.forget(Some(Err(fault)));
        if !balanced {
            (self.braces, self.brackets) = (braces, brackets);
            self.silent = true;
        }
        message
    }

    /// Forgets what has been read of the request in progress; the outcome, if any, is all that is
    /// left of it.
    fn forget(&mut self, outcome: Option<Result<Value, Vec<u8>>>) -> Option<Message> {
        let raw = std::mem::take(&mut self.raw);
        let cost = self.size + self.tokens * TOKEN_COST;
        self.parser = Parser::default();
        self.braces = 0;
        self.brackets = 0;
        self.tokens = 0;
        self.size = 0;
        self.silent = false;
        let outcome = outcome?;
        Some(Message { outcome, raw, cost })
    }

    /// Braces and brackets are counted apart, so `{[}` goes on.
    fn is_balanced(&self) -> bool {
        let open = self.braces > 0 || self.brackets > 0;
        !open || self.braces < 0 || self.brackets < 0
    }

    fn located(&self, fault: &[u8]) -> Vec<u8> {
        let place = match self.dialect {
            Dialect::Late => String::new(),
            Dialect::Early => format!("{}: ", self.lexer.start()),
        };
        [place.as_bytes(), b"JSON parse error, ", fault].concat()
    }

    /// The limit that the request has passed, if any.
    fn limit(&self) -> Option<&'static str> {
        if self.size >= SIZE_LIMIT {
            Some("JSON token size limit exceeded")
        } else if self.tokens > TOKEN_LIMIT {
            Some("JSON token count limit exceeded")
        } else if self.braces + self.brackets > NESTING_LIMIT {
            Some("JSON nesting depth limit exceeded")
        } else {
            None
        }
    }

    fn note(&mut self, mut bytes: &[u8]) {
        if self.raw.is_empty() {
            bytes = bytes.trim_ascii_start();
        }
        let room = RAW_LIMIT - self.raw.len().min(RAW_LIMIT);
        self.raw.extend(bytes.iter().take(room));
    }
}

/// The agent takes the token for a C string, which ends at a zero byte.
fn stray(token: &[u8]) -> Vec<u8> {
    let shown = token.split(|byte| *byte == 0).next().unwrap_or_default();
    [b"stray '", shown, b"'"].concat()
}

#[cfg(test)]
mod tests;
