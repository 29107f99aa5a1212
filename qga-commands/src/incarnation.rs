//! To which agent the numbers belong that an agent hands out.
//!
//! An open file is a number, and so is a process. The next agent knows nothing of them and hands out the
//! same ones again: after a reboot it counts from the beginning. So each of them is bound to the
//! [contact](Contact) in which it was handed out, and used in another one only after it was asked
//! [who answers](identity) there.

mod dropped;
mod fingerprint;
mod identify;
mod identity;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use qga_core::{Client, Contact, Error};
use tokio::time::Instant;

use crate::backoff::after;
use crate::optional;

pub(crate) use dropped::Dropped;
pub(crate) use fingerprint::Fingerprint;
pub(crate) use identify::identify;
use identity::Identity;
pub(crate) use identity::{Answer, Asked, Need, ask};

/// An open file or a process, which an agent knows by a number. It is lost when the agent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentResource {
    /// An open file, by its handle.
    File(i64),
    /// A process, by its number in the guest.
    Process(i64),
}

impl fmt::Display for AgentResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(handle) => write!(f, "open file {handle}"),
            Self::Process(pid) => write!(f, "process {pid}"),
        }
    }
}

/// The agent that answers in one contact.
#[derive(Debug)]
pub(crate) struct Incarnation {
    pub(crate) contact: Contact,
    pub(crate) since: Instant,
    /// How many agents had gone before, as far as is known.
    generation: AtomicU64,
    /// Whether it was asked who it is.
    asked: AtomicBool,
    pub(crate) identity: OnceLock<Identity>,
}

/// What a client knows of the agents that have answered it.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    known: Mutex<Known>,
    /// Locked while somebody asks who answers, which only tasks do that nobody can drop.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Known {
    generation: u64,
    /// Of the present generation.
    identity: Option<Identity>,
    present: Option<Arc<Incarnation>>,
    /// The highest handle that this generation has handed out, and in which contact.
    highest: Option<(i64, Contact)>,
    /// Whether it was said that there is no identity to be had.
    nameless: bool,
    /// How many questions in a row have not been answered.
    unanswered: u32,
    /// Until when none is asked any more.
    rest: Option<Instant>,
}

/// Where QEMU's agent begins to count. Agents of other makers may give a number again and again.
const FIRST_HANDLE: i64 = 1000;

/// After so many questions in a row without an answer, none is asked for a while unless it has to be.
const MOST_UNANSWERED: u32 = 2;
const REST: Duration = Duration::from_secs(60);

impl Agents {
    pub(crate) fn of(client: &Client) -> Arc<Self> {
        client.attachment()
    }

    /// The agent that answers now.
    pub(crate) fn present(&self, client: &Client) -> Arc<Incarnation> {
        self.answering(client.contact(), client)
    }

    /// The agent that answers in a contact, which is the present one unless it has ended since.
    pub(crate) fn answering(&self, contact: Contact, client: &Client) -> Arc<Incarnation> {
        self.known().answering(contact, client)
    }

    /// This agent is gone, if that was not known before, and another one answers now.
    pub(crate) fn has_gone(&self, incarnation: &Incarnation, client: &Client) {
        let contact = client.contact();
        let mut known = self.known();
        if known.knows(incarnation) {
            known.succeed(contact, incarnation.contact == contact);
        }
    }

    pub(crate) fn is_gone(&self, incarnation: &Incarnation) -> bool {
        !self.known().knows(incarnation)
    }

    /// The highest handle before a file is opened.
    pub(crate) fn highest_handle(&self) -> i64 {
        self.known().highest.map_or(0, |(highest, _)| highest)
    }

    /// A file was opened. QEMU's agent counts from 1000 as long as it lives, and goes on after a restart,
    /// so one that hands out a number again was started with the guest.
    pub(crate) fn opened(&self, handle: i64, highest_before: i64, contact: Contact) {
        let mut known = self.known();
        if (FIRST_HANDLE..=highest_before).contains(&handle) {
            let is_in_between = known
                .highest
                .is_some_and(|(_, given_in)| given_in == contact);
            known.succeed(contact, is_in_between);
        }
        if known.highest.is_none_or(|(highest, _)| highest < handle) {
            known.highest = Some((handle, contact));
        }
    }

    /// Whether to ask who answers there. Where there is no name to be had, the number is still worth a question
    /// by which a file is opened, if an answer is needed.
    pub(crate) fn is_due(&self, present: &Incarnation, need: Need, client: &Client) -> bool {
        let known = self.known();
        let is_slow = optional::is_slow(client);
        let may_answer = || !is_slow && known.rest.is_none_or(|end| end <= Instant::now());
        let is_any_use = || match need {
            Need::Idle => may_answer() && !known.nameless,
            Need::Answerable => may_answer(),
            Need::Must => true,
        };
        !present.was_asked() && is_any_use()
    }

    /// Whether it was said that the agent has no name.
    fn is_nameless(&self) -> bool {
        self.known().nameless
    }

    /// What was answered to the question in a contact.
    fn answered(&self, answer: Answer, contact: Contact, client: &Client) -> Arc<Incarnation> {
        let mut known = self.known();
        (known.unanswered, known.rest) = (0, None);
        let identity = match answer {
            Answer::Named(identity) => identity,
            Answer::Nameless => {
                known.nameless = true;
                Identity::default()
            }
            Answer::Refused => Identity::default(),
        };
        let old = known.identity.as_ref();
        if old.is_some_and(|old| old.differs_from(&identity) == Some(true)) {
            known.succeed(contact, false);
        }
        let incarnation = known.answering(contact, client);
        incarnation.asked.store(true, Ordering::Relaxed);
        if !identity.is_empty() {
            known.identity = Some(identity.clone());
            // It is asked once in a contact.
            drop(incarnation.identity.set(identity));
        }
        incarnation
    }

