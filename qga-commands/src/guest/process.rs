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
//! There is no shell: the program is a path or a name, and its arguments reach it as they are. It
//! runs as the agent does, as root or as the system, in the agent's folder unless
//! [another](Command::current_dir) is set. Output is kept in the
//! agent until the program and all that hold its streams have ended, up to 16 MiB a stream.
//!
//! The agent tells how a program ended **once** and then forgets it. An answer that is lost on the
//! way is [`GuestError::ResultLost`].
//!
//! A process belongs to the agent that has started it, and not to the connection. After a reboot, or when the
//! agent was started anew, its number may be another process's: it is neither asked for nor killed then, and
//! [`GuestError::AgentGone`] says so. [How sure](super::files#when-the-agent-is-gone) that is, is the same for
//! files.
//!
//! # Four ways to run a program
//!
//! | | what it writes | for |
//! |---|---|---|
//! | [`Command::output`] | captured, 16 MiB a stream | most things |
//! | [`Command::status`] | lost | what only succeeds or fails |
//! | [`Command::start`] | captured, 16 MiB a stream | to detach, and [attach](Guest::process) later, by the process's number |
//! | [`Command::spawn`] | read while it runs, no limit | long output, or output as it comes; not in Windows |

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
mod wait;

use std::sync::Arc;

use super::{Guest, GuestError};
use crate::incarnation::{Belonging, Owned};

pub use super::error::Kill;
pub use super::output::{ExitStatus, Output};
pub use child::{Child, ChildStderr, ChildStdout};
pub use command::Command;
pub(super) use kill::is_windows_by;

/// A program that was started in the guest.
///
/// It runs on when this is dropped: that is how to detach. [`Guest::process`] attaches again.
#[derive(Debug)]
pub struct Process {
    guest: Guest,
    /// Its number, and the agent that has started it.
    owned: Arc<Owned>,
    /// Whether the agent must know the process, so that it has been forgotten if it does not.
    known: bool,
    /// The result, where `kill` has had it.
    ended: Option<Output>,
}

impl Process {
    /// The process's number in the guest.
    #[must_use]
    pub fn pid(&self) -> i64 {
        self.owned.number()
    }

    /// Waits until the program has ended. Its output is empty unless it was
    /// [captured](Command::start).
    ///
    /// The agent is asked after 10 milliseconds and then ever more rarely, once a second in the
    /// end. A question that the channel fails is asked again, three times in a row at most.
    ///
    /// # Errors
    ///
    /// [`GuestError::ResultLost`] if the agent has forgotten the process: when this returned before
    /// with the result, when somebody else asked, and when the answer was lost.
    /// [`GuestError::AgentGone`] if the agent is gone that has started it, so that its number may be another
    /// process's; [how sure](super::files#when-the-agent-is-gone) that is, is the same for files.
    /// [`GuestError::Wait`] if the agent cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped, and `wait` called again; if the program ended while a question was
    /// under way, that ends in `ResultLost`.
    pub async fn wait(&mut self) -> Result<Output, GuestError> {
        match self.ended.take() {
            Some(output) => Ok(output),
            None => wait::until_ended(self).await,
        }
    }

    /// Asks once; `None` while the program runs.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Cancel safety
    ///
    /// As [`wait`](Self::wait).
    pub async fn try_wait(&mut self) -> Result<Option<Output>, GuestError> {
        match self.ended.take() {
            Some(output) => Ok(Some(output)),
            None => wait::ask(self).await,
        }
    }

    /// Kills the program, by its number: `kill -KILL` in a shell of a POSIX guest, `taskkill` with
    /// all its children in Windows. [`wait`](Self::wait) then tells how it ended.
    ///
    /// The agent is asked first whether it has ended already, since its number may then be another's;
    /// if so, nothing is killed, and `wait` has the result. Nor is anything killed where another agent
    /// answers by then. In a POSIX guest its children live on.
    ///
    /// # Errors
    ///
    /// As [`try_wait`](Self::try_wait), and when the program that kills cannot be started or does
    /// not succeed ([`GuestError::KillFailed`]).
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

    fn new(guest: Guest, owned: Owned, known: bool) -> Self {
        Self {
            guest,
            owned: Arc::new(owned),
            known,
            ended: None,
        }
    }
}

impl Guest {
    /// A program to be run: a path, or a name that is looked up in the agent's `PATH`.
    pub fn command(&self, program: impl Into<String>) -> Command {
        Command::new(self.clone(), program.into())
    }

    /// Attaches to a program that was started earlier, by its number. Nothing is asked yet.
    ///
    /// The agent must have started it, and not have told its end to anybody. A number from before a reboot
    /// may be another process's by now, and nobody can tell: keep it no longer than the guest runs.
    #[must_use]
    pub fn process(&self, pid: i64) -> Process {
        let owned = Owned::new(Belonging::Process(pid), None);
        Process::new(self.clone(), owned, false)
    }
}
