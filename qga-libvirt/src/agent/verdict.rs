//! What a failure of the daemon is to an agent's command.

use std::io;
use std::time::Duration;

use qga_core::{Execution, TransportError};

use super::{REPLY_LIMIT, not_sent};
use crate::ask::NO_DOMAIN;
use crate::connection::NOT_PERMITTED;
use crate::wire::failure::Failure;

/// How long the daemon waits for the agent's answer to a sync of its own.
pub(super) const SYNC_TIMEOUT: Duration = Duration::from_secs(5);

/// From this version on, an agent that is not there and one that has not answered have different numbers.
const TELLS_SENT: u64 = 11_003_000;

/// What a failure means.
pub(super) enum Verdict {
    /// The agent has answered with an error, which has these words.
    AgentError(String),
    /// Nothing was sent, and the same may succeed later.
    NotYet,
    /// No reply came, and the command may have run.
    Silent,
    Failed(TransportError),
}

impl Verdict {
    /// Whether the daemon's version has to be known for the verdict on a failure.
    pub(super) fn depends_on_version(failure: &Failure) -> bool {
        (failure.code, failure.part) == (86, 10)
    }

    /// The verdict on the failure of a command of this name, from a daemon of this version.
    pub(super) fn of(failure: &Failure, version: u64, command: &str) -> Self {
        match (failure.code, failure.part) {
            (1 | 113, 10) => match agent_words(failure, command) {
                Some(words) => Self::AgentError(words),
                // QEMU has ended meanwhile, and the agent with it.
                None if failure.code == 1 => Self::Failed(TransportError::closed(None)),
                None => Self::AgentError(failure.to_string()),
            },
            // The domain is paused, or another's command keeps the agent.
            (55, 10) | (68, 0) => Self::NotYet,
            // The agent is not there.
            (86, 10) if version >= TELLS_SENT => Self::NotYet,
            (86 | 112, 10) => Self::Silent,
            // The agent's socket has ended, as it does when QEMU is killed.
            (38, 10) => Self::Failed(TransportError::closed(None)),
            (55, 20) => Self::Failed(not_sent(closed(failure))),
            (NO_DOMAIN, _) | (74, 10) => Self::cannot_open(io::ErrorKind::NotFound, failure),
            (NOT_PERMITTED, _) => Self::cannot_open(io::ErrorKind::PermissionDenied, failure),
            (39, 7) => Self::Failed(TransportError::reply_too_long(REPLY_LIMIT)),
            (1, 0) | (8, 10) => Self::Failed(not_sent(TransportError::other(failure.clone()))),
            _ => Self::Failed(TransportError::other(failure.clone())),
        }
    }

    fn cannot_open(kind: io::ErrorKind, failure: &Failure) -> Self {
        let error = io::Error::new(kind, failure.clone());
        Self::Failed(TransportError::cannot_open(error))
    }
}

fn closed(failure: &Failure) -> TransportError {
    TransportError::closed(Some(io::Error::other(failure.clone())))
        .with_execution(Execution::MaybeRun)
}

/// The agent's own words. The daemon puts them behind the command's name, in a sentence of its language.
fn agent_words(failure: &Failure, command: &str) -> Option<String> {
    let detail = failure.detail.as_deref()?;
    let (_, after) = detail.split_once(command)?;
    let (quote, words) = after.split_once(": ")?;
    // What stands between is no more than a quotation mark with blanks around it.
    (quote.chars().count() <= 4).then(|| words.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: u64 = 9_000_000;

    fn failure(code: i32, part: i32, detail: &str) -> Failure {
        Failure {
            code,
            part,
            message: Some(format!("words: {detail}")),
            detail: Some(detail.into()),
        }
    }

    fn verdict(code: i32, part: i32, version: u64) -> Verdict {
        Verdict::of(&failure(code, part, "something"), version, "guest-ping")
    }

    fn execution(verdict: Verdict) -> Execution {
        let Verdict::Failed(error) = verdict else {
            panic!("it is another verdict");
        };
        error.execution()
    }

    #[test]
    fn the_agents_words_are_found_behind_the_commands_name() {
        for (code, detail) in [
            (1, "cannot do 'guest-ping': it: is frozen"),
            (113, "cannot do 'guest-ping': it: is frozen"),
            (1, "« guest-ping » : it: is frozen"),
            (1, "konnte guest-ping nicht ausführen"),
        ] {
            let failure = failure(code, 10, detail);
            match Verdict::of(&failure, OLD, "guest-ping") {
                Verdict::AgentError(words) => assert_eq!(words, "it: is frozen", "{detail}"),
                _ => assert!(detail.ends_with("ausführen"), "{detail}"),
            }
        }
    }

    #[test]
    fn an_error_of_the_daemon_itself_is_not_the_agents() {
        // QEMU was killed.
        assert_eq!(execution(verdict(1, 10, OLD)), Execution::MaybeRun);
        assert_eq!(execution(verdict(38, 10, OLD)), Execution::MaybeRun);
        // The number alone says that it is the agent's.
        let agents = verdict(113, 10, TELLS_SENT);
        assert!(matches!(agents, Verdict::AgentError(_)));
    }

    #[test]
    fn what_was_not_sent_is_known_by_its_number() {
        for (code, part) in [(55, 20), (42, 10), (74, 10), (29, 0), (1, 0), (8, 10)] {
            let verdict = verdict(code, part, OLD);
            assert_eq!(execution(verdict), Execution::NotRun, "{code}/{part}");
        }
        for (code, part) in [(39, 7), (999, 10)] {
            let verdict = verdict(code, part, OLD);
            assert_eq!(execution(verdict), Execution::MaybeRun, "{code}/{part}");
        }
    }

    #[test]
    fn what_passes_is_waited_for_and_silence_is_told_as_far_as_the_daemon_tells_it() {
        for (code, part) in [(55, 10), (68, 0)] {
            assert!(matches!(verdict(code, part, OLD), Verdict::NotYet));
        }
        assert!(matches!(verdict(86, 10, OLD), Verdict::Silent));
        assert!(matches!(verdict(86, 10, TELLS_SENT), Verdict::NotYet));
        assert!(matches!(verdict(112, 10, TELLS_SENT), Verdict::Silent));
    }
}
