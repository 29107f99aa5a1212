use super::output::Output;
use super::script::End;

/// How a process does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Running,
    Ended { end: End, out: Output, err: Output },
}
