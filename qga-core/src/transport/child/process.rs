//! The program itself.

use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, mem};

use super::tail::Tail;
use crate::error::Reason;
use crate::text::Excerpt;

/// How long a program that has closed the channel may take to end, and how often that is looked at.
pub(super) const GRACE: Duration = Duration::from_secs(1);
pub(super) const LOOK: Duration = Duration::from_millis(5);

/// How often what it says of errors is read at a time.
pub(super) const READS: usize = 16;

/// Programs that were killed and have not been seen to end yet.
static KILLED: Mutex<Vec<Child>> = Mutex::new(Vec::new());

/// A program that ends with this. If this process is killed, the program's input ends.
pub(super) struct Process {
    name: String,
    child: Option<Child>,
    /// What is said beside how it has ended.
    pub(super) why: Option<&'static str>,
}

impl Process {
    /// Starts a program with the other end of a stream for its input and output, and its errors in a pipe.
    pub(super) fn start(words: &[String]) -> Result<(Self, UnixStream, ChildStderr)> {
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| Reason::error(ErrorKind::InvalidInput, "the program is missing"))?;
        reap(None);
        let (stream, other_end) = UnixStream::pair()?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(OwnedFd::from(other_end.try_clone()?))
            .stdout(OwnedFd::from(other_end))
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| unstarted(program, error))?;
        let stderr = child.stderr.take().ok_or(ErrorKind::BrokenPipe)?;
        let process = Self {
            name: program.clone(),
            child: Some(child),
            why: None,
        };
        Ok((process, stream, stderr))
    }

    /// Whether it has ended, and how.
    pub(super) fn status(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().ok().flatten()
    }

    /// What its end means to the channel: nothing more than an end if it has done its work and was content.
    pub(super) fn ending(
        &self,
        status: Option<ExitStatus>,
        has_worked: bool,
        tail: &Tail,
    ) -> Result<()> {
        let is_content = match status {
            Some(status) => status.success() && (has_worked || tail.is_empty()),
            None => tail.is_empty(),
        };
        if is_content {
            return Ok(());
        }
        let name = Excerpt(&self.name);
        let ended = match status {
            None => format!("the program `{name}` has closed the channel"),
            Some(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("the program `{name}` ended with exit status {code}"),
                (None, Some(signal)) => {
                    format!("the program `{name}` was ended by signal {signal}")
                }
                (None, None) => format!("the program `{name}` ended"),
            },
        };
        let mut words = if tail.is_empty() {
            ended
        } else {
            format!("{ended}: {tail}")
        };
        if let Some(why) = self.why {
            words = format!("{words}; {why}");
        }
        Err(Reason::error(ErrorKind::ConnectionAborted, words))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It has ended already, if this fails.
            let _ = child.kill();
            reap(Some(child));
        }
    }
}

/// Takes note of the ends of those that were killed, without waiting for them.
fn reap(killed: Option<Child>) {
    let mut all = KILLED.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(killed);
    let left = mem::take(&mut *all).into_iter();
    *all = left
        .filter_map(|mut child| matches!(child.try_wait(), Ok(None)).then_some(child))
        .collect();
}

fn unstarted(program: &str, error: io::Error) -> io::Error {
    let program = Excerpt(program);
    let words = match error.kind() {
        ErrorKind::NotFound => format!("there is no program `{program}` on this host"),
        ErrorKind::PermissionDenied => format!("this user may not run the program `{program}`"),
        _ => return error,
    };
    Reason::error(error.kind(), words)
}
