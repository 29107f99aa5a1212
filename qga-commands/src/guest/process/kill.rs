//! Killing a program, by another program.

use std::fmt;
use std::time::Duration;

use super::Command;
use crate::commands::os::GetOsInfo;
use crate::guest::{Guest, GuestError, scripts};

/// How long killing and learning the end of what was killed may take.
pub(super) const KILL_TIME: Duration = Duration::from_secs(10);

/// Whether a program that did not end in time was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kill {
    /// It was not to be.
    NotAsked,
    /// It was, and the agent has told its end.
    Killed,
    /// It was tried, and it is not known whether the program runs on.
    Unconfirmed,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "it was left running",
            Self::Killed => "it was killed",
            Self::Unconfirmed => "it was to be killed, and may run on",
        })
    }
}

/// Kills a process that the agent has not told the end of.
pub(super) async fn kill(guest: &Guest, pid: i64) -> Result<(), GuestError> {
    let mut killer = killer(guest, pid).await?.start().await?;
    let output = killer.wait().await?;
    if output.status.success() {
        Ok(())
    } else {
        Err(GuestError::KillFailed { pid, output })
    }
}

async fn killer(guest: &Guest, pid: i64) -> Result<Command, GuestError> {
    if pid <= 0 {
        return Err(GuestError::InvalidInput("a process has a positive number"));
    }
    let pid = pid.to_string();
    let command = if is_windows(guest).await? {
        let mut command = guest.command("taskkill");
        command.args(["/F", "/T", "/PID", &pid]);
        command
    } else {
        // The shell's own `kill`, since a small guest may have no program of that name.
        let mut command = scripts::KILL.command(guest, "sh");
        command.arg(pid);
        command
    };
    Ok(command)
}

/// Old agents, and those that forbid the question, are taken for POSIX: nothing there is named
/// like a program of Windows.
pub(in crate::guest) async fn is_windows(guest: &Guest) -> Result<bool, GuestError> {
    match guest.execute(GetOsInfo).await {
        Ok(os) => Ok(os.id.as_deref() == Some("mswindows")),
        Err(GuestError::Command(error)) if error.agent_error().is_some() => Ok(false),
        Err(error) => Err(error),
    }
}
