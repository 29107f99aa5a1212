//! Killing a program, by another program.

use std::time::Duration;

use qga_core::{Client, QgaCommand as _};

use super::{Command, Process};
use crate::commands::os::GetOsInfo;
use crate::guest::admission::TRIES;
use crate::guest::scripts::KILL;
use crate::guest::{Guest, GuestError};
use crate::incarnation::Owned;
use crate::optional;

/// How long killing and learning the end of what was killed may take.
pub(super) const KILL_TIME: Duration = Duration::from_secs(10);

/// The program that kills a process.
pub(super) struct Killer(Command);

impl Killer {
    /// Which one there is in the guest.
    pub(super) async fn choose(guest: &Guest, pid: i64) -> Result<Self, GuestError> {
        if pid <= 0 {
            let text = format!("a process has a positive number, and not {pid}");
            return Err(GuestError::InvalidInput(text.into()));
        }
        let pid = pid.to_string();
        let command = if is_windows(guest).await? {
            let mut command = guest.command("taskkill");
            command.args(["/F", "/T", "/PID", &pid]);
            command
        } else {
            // The shell's own `kill`, since a small guest may have no program of that name.
            let mut command = Command::of_script(guest, "sh", KILL);
            command.arg(pid);
            command
        };
        Ok(Self(command))
    }

    /// Kills a process that the agent has not told the end of, unless another agent would do it.
    pub(super) async fn kill(mut self, guest: &Guest, owned: &Owned) -> Result<(), GuestError> {
        let output = self.start(guest, owned).await?.wait().await?;
        if output.status.success() {
            return Ok(());
        }
        let pid = owned.number();
        Err(GuestError::KillFailed { pid, output })
    }

    async fn start(&mut self, guest: &Guest, owned: &Owned) -> Result<Process, GuestError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let admission = guest.admit(owned).await?;
            self.0.guest = Guest::new(admission.client().clone());
            match self.0.start_unknown().await {
                Err(GuestError::Command(error)) if admission.refused(&error) && tries < TRIES => {}
                started => {
                    let mut process = started?;
                    process.guest = guest.clone();
                    return Ok(process);
                }
            }
        }
    }
}

/// Old agents, and those that forbid the question or do not answer it, are taken for POSIX: nothing there is
/// named like a program of Windows.
pub(super) async fn is_windows(guest: &Guest) -> Result<bool, GuestError> {
    is_windows_by(guest, &optional::answered_in_short(guest.client())).await
}

/// The same by a client that has time.
pub(in crate::guest) async fn is_windows_by(
    guest: &Guest,
    client: &Client,
) -> Result<bool, GuestError> {
    guest.before(GetOsInfo::NAME).await?;
    let os = optional::answer(client.execute(GetOsInfo).await)?;
    Ok(os.is_some_and(|os| os.id.as_deref() == Some("mswindows")))
}
