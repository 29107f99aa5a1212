//! Looking at a guest that goes.

use std::sync::Arc;
use std::time::Duration;

use qga_core::{Error, NoReply, Power};
use tokio::time::{Instant, timeout_at};

use super::Outcome;
use super::sentinel_file::SentinelFile;
use crate::backoff::Backoff;
use crate::commands::agent::Ping;
use crate::guest::Guest;
use crate::guest::machine::Machine;
use crate::guest::presence::Presence;
use crate::incarnation::{Agents, Incarnation, is_unknown_handle};

/// What is not answered for so long is silence. A request that went to an agent that is gone is
/// answered by nobody, so it is asked again then.
const SILENCE: Duration = Duration::from_secs(5);
/// An agent that takes so long to answer was not there when it was asked, if nothing else tells.
const GAP: Duration = Duration::from_secs(1);
/// A channel that is found closed for so long does not come back, unless the guest does.
const CLOSED: Duration = Duration::from_secs(1);
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
    sentinel: Option<SentinelFile>,
    machine: Machine,
    /// The agent that was told to go.
    agent: Arc<Incarnation>,
    end: Instant,
    aim: Aim,
    was_silent: bool,
    /// When the channel was found closed first and last, and never open in between.
    closed: Option<(Instant, Instant)>,
    /// How long the client does not try the channel again.
    pause: Option<Duration>,
}

impl Watch {
    pub(super) fn new(
        guest: &Guest,
        sentinel: Option<SentinelFile>,
        machine: Machine,
        end: Instant,
        aim: Aim,
    ) -> Self {
        let limit = guest.client().deadline();
        Self {
            guest: guest.clone(),
            sentinel,
            machine,
            agent: Agents::of(guest.client()).present(guest.client()),
            end: limit.map_or(end, |limit| limit.min(end)),
            aim,
            was_silent: false,
            closed: None,
            pause: None,
        }
    }

    /// Looks until the aim is reached or the time is up.
    pub(super) async fn outcome(mut self, heard: NoReply) -> Outcome {
        let mut last = match heard {
            NoReply::Closed => Seen::Lost,
            NoReply::Silent => Seen::Silent,
            _ => Seen::Running,
        };
        self.note(last);
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while Instant::now() < self.end {
            let seen = self.look().await;
            if let Some(outcome) = self.told() {
                return self.end_with(outcome);
            }
            if let Some(seen) = seen {
                let was_closed = self.closed.is_some();
                self.note(seen);
                if self.is_reached(seen, was_closed) {
                    return self.conclude(seen);
                }
                if seen != last {
                    backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
                }
                last = seen;
            }
            let pause = backoff.pause_at_least(self.pause.map(|pause| pause.min(LONGEST_PAUSE)));
            // At the end of the time there is one look less.
            let _ = timeout_at(self.end, self.machine.rest(pause)).await;
        }
        if let Some(outcome) = self.told() {
            return self.end_with(outcome);
        }
        if last == Seen::Lost {
            // What is known at once of a channel that has just closed.
            last = self.look().await.unwrap_or(last);
        }
        self.conclude(last)
    }

    fn note(&mut self, seen: Seen) {
        match seen {
            Seen::Lost | Seen::Gone | Seen::Ended => {
                let now = Instant::now();
                let (first, _) = self.closed.unwrap_or((now, now));
                self.closed = Some((first, now));
            }
            Seen::Running | Seen::New | Seen::Silent => self.closed = None,
        }
    }

    /// A channel that is closed for a moment may have been closed by something between, and comes back.
    fn is_closed(&self) -> bool {
        let closed = self.closed;
        closed.is_some_and(|(first, last)| last.duration_since(first) >= CLOSED)
    }

    fn is_reached(&self, seen: Seen, was_closed: bool) -> bool {
        match (self.aim, seen) {
            (_, Seen::New) | (Aim::Silence, Seen::Silent) => true,
            (_, Seen::Ended) => was_closed,
            (Aim::Off | Aim::Silence, Seen::Gone | Seen::Lost) => self.is_closed(),
            _ => false,
        }
    }

    fn conclude(self, last: Seen) -> Outcome {
        let outcome = match last {
            Seen::Running => return Outcome::StillRunning,
            Seen::Silent => return Outcome::Silent,
            Seen::Lost | Seen::Gone if !self.is_closed() => return Outcome::Silent,
            Seen::New => Outcome::Back,
            Seen::Lost | Seen::Gone | Seen::Ended => Outcome::Off,
        };
        self.end_with(outcome)
    }

    /// What the host tells of the machine, where that is the end of it.
    fn told(&mut self) -> Option<Outcome> {
        match self.machine.power() {
            Power::Off => Some(Outcome::Off),
            Power::Panicked => Some(Outcome::Panicked),
            Power::Suspended if self.aim == Aim::Silence => Some(Outcome::Suspended),
            _ => None,
        }
    }

    fn end_with(self, outcome: Outcome) -> Outcome {
        if outcome == Outcome::Back {
            let client = self.guest.client();
            Agents::of(client).has_gone(&self.agent, client);
        } else if let Some(sentinel) = &self.sentinel {
            sentinel.forget();
        }
        outcome
    }

    /// `None` if other commands have the channel, what comes makes no sense, or there was no time for an answer.
    async fn look(&mut self) -> Option<Seen> {
        let asked = Instant::now();
        let left = self.end.saturating_duration_since(asked);
        let client = self.guest.client();
        // A question that is cut off before, at the end of the time, shows no silence.
        let latency = client.latency().unwrap_or_default();
        let enough = latency.saturating_mul(2).clamp(GAP, SILENCE);
        let options = client.options().timeout(SILENCE.min(left));
        // A long pause of the client is not slept through: the guest may be back.
        let waits = self.pause.take().is_some_and(|pause| pause > LONGEST_PAUSE);
        let client = client.with_options(options.wait_for_channel(waits));
        // What is told only while an answer comes says nothing of who gave it.
        let was_reset = self.machine.was_reset();
        let answer = match &self.sentinel {
            Some(sentinel) => sentinel.is_intact(&client).await.map(Some),
            None => client.execute(Ping).await.map(|_| None),
        };
        let seen = match answer {
            Ok(Some(true)) if self.sentinel.as_ref().is_some_and(SentinelFile::is_proof) => {
                Seen::Running
            }
            Ok(_) if was_reset => Seen::New,
            Ok(Some(true)) => Seen::Running,
            Ok(Some(false)) => Seen::New,
            Err(error) if self.sentinel.is_some() && is_unknown_handle(&error) => Seen::New,
            Err(error) if error.agent_error().is_none() => {
                self.pause = error.retry_after();
                if error.is_timeout() && self.pause.is_none() && left < enough {
                    return None;
                }
                of_failure(&error)?
            }
            // Somebody answers, and nothing but the time tells who.
            _ if self.aim != Aim::Back => Seen::Running,
            _ if self.was_silent || asked.elapsed() >= GAP => Seen::New,
            _ => Seen::Running,
        };
        self.was_silent |= matches!(seen, Seen::Silent | Seen::Lost | Seen::Gone);
        Some(seen)
    }
}

fn of_failure(error: &Error) -> Option<Seen> {
    match Presence::after(error) {
        Presence::Absent => Some(Seen::Gone),
        Presence::HangsUp => Some(Seen::Lost),
        Presence::Ended => Some(Seen::Ended),
        Presence::Silent => Some(Seen::Silent),
        Presence::Queued | Presence::Speaks | Presence::Untold => None,
    }
}
