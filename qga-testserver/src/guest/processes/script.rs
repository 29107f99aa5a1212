//! What a program does when it runs, and when.

use std::time::Duration;

use super::invocation::Invocation;
use super::output::{Data, Output};

/// What a program does when it runs: it prints, takes time and ends.
///
/// The calls take effect one after the other. A new script prints nothing and exits at once with
/// code 0.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a script does nothing until a program runs it"]
pub struct Script {
    pieces: Vec<Piece>,
    /// When the next piece is printed.
    clock: Duration,
    least: Duration,
    /// How long child processes that it does not wait for keep its output open.
    held_open: Duration,
    pub(crate) end: End,
    /// What a shell does before anything is printed.
    pub(crate) steps: Vec<Step>,
    /// The files that its output goes to.
    pub(crate) files: Option<[String; 2]>,
    /// The program that it becomes.
    pub(crate) becomes: Option<Invocation>,
}

/// What a shell does to the guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    MakeFolder(String),
    MakeFile(String),
    Remove(String),
    Kill { pid: i64, signal: i64 },
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Exit(i64),
    Signal(i64),
    Never,
}

/// Which output of a process is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    Nothing,
    Out,
    Err,
    Both,
    /// Both in one, as they come.
    Merged,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    at: Duration,
    stream: Stream,
    data: Data,
}

/// The most zero bytes that go to a file at once.
const ZEROS_LIMIT: usize = 256 << 20;

impl Default for Script {
    fn default() -> Self {
        Self {
            pieces: Vec::new(),
            clock: Duration::ZERO,
            least: Duration::ZERO,
            held_open: Duration::ZERO,
            end: End::Exit(0),
            steps: Vec::new(),
            files: None,
            becomes: None,
        }
    }
}

impl Script {
    /// Makes a script that does nothing and succeeds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Prints this to stdout.
    pub fn stdout(self, bytes: impl AsRef<[u8]>) -> Self {
        self.print(Stream::Out, Data::Bytes(bytes.as_ref().into()))
    }

    /// Prints this to stderr.
    pub fn stderr(self, bytes: impl AsRef<[u8]>) -> Self {
        self.print(Stream::Err, Data::Bytes(bytes.as_ref().into()))
    }

    /// Prints this many zero bytes to stdout. They take no memory until a client asks for them; the
    /// agent returns the first 16 MiB.
    pub fn stdout_zeros(self, count: u64) -> Self {
        self.print(Stream::Out, Data::Zeros(count))
    }

    /// Prints this many zero bytes to stderr, as [`stdout_zeros`](Script::stdout_zeros) does to stdout.
    pub fn stderr_zeros(self, count: u64) -> Self {
        self.print(Stream::Err, Data::Zeros(count))
    }

    /// Waits for this much of tokio's time before it goes on.
    pub fn pause(mut self, duration: Duration) -> Self {
        self.clock = self.clock.saturating_add(duration);
        self
    }

    /// Runs for at least this much of tokio's time in all before it ends.
    pub fn after(mut self, duration: Duration) -> Self {
        self.least = duration;
        self
    }

    /// Ends with this exit code.
    pub fn exit(mut self, code: i64) -> Self {
        self.end = End::Exit(code);
        self
    }

    /// Is ended by this signal.
    pub fn signal(mut self, number: i64) -> Self {
        self.end = End::Signal(number);
        self
    }

    /// Never ends by itself.
    pub fn never_ends(mut self) -> Self {
        self.end = End::Never;
        self
    }

    fn print(mut self, stream: Stream, data: Data) -> Self {
        let at = self.clock;
        self.pieces.push(Piece { at, stream, data });
        self
    }

    /// Goes on with what another program does; its output may all go to the stream for errors.
    pub(crate) fn then(mut self, next: &Self, to_stderr: bool) -> Self {
        let start = self.clock;
        for piece in &next.pieces {
            self.clock = start.saturating_add(piece.at);
            let stream = if to_stderr { Stream::Err } else { piece.stream };
            self = self.print(stream, piece.data.clone());
        }
        self.clock = start.saturating_add(next.clock.max(next.least));
        self.end = next.end;
        self.steps.extend_from_slice(&next.steps);
        self.files = next.files.clone().or(self.files);
        self.becomes.clone_from(&next.becomes);
        self
    }

    /// Goes on at once, while a copy of it does something else beside it.
    pub(super) fn beside(mut self, mut child: Self) -> Self {
        self.held_open = self.held_open.max(child.clock).max(child.held_open);
        self.pieces
            .append(&mut child.pieces.split_off(self.pieces.len()));
        self.pieces.sort_by_key(|piece| piece.at);
        self
    }

    /// How long it runs. If its output is captured, it counts as running until no child has the output open.
    pub(super) fn length(&self, capture: Capture) -> Duration {
        let own = self.clock.max(self.least);
        match capture {
            Capture::Nothing => own,
            _ => own.max(self.held_open),
        }
    }

    /// The same script without anything that it prints.
    pub(super) fn silenced(&self) -> Self {
        Self {
            pieces: Vec::new(),
            ..self.clone()
        }
    }

    /// Does this to the guest when it starts.
    pub(super) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// What it prints to its two streams from its piece number `first` on, until then; and the
    /// number of the next piece.
    pub(super) fn printed(&self, first: usize, until: Duration) -> ([Vec<u8>; 2], usize) {
        let mut printed = [Vec::new(), Vec::new()];
        let mut next = first;
        for piece in self.pieces.iter().skip(first) {
            if piece.at > until {
                break;
            }
            next += 1;
            let [out, err] = &mut printed;
            let stream = if piece.stream == Stream::Out {
                out
            } else {
                err
            };
            match &piece.data {
                Data::Bytes(bytes) => stream.extend_from_slice(bytes),
                Data::Zeros(count) => {
                    let count = usize::try_from(*count).unwrap_or(usize::MAX);
                    stream.resize(stream.len().saturating_add(count.min(ZEROS_LIMIT)), 0);
                }
            }
        }
        (printed, next)
    }

    /// What its output takes in memory.
    pub(super) fn cost(&self) -> usize {
        let bytes = |piece: &Piece| match &piece.data {
            Data::Bytes(bytes) => bytes.len(),
            Data::Zeros(_) => 0,
        };
        self.pieces.iter().map(bytes).sum()
    }

    /// What was printed until then on the streams that are kept.
    pub(super) fn output(&self, capture: Capture, until: Duration) -> (Output, Output) {
        let (mut out, mut err) = (Output::default(), Output::default());
        for piece in self.pieces.iter().filter(|piece| piece.at <= until) {
            match (capture, piece.stream) {
                (Capture::Merged, _) | (Capture::Out | Capture::Both, Stream::Out) => {
                    out.take(&piece.data);
                }
                (Capture::Err | Capture::Both, Stream::Err) => err.take(&piece.data),
                _ => {}
            }
        }
        (out, err)
    }
}
