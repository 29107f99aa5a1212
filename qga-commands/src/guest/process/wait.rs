//! Waiting for the end of a program.

use std::time::Duration;

use super::{Output, Process};
use crate::exec::ExecStatus;
use crate::guest::GuestError;
use crate::guest::backoff::Backoff;
use qga_core::{Error, Execution};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many questions in a row may fail.
const PATIENCE: u32 = 3;

pub(super) async fn until_ended(process: &mut Process) -> Result<Output, GuestError> {
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    let mut lost = 0;
    loop {
        backoff.pause().await;
        match ask(process).await {
            Ok(Some(output)) => return Ok(output),
            Ok(None) => lost = 0,
            Err(error) if may_pass(&error) && lost < PATIENCE => lost += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Asks once.
pub(super) async fn ask(process: &mut Process) -> Result<Option<Output>, GuestError> {
    let pid = process.pid;
    let was_known = process.known;
    // Until the reply is here, the agent may have told the end and forgotten the process.
    process.known = true;
    match process.guest.execute(ExecStatus::new(pid)).await {
        Ok(status) => Ok(status.exited.then(|| status.into())),
        Err(GuestError::Command(source)) if was_known && is_unknown(&source) => {
            Err(GuestError::ResultLost { pid, source })
        }
        Err(source) => {
            process.known = was_known || is_lost(&source);
            let source = Box::new(source);
            Err(GuestError::Wait { pid, source })
        }
    }
}

/// The agent knows no other failure of this command than that it does not know the process.
fn is_unknown(error: &Error) -> bool {
    error
        .agent_error()
        .is_some_and(|error| !error.is_command_not_found())
}

/// Whether the channel failed and not the agent, so that it may go better the next time.
fn may_pass(error: &GuestError) -> bool {
    error
        .command_error()
        .is_some_and(|error| error.agent_error().is_none())
}

/// Whether the command was sent and its answer did not come.
fn is_lost(error: &GuestError) -> bool {
    error
        .command_error()
        .is_some_and(|error| error.execution() == Execution::MaybeRun)
}
