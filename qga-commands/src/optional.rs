//! Questions that are asked only to know more.

use std::time::Duration;

use qga_core::{Client, Error, Execution, QgaCommand};

/// How long something may take that is asked or done only if it can be, before something else, where the
/// agent answers at once.
const USUAL: Duration = Duration::from_secs(2);
/// The same at most, where it takes its time.
const MOST: Duration = Duration::from_secs(10);

/// How long something may take that is asked or done only if it can be, before something else. A slow agent
/// that is not waited for has to be synchronized with afterwards, which takes much longer.
pub(crate) fn time(client: &Client) -> Duration {
    let latency = client.latency().unwrap_or_default();
    let time = USUAL.saturating_add(latency.saturating_mul(2));
    time.min(MOST).min(client.options().command_timeout())
}

/// Whether each answer takes so long that another agent may have given it.
pub(crate) fn is_slow(client: &Client) -> bool {
    client.latency().is_some_and(|latency| latency >= USUAL)
}

/// A handle whose commands have a short time in all.
pub(crate) fn in_short(client: &Client) -> Client {
    client.with_options(client.options().timeout(time(client)))
}

/// A handle whose commands have all the time there is for the channel, and a short one for the answer.
pub(crate) fn answered_in_short(client: &Client) -> Client {
    client.with_options(client.options().reply_timeout(time(client)))
}

/// The same before something that takes long itself.
pub(crate) fn answered_before_long(client: &Client) -> Client {
    client.with_options(client.options().reply_timeout(MOST))
}

/// Asks something whose answer is not needed, in a short time; see [`answer`].
pub(crate) async fn ask<C: QgaCommand>(
    client: &Client,
    question: C,
) -> Result<Option<C::Response>, Error> {
    answer(answered_in_short(client).execute(question).await)
}

/// What came of a question whose answer is not needed. `None` if there is none: the agent refuses, is silent
/// or talks nonsense, or the client may not ask.
///
/// # Errors
///
/// Where the channel cannot be had, so that nothing was asked: what comes next could not be sent either.
pub(crate) fn answer<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if was_asked(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether the question came to the agent, or never will.
pub(crate) fn was_asked(error: &Error) -> bool {
    error.agent_error().is_some()
        || error.is_not_allowed()
        || error.execution() != Execution::NotRun
}

/// Whether the channel is there all the same.
pub(crate) fn is_unanswered(error: &Error) -> bool {
    error.agent_error().is_some()
        || error.is_not_allowed()
        || error.is_bad_reply()
        || (is_silence(error) && was_asked(error))
}

fn is_silence(error: &Error) -> bool {
    error.is_timeout() || error.machine_stopped().is_some()
}
