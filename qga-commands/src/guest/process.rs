//! Programs in the guest, in the words of [`std::process`].
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
//! use std::time::Duration;
//!
//! let output = guest
//!     .command("tar")
//!     .args(["-tzf", "/var/backups/etc.tgz"])
//!     .timeout(Duration::from_secs(60))
//!     .kill_on_drop(true)
//!     .output()
//!     .await?;
//! if !output.status.success() {
//!     eprintln!("{}: {}", output.status, output.stderr_lossy());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What the agent does
//!
//! The agent starts the program without a shell: the program is a path or a name, and its arguments are passed as they
//! are. It runs as the user of the agent, mostly root or the system, and in the agent's folder unless
//! [another](Command::current_dir) is set. The agent keeps its output, up to 16 MiB for each stream, until the program
//! and all processes that hold its streams have ended.
//!
//! The agent tells **once** how a program ended, and then forgets it. If that answer is lost, the error is
//! [`GuestError::ResultLost`].
//!
//! A process belongs to the agent that has started it, and not to the connection. After a reboot or a restart of the
//! agent, its number may belong to another process. So nothing is asked or killed then, and the error is
//! [`GuestError::AgentGone`]. The page on files says
//! [how sure that is](super::files#when-the-agent-is-gone).
//!
//! # Where the channel does not carry long replies
//!
//! The agent tells the output and the end in one reply. Some [channels](qga_core::Client::transport_limits), such as
//! libvirt's, would lose a long one. There, [`Command::output`] and [`Command::start`] let the program write into files
//! as [`Command::spawn`] does, and read them in pieces once it has ended. So the guest needs a shell and room for the
//! files, a program that is not found ends with the exit code 127, and output that children write later is lost. Only
//! the [`Process`] that was started has the output, and who [attaches](Guest::process) to it learns its end alone. A
//! guest with Windows has no such shell: its agent captures the output on any channel, and long output is lost.
//!
//! # Five ways to run a program
//!
//! | | its output is | use it for |
//! |---|---|---|
//! | [`Command::output`] | captured, up to 16 MiB for each stream | most programs |
//! | [`Command::status`] | lost | programs that only succeed or fail |
//! | [`Command::start`] | captured, up to 16 MiB for each stream | doing something else meanwhile |
//! | [`Command::detach`] | captured, up to 16 MiB for each stream | letting go of it, and [attaching](Guest::attach) later, from anywhere |
//! | [`Command::spawn`] | read while the program runs, without a limit | long output, or output as it comes; not in Windows |

mod captured;
mod child;
mod command;
mod copy_output;
mod ending;
mod kill;
mod kill_on_drop;
mod output_files;
mod reader;
mod request;
mod run;
mod token;
mod wait;

use std::sync::Arc;

use super::{Guest, GuestError};
use crate::incarnation::{AgentResource, Owned};
use captured::Captured;

pub use super::error::KillOutcome;
pub use super::output::{ExitStatus, Output};
pub use child::{Child, ChildStderr, ChildStdout};
pub use command::Command;
pub(super) use kill::is_windows_by;
pub use token::ProcessToken;

/// A program that was started in the guest.
///
/// The program runs on when this is dropped, which is how to detach from it. [`Guest::attach`] attaches again, by the
/// [token](Self::token).
#[derive(Debug)]
pub struct Process {
    guest: Guest,
    /// Its number, and the agent that has started it.
    owned: Arc<Owned>,
    /// Whether the agent must know the process, so that it has been forgotten if it does not.
    known: bool,
    /// The result, where `kill` has had it, or where its output is still to be read.
    ended: Option<Output>,
    /// Where its output is, unless the agent keeps it.
    captured: Option<Captured>,
}

