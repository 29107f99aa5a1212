//! Whether it is still the same agent that answers, as far as a channel shows.

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A stretch of time in which one agent has answered without a break;
/// [`Client::contact`](crate::Client::contact) tells the present one.
///
/// It ends when the channel is opened or synchronized again, as after a loss, a timeout
/// or a dropped future, and when nothing was heard of the agent for 2 seconds. Afterwards another agent
/// may answer: the guest may have been rebooted, which a channel need not show. Within a contact no guest
/// is known to come back from a reboot, since the fastest take longer.
///
/// What an agent has handed out, such as the number of an open file, means nothing to another agent.
/// So ask again who it is before you use that in another contact than the one in which you got it, and
/// send it [in the contact](crate::Client::in_contact) in which you have asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Contact(NonZeroU64);

/// No guest is back from a reboot, with its agent, in so short a time. In milliseconds.
const QUIET: u64 = 2000;

/// The number of the first contact, so that there is none without a number.
const FIRST: u64 = 1;

/// How many bits tell when the agent was heard; enough for thirty years of milliseconds.
const HEARD_BITS: u32 = 40;

/// How many bits are left for the number of a contact.
const NUMBER_BITS: u32 = u64::BITS - HEARD_BITS;

/// The contacts of one channel. Anybody may look, and only who has the channel changes them.
///
/// Until somebody looks nothing is kept, since to read the clock after each command costs more than anything else
/// that is done for one here.
#[derive(Debug)]
pub(crate) struct Contacts {
    channel: u64,
    start: Instant,
    /// Both in one, since they are read together; 0 until somebody looks.
    present: AtomicU64,
    /// How long the last answer took, in microseconds; `UNKNOWN` before the first.
    latency: AtomicU64,
}

const UNKNOWN: u64 = u64::MAX;

/// The contact that was noted last.
#[derive(Clone, Copy)]
struct Present {
    number: u64,
    /// When the agent was last heard in this contact: in milliseconds from the start on, and never 0 then.
    heard: Option<u64>,
}

impl Contacts {
    pub(crate) fn new(start: Instant) -> Self {
        static CHANNELS: AtomicU64 = AtomicU64::new(0);
        Self {
            channel: CHANNELS.fetch_add(1, Ordering::Relaxed),
            start,
            present: AtomicU64::new(0),
            latency: AtomicU64::new(UNKNOWN),
        }
    }

    /// The contact to which the next command belongs, unless it has to synchronize. The first begins when it is
    /// first asked for.
    pub(crate) fn now(&self, now: Instant) -> Contact {
        let time = self.time_of(now);
        if !self.are_watched() {
            let first = Present {
                number: FIRST,
                heard: Some(time),
            };
            // Somebody else may have been first.
            let _ =
                self.present
                    .compare_exchange(0, first.bits(), Ordering::AcqRel, Ordering::Acquire);
        }
        self.contact(self.present_at(time))
    }

    /// Whether anybody looks.
    pub(crate) fn are_watched(&self) -> bool {
        self.present.load(Ordering::Acquire) != 0
    }

    /// How long the last answer took.
    pub(crate) fn latency(&self) -> Option<Duration> {
        let latency = self.latency.load(Ordering::Relaxed);
        (latency != UNKNOWN).then(|| Duration::from_micros(latency))
    }

    /// The agent has answered a command that was sent then. In which contact.
    pub(crate) fn answered(&self, sent: Instant, now: Instant) -> Contact {
        let took = now.saturating_duration_since(sent);
        let took = took.as_secs().saturating_mul(1_000_000) + u64::from(took.subsec_micros());
        self.latency.store(took, Ordering::Relaxed);
        self.heard(now)
    }

    /// The agent has answered, in this contact.
    pub(crate) fn heard(&self, now: Instant) -> Contact {
        let time = self.time_of(now);
        // A request that has waited so long may have been answered by the next agent.
        let number = self.present_at(time).number;
        let present = Present {
            number,
            heard: Some(time),
        };
        self.note(present);
        self.contact(present)
    }

