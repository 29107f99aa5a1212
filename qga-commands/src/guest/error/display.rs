//! Errors in words, for somebody who sees only the top line: what failed, where, why, and what to do.

use std::fmt::{self, Display, Formatter};

use qga_core::{Address, Excerpt};

use super::{CopyFault, GuestError, ReadyStage};

impl Display for GuestError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(error) => error.fmt(f),
            Self::InvalidInput(reason) => write!(f, "this cannot be done: {reason}"),
            Self::Address(error) => write!(f, "the guest's address cannot be read: {error}"),
            Self::NotReady { .. } => self.write_not_ready(f),
            Self::Frozen { .. } | Self::NothingFrozen { .. } | Self::MaybeFrozen { .. } => {
                self.write_frozen(f)
            }
            Self::Unexpected(what) => write!(f, "the agent's answer makes no sense: {what}"),
            Self::AgentGone { what, .. } => write!(
                f,
                "{what} is gone with the agent to which it belonged: the guest was rebooted, or its \
                 agent was started anew"
            ),
            Self::Stopped => f.write_str("the work broke off, since its tokio runtime has ended"),
            Self::TooLarge { path, limit } => write!(
                f,
                "the guest's file {:?} is longer than the {limit} bytes that are read at once; \
                 open it, and read it piece by piece, or download it",
                Excerpt(path)
            ),
            Self::TooSlow { least, within } => write!(
                f,
                "fewer than {least} bytes were moved within {within:?}, and it was not done"
            ),
            Self::Unsupported(what) => f.write_str(what),
            Self::Path {
                action,
                path,
                reason,
                ..
            } => write!(
                f,
                "cannot {action} {:?}: {:?}",
                Excerpt(path),
                Excerpt(reason)
            ),
            Self::NotText { path, source } => {
                write!(
                    f,
                    "the guest's file {:?} is not UTF-8: {source}",
                    Excerpt(path)
                )
            }
            Self::Copy { path, fault, .. } => {
                let path = Excerpt(path);
                match &**fault {
                    CopyFault::Local(error) => {
                        write!(f, "copying {path:?} failed on this host: {error}")
                    }
                    fault => write!(f, "copying {path:?} failed: {fault}"),
                }
            }
            Self::Withheld { command, .. } => write!(
                f,
                "{command} failed, and what the agent says is withheld, since the password is in it"
            ),
            Self::Partial { done, of, source } => {
                write!(f, "only {done} of {of} were done, and then: {source}")
            }
            _ => self.write_program(f),
        }
    }
}

impl GuestError {
    fn write_not_ready(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self::NotReady {
            stage,
            timeout,
            address,
            source,
        } = self
        else {
            return Ok(());
        };
        let guest = Named(address.as_deref());
        match self.refusal() {
            Some(refusal) if refusal.is_for_good() => {
                return write!(
                    f,
                    "{guest} does not become ready: {stage}; {}",
                    refusal.hint()
                );
            }
            _ if matches!(stage, ReadyStage::Stopped(_)) => {
                return write!(f, "{guest} does not become ready: {stage}");
            }
            _ if self.is_for_good() => write!(f, "{guest} does not become ready: {stage}")?,
            _ => write!(f, "{guest} was not ready within {timeout:?}: {stage}")?,
        }
        match source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }

    fn write_frozen(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frozen {
                command,
                by_this_client: true,
                address,
            } => write!(
                f,
                "{command} has to wait, since this client has frozen the filesystems of {}; it can be \
                 sent after the thaw",
                Named(address.as_deref())
            ),
            Self::Frozen {
                command, address, ..
            } => write!(
                f,
                "{command} has to wait, since the filesystems of {} are frozen, and not by this \
                 client; if the program that froze them has ended, waiting does not help, and \
                 `Guest::thaw` thaws them",
                Named(address.as_deref())
            ),
            Self::NothingFrozen { address } => write!(
                f,
                "nothing was frozen in {}: no filesystem is mounted there, or none can be frozen",
                Named(address.as_deref())
            ),
            Self::MaybeFrozen { source } => write!(
                f,
                "the guest's filesystems may be frozen; `Guest::thaw`, called until it succeeds, makes \
                 sure that they are not: {source}"
            ),
            _ => Ok(()),
        }
    }

    /// What went wrong with a program.
    fn write_program(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchProgram { program, source } => write!(
                f,
                "the guest has no program {:?}; if there are arguments in it, give each to `arg`: {source}",
                Excerpt(program)
            ),
            Self::Wait { pid, source } => write!(
                f,
                "process {pid} was started and may still run, and its end or its output could not be \
                 learned: {source}"
            ),
            Self::ResultLost { pid, source } => write!(
                f,
                "how process {pid} ended and what it wrote is lost: the agent tells it only once, and \
                 does not know the process any more: {source}"
            ),
            Self::KillFailed { pid, output } => {
                let (status, text) = (output.status, output.stderr_lossy());
                let text = Excerpt(text.trim());
                write!(
                    f,
                    "process {pid} was not killed: the program that was to do it ended with {status} \
                     and said {text:?}"
                )
            }
            Self::NoOutputFiles(status) => write!(
                f,
                "the program was not started: the guest has no place for its output, in /var/tmp or \
                 in /tmp ({status})"
            ),
            Self::TooMuchOutput { pid, limit } => write!(
                f,
                "process {pid} wrote more to a stream than the {limit} bytes that were to be kept"
            ),
            Self::TimedOut {
                program,
                pid,
                timeout,
                kill,
                ..
            } => {
                let program = Excerpt(program);
                match pid {
                    Some(pid) => write!(
                        f,
                        "{program:?} (process {pid}) did not end within {timeout:?}; {kill}"
                    ),
                    None => write!(
                        f,
                        "the agent did not say within {timeout:?} that it has started {program:?}, \
                         which may run or not"
                    ),
                }
            }
            _ => Ok(()),
        }
    }
}

/// A guest, by the address of its agent.
struct Named<'a>(Option<&'a Address>);

impl Display for Named<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "the guest at {address}"),
            None => f.write_str("the guest"),
        }
    }
}
