//! Looking at a guest that goes.

use std::time::Duration;

use qga_core::{Error, NoReply, Stage};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use super::mark::{Mark, is_unknown};
use crate::agent::Ping;
use crate::guest::Guest;
use crate::guest::backoff::Backoff;

/// What is not answered for so long is silence. A request that went to an agent that is gone is
/// answered by nobody, so it is asked again then.
const PATIENCE: Duration = Duration::from_secs(5);
/// An agent that takes so long to answer was not there when it was asked, if nothing else tells.
const GAP: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a guest is told to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Off,
    Back,
    Silence,
}

/// What one look shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// The agent answers, and it is the old one or there is no telling.
    Running,
    /// Another agent answers.
    New,
    Silent,
    /// The channel closed just now.
    Lost,
    /// It cannot be opened at the moment.
    Gone,
    /// It can never be opened again.
    Ended,
}

/// A guest that was told to go.
pub(super) struct Watch {
    guest: Guest,
    mark: Option<Mark>,
    end: Instant,
    aim: Aim,
    was_silent: bool,
}

impl Watch {
    pub(super) fn new(guest: &Guest, mark: Option<Mark>, end: Instant, aim: Aim) -> Self {
        let limit = guest.client().deadline();
        Self {
            guest: guest.clone(),
            mark,
            end: limit.map_or(end, |limit| limit.min(end)),
            aim,
            was_silent: false,
        }
    }

    /// Looks until the aim is reached or the time is up.
    pub(super) async fn outcome(mut self, heard: NoReply) -> Outcome {
        let mut last = match heard {
            NoReply::Closed => Seen::Lost,
            NoReply::Silent => Seen::Silent,
            _ => Seen::Running,
        };
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while Instant::now() < self.end {
            if let Some(seen) = self.look().await {
                if is_reached(self.aim, last, seen) {
                    return self.conclude(seen);
                }
                if seen != last {
                    backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
                }
                last = seen;
            }
            // At the end of the time there is one look less.
            let _ = timeout_at(self.end, backoff.pause()).await;
        }
        self.conclude(last)
    }

    fn conclude(mut self, last: Seen) -> Outcome {
        let outcome = match last {
            Seen::Running => return Outcome::StillRunning,
            Seen::Silent => return Outcome::Silent,
            Seen::New => Outcome::Back,
            Seen::Lost | Seen::Gone | Seen::Ended => Outcome::Off,
        };
        if let Some(mark) = &mut self.mark {
            mark.forget();
        }
        outcome
    }

    /// `None` if other commands have the channel, or what comes makes no sense.
    async fn look(&mut self) -> Option<Seen> {
        let asked = Instant::now();
        let left = self.end.saturating_duration_since(asked);
        let client = self.guest.client();
        let client = client.with_options(client.options().timeout(PATIENCE.min(left)));
        let answer = match &self.mark {
            Some(mark) => mark.look(&client).await,
            None => client.execute(Ping).await.map(drop),
        };
        let seen = match answer {
            Ok(()) if self.mark.is_some() => Seen::Running,
            Err(error) if self.mark.is_some() && is_unknown(&error) => Seen::New,
            Err(error) if error.agent_error().is_none() => of_failure(&error)?,
            // Somebody answers, and nothing but the time tells who.
            _ if self.aim != Aim::Back => Seen::Running,
            _ if self.was_silent || asked.elapsed() >= GAP => Seen::New,
            _ => Seen::Running,
        };
        self.was_silent |= matches!(seen, Seen::Silent | Seen::Lost | Seen::Gone);
        Some(seen)
    }
}

fn is_reached(aim: Aim, last: Seen, seen: Seen) -> bool {
    match (aim, seen) {
        (_, Seen::New) | (Aim::Off | Aim::Silence, Seen::Gone) | (Aim::Silence, Seen::Silent) => {
            true
        }
        // A channel that is lost once may have been closed by something between, and comes back.
        (_, Seen::Ended) => matches!(last, Seen::Lost | Seen::Ended),
        (Aim::Off | Aim::Silence, Seen::Lost) => last == Seen::Lost,
        _ => false,
    }
}

fn of_failure(error: &Error) -> Option<Seen> {
    match error.stage() {
        Stage::Queue => None,
        Stage::Connect => Some(Seen::Gone),
        // Nothing was there to be opened again.
        Stage::Send if error.is_closed() && error.execution() == qga_core::Execution::NotRun => {
            Some(Seen::Ended)
        }
        _ if error.is_closed() => Some(Seen::Lost),
        _ if error.is_timeout() => Some(Seen::Silent),
        _ => None,
    }
}
