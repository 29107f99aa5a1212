use std::fmt;

use super::SIZE_LIMIT;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    Colon,
    Comma,
    Integer,
    Float,
    Keyword,
    String,
}

/// What the lexer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lexed {
    /// A whole token; its text is [`Lexer::text`].
    Token(Kind),
    /// A byte that can neither begin nor continue a token; the text ends with it.
    Stray,
    /// A token that is too long even before its end is seen.
    TooLong,
    /// The end of what is skipped after a stray byte.
    Skipped,
}

/// Cuts bytes into tokens, however the bytes are split into reads.
#[derive(Debug, Default)]
pub(super) struct Lexer {
    state: State,
    text: Vec<u8>,
    position: Position,
    start: Position,
    /// Whether the next byte was already looked at, as the end of a token.
    again: bool,
}

/// The position of a byte in everything that the agent has read since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Newlines before it.
    line: u64,
    /// Bytes up to it since the last newline.
    column: u64,
}

impl Position {
    fn pass(&mut self, byte: u8) {
        self.column += 1;
        if byte == b'\n' {
            self.line += 1;
            self.column = 0;
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line + 1, self.column)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// After a stray byte, bytes are skipped until one may begin something new.
    Recovery,
    Keyword,
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    String(u8),
    Escape(u8),
}

/// What one byte means in a state.
enum Step {
    /// The byte continues the token.
    Go(State),
    /// The byte ends the token and belongs to it.
    Last(Kind),
    /// The byte ends the token without belonging to it.
    Before(Kind),
    /// The byte is ignored.
    Skip,
    /// The byte is not allowed here.
    Stray,
    /// The byte is looked at again as the start of a token.
    Again,
}

/// How much memory is kept between tokens, so that one long string does not keep its memory for ever.
const KEPT_CAPACITY: usize = 256;

impl Lexer {
    /// Takes bytes from `input` until something is found or none are left.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Option<Lexed> {
        if matches!(self.state, State::Start | State::Recovery) {
            self.text.clear();
            self.text.shrink_to(KEPT_CAPACITY);
        }
        while let Some((&byte, rest)) = input.split_first() {
            if self.state == State::Start {
                self.note_start();
            }
            let step = step(self.state, byte);
            if matches!(step, Step::Go(_) | Step::Last(_) | Step::Stray) {
                self.text.push(byte);
            }
            self.again = matches!(step, Step::Before(_) | Step::Again);
            if !self.again {
                *input = rest;
                self.position.pass(byte);
            }
            let (state, found) = match step {
                Step::Go(state) => (state, None),
                Step::Skip => (self.state, None),
                Step::Last(kind) | Step::Before(kind) => (State::Start, Some(Lexed::Token(kind))),
                Step::Stray => (State::Recovery, Some(Lexed::Stray)),
                Step::Again => (State::Start, Some(Lexed::Skipped)),
            };
            self.state = state;
            if found.is_some() {
                return found;
            }
            self.take_plain(input);
            if self.text.len() > SIZE_LIMIT {
                self.state = State::Start;
                return Some(Lexed::TooLong);
            }
        }
        None
    }

    /// The bytes of the token just found.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Where the token just found starts, as the agent counts.
    pub(super) fn start(&self) -> Position {
        self.start
    }

    /// The agent counts a byte that it looks at a second time twice.
    fn note_start(&mut self) {
        self.start = self.position;
        self.start.column += 1 + u64::from(self.again);
    }

    /// Takes a run of bytes that mean nothing special inside a string: most of a large request.
    fn take_plain(&mut self, input: &mut &[u8]) {
        let State::String(quote) = self.state else {
            return;
        };
        let room = (SIZE_LIMIT + 1).saturating_sub(self.text.len());
        let plain = |byte: &u8| matches!(byte, 0x20..=0xFD) && *byte != quote && *byte != b'\\';
        let run = input
            .iter()
            .take(room)
            .take_while(|byte| plain(byte))
            .count();
        let (run, rest) = input.split_at(run);
        self.text.extend_from_slice(run);
        self.position.column += run.len() as u64;
        *input = rest;
    }
}

fn step(state: State, byte: u8) -> Step {
    match state {
        State::Start => start(byte),
        State::Recovery => recovery(byte),
        State::Keyword => match byte {
            b'a'..=b'z' => Step::Go(State::Keyword),
            _ => Step::Before(Kind::Keyword),
        },
        State::String(quote) => match byte {
            _ if byte == quote => Step::Last(Kind::String),
            b'\\' => Step::Go(State::Escape(quote)),
            0x20..=0xFD => Step::Go(state),
            _ => Step::Stray,
        },
        State::Escape(quote) => match byte {
            0x20..=0xFD => Step::Go(State::String(quote)),
            _ => Step::Stray,
        },
        _ => number(state, byte),
    }
}

fn start(byte: u8) -> Step {
    match byte {
        b' ' | b'\t' | b'\r' | b'\n' => Step::Skip,
        b'{' => Step::Last(Kind::OpenBrace),
        b'}' => Step::Last(Kind::CloseBrace),
        b'[' => Step::Last(Kind::OpenBracket),
        b']' => Step::Last(Kind::CloseBracket),
        b':' => Step::Last(Kind::Colon),
        b',' => Step::Last(Kind::Comma),
        b'"' | b'\'' => Step::Go(State::String(byte)),
        b'a'..=b'z' => Step::Go(State::Keyword),
        b'-' => Step::Go(State::Minus),
        b'0' => Step::Go(State::Zero),
        b'1'..=b'9' => Step::Go(State::Digits),
        _ => Step::Stray,
    }
}

/// Control characters other than tab, 0xFE, 0xFF and the structural characters end the skipping.
fn recovery(byte: u8) -> Step {
    match byte {
        0x00..=0x08 | 0x0A..=0x1F | 0xFE | 0xFF | b'[' | b']' | b'{' | b'}' | b':' | b',' => {
            Step::Again
        }
        _ => Step::Skip,
    }
}

fn number(state: State, byte: u8) -> Step {
    let digit = byte.is_ascii_digit();
    match (state, byte) {
        (State::Minus, b'0') => Step::Go(State::Zero),
        (State::Minus, b'1'..=b'9') => Step::Go(State::Digits),
        (State::Zero | State::Digits, b'.') => Step::Go(State::Point),
        // A lone zero takes no exponent: `0e1` is the integer 0 and then something else.
        (State::Digits | State::Fraction, b'e' | b'E') => Step::Go(State::Exponent),
        (State::Digits, _) if digit => Step::Go(State::Digits),
        (State::Zero, _) if digit => Step::Stray,
        (State::Zero | State::Digits, _) => Step::Before(Kind::Integer),
        (State::Point | State::Fraction, _) if digit => Step::Go(State::Fraction),
        (State::Exponent, b'+' | b'-') => Step::Go(State::ExponentSign),
        (State::Exponent | State::ExponentSign | State::ExponentDigits, _) if digit => {
            Step::Go(State::ExponentDigits)
        }
        (State::Fraction | State::ExponentDigits, _) => Step::Before(Kind::Float),
        _ => Step::Stray,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Lexed, Lexer};

    #[test]
    fn a_long_token_leaves_no_memory_behind() {
        let mut lexer = Lexer::default();
        let line = format!("\"{}\"}}", "x".repeat(50_000));
        let mut input = line.as_bytes();
        assert_eq!(lexer.next(&mut input), Some(Lexed::Token(Kind::String)));
        assert_eq!(lexer.next(&mut input), Some(Lexed::Token(Kind::CloseBrace)));
        assert!(lexer.text.capacity() < 1024);
    }
}
