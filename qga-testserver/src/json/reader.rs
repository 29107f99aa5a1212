use super::lexer::{Kind, Lexed, Lexer};
use super::parser::Parser;
use super::{SIZE_LIMIT, Value};

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
    /// Takes bytes off `input` until a message is whole, or all of them.
    pub(crate) fn read(&mut self, input: &mut &[u8]) -> Option<Message> {
        loop {
            let before = *input;
            let lexed = self.lexer.next(input);
            let taken = before.len() - input.len();
            self.note(before.get(..taken).unwrap_or_default());
            let outcome = match lexed? {
                Lexed::Token(kind) => self.take(kind),
                Lexed::Stray => Some(Err(stray(self.lexer.text()))),
                Lexed::TooLong => Some(Err(b"JSON token size limit exceeded".to_vec())),
                Lexed::Skipped => {
                    self.raw.clear();
                    None
                }
            };
            if let Some(outcome) = outcome {
                let raw = std::mem::take(&mut self.raw);
                let cost = self.size + self.tokens * TOKEN_COST;
                self.forget();
                return Some(Message { outcome, raw, cost });
            }
        }
    }

    /// Forgets what has been read of the request in progress.
    fn forget(&mut self) {
        self.parser = Parser::default();
        self.braces = 0;
        self.brackets = 0;
        self.tokens = 0;
        self.size = 0;
    }

    fn take(&mut self, kind: Kind) -> Option<Result<Value, Vec<u8>>> {
        match kind {
            Kind::OpenBrace => self.braces += 1,
            Kind::CloseBrace => self.braces -= 1,
            Kind::OpenBracket => self.brackets += 1,
            Kind::CloseBracket => self.brackets -= 1,
            _ => {}
        }
        self.size += self.lexer.text().len();
        self.tokens += 1;
        if let Some(limit) = self.limit() {
            return Some(Err(limit.into()));
        }
        self.parser.push(kind, self.lexer.text());
        // Braces and brackets are counted apart, so `{[}` goes on.
        let unbalanced = self.braces > 0 || self.brackets > 0;
        if unbalanced && self.braces >= 0 && self.brackets >= 0 {
            return None;
        }
        Some(
            self.parser
                .finish()
                .map_err(|fault| [b"JSON parse error, ", &*fault].concat()),
        )
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
    [b"JSON parse error, stray '", shown, b"'"].concat()
}

#[cfg(test)]
mod tests;