    /// Whoever is heard next may be another agent.
    pub(crate) fn end(&self) {
        if self.are_watched() {
            self.note(self.noted().ended());
        }
    }

    fn contact(&self, present: Present) -> Contact {
        // Each channel has its own contacts.
        let bits = self.channel << NUMBER_BITS | present.number;
        Contact(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    fn present_at(&self, time: u64) -> Present {
        let present = self.noted();
        match present.heard {
            Some(heard) if time.saturating_sub(heard) >= QUIET => present.ended(),
            _ => present,
        }
    }

    fn noted(&self) -> Present {
        Present::of(self.present.load(Ordering::Acquire))
    }

    fn note(&self, present: Present) {
        self.present.store(present.bits(), Ordering::Release);
    }

    fn time_of(&self, now: Instant) -> u64 {
        let time = now.saturating_duration_since(self.start);
        let time = time.as_secs().saturating_mul(1000) + u64::from(time.subsec_millis());
        (time + 1).min((1 << HEARD_BITS) - 1)
    }
}

impl Present {
    fn of(bits: u64) -> Self {
        let heard = bits & ((1 << HEARD_BITS) - 1);
        Self {
            number: (bits >> HEARD_BITS).max(FIRST),
            heard: (heard != 0).then_some(heard),
        }
    }

    fn bits(self) -> u64 {
        self.number << HEARD_BITS | self.heard.unwrap_or(0)
    }

    /// A contact in which nothing was heard yet goes on: nothing can belong to it.
    fn ended(self) -> Self {
        let has_begun = u64::from(self.heard.is_some());
        Self {
            number: self.number + has_begun,
            heard: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_contact_goes_on_while_the_agent_is_heard() {
        let start = Instant::now();
        let contacts = Contacts::new(start);
        let contact = contacts.now(start);
        for seconds in 0..10 {
            contacts.heard(start + seconds * SECOND);
        }
        assert_eq!(contacts.now(start + 10 * SECOND), contact);
    }

    #[test]
    fn two_quiet_seconds_end_a_contact_once() {
        let start = Instant::now();
        let contacts = Contacts::new(start);
        contacts.heard(start);
        let before = contacts.now(start + Duration::from_nanos(1_999_999_999));
        assert_eq!(before, contacts.now(start));
        let after = contacts.now(start + 2 * SECOND);
        assert_ne!(after, before);
        assert_eq!(contacts.now(start + 9 * SECOND), after);
        contacts.heard(start + 9 * SECOND);
        assert_eq!(contacts.now(start + 9 * SECOND), after);
    }

    #[test]
    fn a_contact_in_which_nothing_was_heard_does_not_end() {
        let start = Instant::now();
        let contacts = Contacts::new(start);
        contacts.now(start);
        contacts.end();
        let contact = contacts.now(start);
        contacts.end();
        assert_eq!(contacts.now(start + 60 * SECOND), contact);
        contacts.heard(start + 60 * SECOND);
        contacts.end();
        assert_ne!(contacts.now(start + 60 * SECOND), contact);
    }

    #[test]
    fn the_first_contact_begins_when_somebody_looks_and_ends_as_any() {
        let start = Instant::now();
        let contacts = Contacts::new(start);
        contacts.end();
        assert!(!contacts.are_watched());
        let contact = contacts.now(start + 60 * SECOND);
        assert!(contacts.are_watched());
        assert_eq!(contacts.now(start + 61 * SECOND), contact);
        assert_ne!(contacts.now(start + 62 * SECOND), contact);
    }

    #[test]
    fn a_contact_that_has_ended_never_comes_back() {
        let start = Instant::now();
        let contacts = Contacts::new(start);
        let mut seen = std::collections::HashSet::new();
        for hour in 0..1000 {
            let now = start + hour * 3600 * SECOND;
            contacts.heard(now);
            assert!(seen.insert(contacts.now(now)));
            if hour % 2 == 0 {
                contacts.end();
                contacts.heard(now);
                assert!(seen.insert(contacts.now(now)));
            }
        }
    }
}
