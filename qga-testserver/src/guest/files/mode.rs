/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    start: Start,
    /// Reading and writing, whatever the start says.
    both: bool,
}

/// The first letter of a mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Read,
    Write,
    Append,
}

impl Mode {
    /// The mode of this name; the agent takes no others.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let start = match name {
            b"r" | b"rb" | b"r+" | b"rb+" | b"r+b" => Start::Read,
            b"w" | b"wb" | b"w+" | b"wb+" | b"w+b" => Start::Write,
            b"a" | b"ab" | b"a+" | b"ab+" | b"a+b" => Start::Append,
            _ => return None,
        };
        Some(Self {
            start,
            both: name.contains(&b'+'),
        })
    }

    pub(super) fn reads(self) -> bool {
        self.both || self.start == Start::Read
    }

    pub(super) fn writes(self) -> bool {
        self.both || self.start != Start::Read
    }

    /// Whether writes go to the end.
    pub(super) fn appends(self) -> bool {
        self.start == Start::Append
    }

    /// Whether the file is emptied.
    pub(super) fn truncates(self) -> bool {
        self.start == Start::Write
    }

    /// Whether a missing file is made.
    pub(super) fn creates(self) -> bool {
        self.start != Start::Read
    }
}
