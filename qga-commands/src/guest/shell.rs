//! Running scripts in the guest's shell, where it has one.

use std::time::Duration;

use qga_core::Error;

use super::output::Output;
use super::process::is_windows_by;
use super::retries::Retries;
use super::scripts::Script;
use super::{Guest, GuestError};
use crate::optional;

/// How long a script may take that does not read or write whole files.
pub(super) const SCRIPT_TIMEOUT: Duration = Duration::from_secs(600);

pub(super) const NO_SHELL: &str = "the agent does not run a POSIX shell";

impl Script {
    /// Runs it to its end, again if its answer was lost.
    ///
    /// `None` where the guest has no shell or the agent does not run programs.
    pub(super) async fn run(
        self,
        guest: &Guest,
        args: &[&str],
        within: Duration,
    ) -> Result<Option<Output>, GuestError> {
        self.run_with_stdin(guest, args, &[], within).await
    }

    /// As [`run`](Self::run), with bytes that it reads.
    pub(super) async fn run_with_stdin(
        self,
        guest: &Guest,
        args: &[&str],
        stdin: &[u8],
        within: Duration,
    ) -> Result<Option<Output>, GuestError> {
        let mut retries = Retries::new();
        let mut attempt = "first";
        loop {
            let mut command = guest.command("sh");
            command.args(["-c", self.text(), attempt]);
            command.args(args.iter().copied());
            if !stdin.is_empty() {
                command.stdin(stdin);
            }
            command.timeout(within).kill_on_drop(true);
            match command.output().await {
                Ok(output) => return Ok(Some(output)),
                Err(GuestError::Command(error)) if says_none(&error) => return Ok(None),
                Err(error) => retries.wait_after(error).await?,
            }
            attempt = "again";
        }
    }
}

/// Whether an agent says that there is no shell, or that it runs no programs. Any other refusal, such
/// as for want of memory, is an error: the guest may well have a shell.
fn says_none(error: &Error) -> bool {
    error.agent_error().is_some_and(|refusal| {
        refusal.is_command_not_found() || refusal.desc.contains("No such file or directory")
    })
}

/// Whether it is worth while to look for a shell.
pub(super) async fn may_have_shell(guest: &Guest) -> Result<bool, GuestError> {
    let client = optional::answered_before_long(guest.client());
    let mut retries = Retries::new();
    loop {
        match is_windows_by(guest, &client).await {
            Ok(windows) => return Ok(!windows),
            Err(error) => retries.wait_after(error).await?,
        }
    }
}