impl Process {
    /// The process's number in the guest.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.owned.number()
    }

    /// What this process is found by again, by [`Guest::attach`], also from another program.
    ///
    /// It names the agent that has started the process, if that could be learned. For a process that was attached to by
    /// its number alone, it does not.
    #[must_use]
    pub fn token(&self) -> ProcessToken {
        ProcessToken::of(&self.owned)
    }

    /// Waits until the program has ended. The output is empty if the program was started by somebody who did not have
    /// it captured; [`Command::start`] does.
    ///
    /// The agent is asked after 1 to 10 milliseconds, the later the longer it has taken for its last answer, and then less
    /// and less often, down to once a second: the end is noticed late by about a quarter of the time that the program has
    /// run, and by a second at most. If the channel fails, the question is asked again, three times in a row at most.
    ///
    /// # Errors
    ///
    /// - [`GuestError::ResultLost`] if the agent has forgotten the process. That is so after `wait` has returned the
    ///   result, after somebody else has asked for it, and if the answer was lost.
    /// - [`GuestError::AgentGone`] if the agent that started the process is gone, so that its number may belong to
    ///   another process. The page on files says [how sure that is](super::files#when-the-agent-is-gone).
    /// - [`GuestError::Wait`] if the agent cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped and `wait` called again. If the program ended while a question was under way, the next
    /// `wait` fails with `ResultLost`.
    pub async fn wait(&mut self) -> Result<Output, GuestError> {
        let ended = match self.ended.take() {
            Some(output) => output,
            None => wait::until_ended(self).await?,
        };
        self.with_captured(ended).await
    }

    /// Asks once whether the program has ended. `None` means that it still runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    pub async fn try_wait(&mut self) -> Result<Option<Output>, GuestError> {
        let ended = match self.ended.take() {
            Some(output) => Some(output),
            None => wait::ask(self).await?,
        };
        match ended {
            Some(ended) => self.with_captured(ended).await.map(Some),
            None => Ok(None),
        }
    }

    /// Kills the program by its number, with `kill -KILL` in a shell of a POSIX guest or with `taskkill` in Windows.
    /// [`wait`](Self::wait) then tells how it ended. In Windows its children are killed too; in a POSIX guest they live
    /// on.
    ///
    /// The agent is first asked whether the program has ended already, since its number may belong to another process
    /// by then. If so, nothing is killed, and `wait` returns the result. Nothing is killed either if another agent
    /// answers than the one that started the program.
    ///
    /// # Errors
    ///
    /// As [`try_wait`](Self::try_wait). Also when the program that kills cannot be started, and
    /// [`GuestError::KillFailed`] when it fails.
    ///
    /// # Cancel safety
    ///
    /// As `try_wait`; the process may have been killed.
    pub async fn kill(&mut self) -> Result<(), GuestError> {
        let killer = kill::Killer::choose(&self.guest, self.pid()).await?;
        if self.ended.is_none() {
            self.ended = wait::ask(self).await?;
        }
        match self.ended {
            Some(_) => Ok(()),
            None => killer.kill(&self.guest, &self.owned).await,
        }
    }

    /// The result with what the program has written into files.
    async fn with_captured(&mut self, ended: Output) -> Result<Output, GuestError> {
        let (pid, status) = (self.pid(), ended.status);
        let Some(captured) = &mut self.captured else {
            return Ok(ended);
        };
        // The agent tells it once, and whoever drops this may wait again.
        self.ended = Some(ended);
        let read = captured.read(&self.guest).await;
        read.map_err(|error| child::started(pid, error))?;
        match self.captured.take() {
            Some(captured) => {
                self.ended = None;
                Ok(captured.into_output(status))
            }
            None => Err(GuestError::Stopped),
        }
    }

    fn new(guest: Guest, owned: Owned, known: bool) -> Self {
        Self {
            guest,
            owned: Arc::new(owned),
            known,
            ended: None,
            captured: None,
        }
    }
}

impl Guest {
    /// A program that is to be run. It is a path, or a name that is looked up in the agent's `PATH`.
    pub fn command(&self, program: impl Into<String>) -> Command {
        Command::new(self.clone(), program.into())
    }

    /// Attaches to a program that was started earlier, by its number. Nothing is sent to the guest yet.
    ///
    /// The agent must have started the program, and must not have told its end to anybody. Do not keep a number beyond a
    /// reboot of the guest or a restart of its agent: it may belong to another process then, and nobody can tell. A
    /// [token](Process::token) tells; [attach](Self::attach) by that.
    #[must_use]
    pub fn process(&self, pid: i64) -> Process {
        let owned = Owned::new(AgentResource::Process(pid), None);
        Process::new(self.clone(), owned, false)
    }
}
