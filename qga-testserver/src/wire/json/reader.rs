use super::lexer::{Kind, Lexed, Lexer};
use super::parser::Parser;
use super::{Dialect, SIZE_LIMIT, Value};

/// How many braces and brackets may be open at once.
const NESTING_LIMIT: i64 = 1024;
/// How many tokens a request may have.
const TOKEN_LIMIT: usize = 2 << 20;
/// How many bytes a token takes besides its text, at most.
const TOKEN_COST: usize = 64;
/// How many bytes of a request are kept for the test.
const RAW_LIMIT: usize = 64 << 10;

/// Turns bytes into requests, however the bytes are split into reads.
///
/// There is one for each agent, not for each client: if one client leaves half a request, the next one
/// continues it.
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
    /// Whether the error of the current request has been reported.
    silent: bool,
}

/// One request, or one error in the input.
#[derive(Debug, PartialEq)]
pub(crate) struct Message {
    /// The request, or the text of the error to answer with.
    pub(crate) outcome: Result<Value, Vec<u8>>,
    /// The bytes of the request, or only the first of them if there are very many.
    pub(crate) raw: Vec<u8>,
    /// About how many bytes of memory it takes.
    pub(crate) cost: usize,
}

impl Reader {
    /// Sets how errors are reported from now on.
    pub(crate) fn speak(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    /// Takes bytes from `input` until a message is complete or none are left.
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

    /// Reports an error, and then nothing more for the rest of the request.
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

    /// Forgets what has been read of the current request, and returns only its outcome, if it has one.
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

    /// Braces and brackets are counted separately, so `{[}` is not complete.
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