    fn unanswered(&self) {
        let mut known = self.known();
        known.unanswered = known.unanswered.saturating_add(1);
        if known.unanswered >= MOST_UNANSWERED {
            known.rest = Some(after(REST));
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn answering(&mut self, contact: Contact, client: &Client) -> Arc<Incarnation> {
        match &self.present {
            Some(present) if present.contact == contact => Arc::clone(present),
            _ => {
                let answering = Arc::new(Incarnation::new(contact, self.generation));
                // In a contact that is over already, nothing is sent any more.
                if client.contact() == contact {
                    self.present = Some(Arc::clone(&answering));
                }
                answering
            }
        }
    }

    /// Whether this agent still answers, as far as is known.
    fn knows(&self, incarnation: &Incarnation) -> bool {
        let has_name = || {
            let (one, other) = (incarnation.identity.get()?, self.identity.as_ref()?);
            one.differs_from(other).map(|differs| !differs)
        };
        incarnation.generation.load(Ordering::Relaxed) == self.generation
            || has_name().unwrap_or_default()
    }

    /// Another agent answers in this contact than before; since its beginning, or since somewhere
    /// `in_between`.
    fn succeed(&mut self, contact: Contact, in_between: bool) {
        let present = self.present.take();
        let highest = self.highest.take();
        *self = Self {
            generation: self.generation + 1,
            ..Self::default()
        };
        if !in_between {
            self.present = present.filter(|present| present.contact == contact);
            self.highest = highest.filter(|(_, given_in)| *given_in == contact);
        }
        if let Some(present) = &self.present {
            self.identity = present.identity.get().cloned();
            let generation = self.generation;
            present.generation.store(generation, Ordering::Relaxed);
        }
    }
}

impl Incarnation {
    fn new(contact: Contact, generation: u64) -> Self {
        Self {
            contact,
            since: Instant::now(),
            generation: AtomicU64::new(generation),
            asked: AtomicBool::new(false),
            identity: OnceLock::new(),
        }
    }

    fn has_name(&self) -> bool {
        self.identity.get().is_some()
    }

    fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// What the agent is known by, if it is known.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.identity.get().map(Fingerprint::of)
    }

    /// Whether another agent answers there; `None` if nobody knows.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<bool> {
        self.identity.get()?.differs_from(other.identity.get()?)
    }
}

/// Whether an agent says that it has no such file open. Agents of other makers have words of their own.
pub(crate) fn is_unknown_handle(error: &Error) -> bool {
    error.agent_error().is_some_and(|said| {
        let text = said.desc.to_lowercase();
        let unknown = [
            "not found",
            "not been found",
            "not exist",
            "unknown",
            "invalid",
            "no such",
        ];
        // A path may be in the text, and a command that is refused has not looked for the file.
        !said.is_command_not_found()
            && !text.contains("open")
            && text.contains("handle")
            && unknown.iter().any(|unknown| text.contains(unknown))
    })
}

/// Something that belongs to an agent, and to which one.
#[derive(Debug)]
pub(crate) struct Owned {
    pub(crate) what: AgentResource,
    origin: Mutex<Origin>,
}

#[derive(Debug)]
struct Origin {
    /// Who has handed it out; `None` until it is used, for what was attached to by its number.
    agent: Option<Arc<Incarnation>>,
    /// Who is taken for the same agent since nothing tells that it is another one.
    taken_for: Option<Arc<Incarnation>>,
}

impl Owned {
    pub(crate) fn new(what: AgentResource, agent: Option<Arc<Incarnation>>) -> Self {
        let origin = Origin {
            agent,
            taken_for: None,
        };
        Self {
            what,
            origin: Mutex::new(origin),
        }
    }

    pub(crate) fn number(&self) -> i64 {
        match self.what {
            AgentResource::File(number) | AgentResource::Process(number) => number,
        }
    }

    /// To which agent it belongs, as far as is known.
    pub(crate) fn origin(&self, present: &Arc<Incarnation>) -> Arc<Incarnation> {
        let mut origin = self.lock();
        let agent = Arc::clone(origin.agent.get_or_insert_with(|| Arc::clone(present)));
        origin.taken_for.clone().unwrap_or(agent)
    }

    /// Whether it is only not known that it belongs to another agent.
    pub(crate) fn is_taken_for_the_same(&self) -> bool {
        self.lock().taken_for.is_some()
    }

    /// The agent answers there as well, by all that is known; who it is may be better known there.
    pub(crate) fn follow(&self, there: &Arc<Incarnation>) {
        if !there.has_name() {
            return;
        }
        let mut origin = self.lock();
        let agent = origin.agent.as_ref();
        let is_sure = agent.is_none_or(|agent| agent.has_name() || Arc::ptr_eq(agent, there));
        let place = if is_sure {
            &mut origin.agent
        } else {
            &mut origin.taken_for
        };
        *place = Some(Arc::clone(there));
    }

    /// It does not belong to whom it was taken to belong to. Who has handed it out.
    pub(crate) fn unfollow(&self, present: &Arc<Incarnation>) -> Arc<Incarnation> {
        self.lock().taken_for = None;
        self.origin(present)
    }

    /// What the agent that has handed it out is known by, if it is known.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        let origin = self.lock();
        origin.agent.as_ref()?.fingerprint()
    }

    fn lock(&self) -> MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
