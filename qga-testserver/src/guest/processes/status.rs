use super::output::Output;
use super::script::End;

/// Whether a process is running, or how it has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Ended { end: End, out: Output, err: Output },
}
