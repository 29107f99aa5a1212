//! Waiting for the end of a program.

use std::time::Duration;

use super::{Output, Process};
use crate::backoff::Backoff;
use crate::commands::exec::ExecStatus;
use crate::guest::{Guest, GuestError};
use qga_core::{Error, Execution};

/// The first pause is this many times as long as the agent took for its last answer, so that asking takes little of its
/// time.
const QUESTIONS: u32 = 4;
const SHORTEST_FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How many questions in a row may fail.
const MAX_FAILURES: u32 = 3;

/// Asking again and again: pauses that grow, and a few failures in a row that are tolerated.
pub(super) struct Asking {
    backoff: Backoff,
    failures: u32,
    /// How long the client does not try the channel again.
    pause: Option<Duration>,
}

impl Asking {
    pub(super) fn new(guest: &Guest) -> Self {
        let latency = guest.client().latency();
        let first = latency.map_or(LONGEST_FIRST_PAUSE, |latency| {
            latency
                .saturating_mul(QUESTIONS)
                .clamp(SHORTEST_FIRST_PAUSE, LONGEST_FIRST_PAUSE)
        });
        Self {
            backoff: Backoff::new(first, LONGEST_PAUSE)
                .by_quarters()
                .within_deadline_of(guest.client()),
            failures: 0,
            pause: None,
        }
    }

    pub(super) async fn pause(&mut self) {
        self.backoff.pause_at_least(self.pause.take()).await;
    }

    /// `None` for a failure after which it is worth asking again.
    pub(super) fn tolerate<T>(
        &mut self,
        answer: Result<T, GuestError>,
    ) -> Result<Option<T>, GuestError> {
        match answer {
            Err(error) if may_pass(&error) && self.failures < MAX_FAILURES => {
                self.failures += 1;
                self.pause = error.command_error().and_then(Error::retry_after);
                Ok(None)
            }
            answer => {
                self.failures = 0;
                answer.map(Some)
            }
        }
    }
}

pub(super) async fn until_ended(process: &mut Process) -> Result<Output, GuestError> {
    let mut asking = Asking::new(&process.guest);
    loop {
        asking.pause().await;
        if let Some(Some(output)) = asking.tolerate(ask(process).await)? {
            return Ok(output);
        }
    }
}

/// Asks once.
pub(super) async fn ask(process: &mut Process) -> Result<Option<Output>, GuestError> {
    let pid = process.pid();
    let was_known = process.known;
    if !was_known {
        // It was attached to, and is made to last.
        process.guest.get_acquainted().await;
    }
    // Until the reply is here, the agent may have told the end and forgotten the process.
    process.known = true;
    let status = process
        .guest
        .execute_on(&process.owned, ExecStatus::new(pid));
    match status.await {
        Ok(status) => Ok(status.exited.then(|| status.into())),
        Err(GuestError::Command(source)) if was_known && is_unknown(&source) => {
            process.guest.disown_if_known(&process.owned).await?;
            Err(GuestError::ResultLost { pid, source })
        }
        Err(error) if error.is_agent_gone() => Err(error),
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
        .is_some_and(|error| error.agent_error().is_none() && !error.is_deadline())
}

/// Whether the command was sent and its answer did not come.
fn is_lost(error: &GuestError) -> bool {
    error
        .command_error()
        .is_some_and(|error| error.execution() == Execution::MaybeRun)
}
