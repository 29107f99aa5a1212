//! The program itself.

use std::io::{ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, mem};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

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

/// How a program has ended: with an exit status, or by a signal.
#[derive(Clone, Copy)]
pub(super) struct Status {
    pub(super) code: Option<i32>,
    signal: Option<i32>,
}

/// A program that ends with this, and so do the programs that it has started, unless they have left its process group.
/// If this process is killed, the program's input ends.
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
            // So that it can be killed with its own programs, and that Ctrl-C is for this process alone.
            .process_group(0)
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

    /// Whether it has ended, and how. Its number stays its own, and that of its group.
    pub(super) fn status(&self) -> Option<Status> {
        let pid = pid_of(self.child.as_ref()?)?;
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(pid), look).ok()??;
        Some(Status {
            code: status.exit_status(),
            signal: status.terminating_signal(),
        })
    }

    /// What its end means to the channel: nothing more than an end if it has brought something and was content.
    pub(super) fn ending(
        &self,
        status: Option<Status>,
        has_worked: bool,
        tail: &Tail,
    ) -> Result<()> {
        let is_content = match status {
            Some(status) => status.code == Some(0),
            None => tail.is_empty(),
        };
        if is_content && has_worked {
            return Ok(());
        }
        let name = Excerpt(&self.name);
        let ended = match status {
            None => format!("the program `{name}` has closed the channel"),
            Some(status) => match (status.code, status.signal) {
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
        if let Some(child) = self.child.take() {
            if let Some(group) = pid_of(&child) {
                // All of it has ended already, if this fails.
                let _ = kill_process_group(group, Signal::KILL);
            }
            reap(Some(child));
        }
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
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
        ErrorKind::NotFound => {
            format!("there is no program `{program}` on this host, or not what it is to be run by")
        }
        ErrorKind::PermissionDenied => format!("this user may not run the program `{program}`"),
        _ => return error,
    };
    Reason::error(error.kind(), words)
}
