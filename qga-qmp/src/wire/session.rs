//! The engine: one connection to a monitor, from its greeting to its end.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use qga_core::{AgentError, Malformed};
use serde_json::value::RawValue;

use super::incoming::{Greeting, Id, Incoming, RawEvent};
use super::limits::{IN_BAND_AT_ONCE, LONGEST_EVENT, Limits, OUT_OF_BAND_AT_ONCE};
use super::objects::{Excess, Found, Limit, Objects};

/// The id of the request with which a connection begins. Those of others are above it.
const NEGOTIATION: u64 = 0;

/// One connection to a monitor.
#[derive(Debug)]
pub(crate) struct Session {
    limits: Limits,
    objects: Objects,
    phase: Phase,
    greeting: Option<Greeting>,
    queues: BTreeMap<Band, VecDeque<(u64, Vec<u8>)>>,
    /// The request that is being written, and how much of it was.
    writing: Option<(u64, Vec<u8>, usize)>,
    /// The requests of which something was written and that are not answered, with whether somebody waits.
    begun: BTreeMap<u64, Begun>,
    told: VecDeque<Told>,
    end: Option<End>,
}

/// Which way a request goes. What goes out of band goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Band {
    Out,
    In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Greeting,
    Negotiating,
    Ready,
}

#[derive(Clone, Copy, Debug)]
struct Begun {
    band: Band,
    is_awaited: bool,
}

/// What has become known.
#[derive(Debug)]
pub(crate) enum Told {
    /// Requests may be sent.
    Ready,
    Reply(u64, Result<Box<RawValue>, AgentError>),
    /// The reply to a request cannot be used, or will not come.
    Failed(u64, Failure),
    Event(RawEvent),
    /// So many events were passed over.
    Missed(u64),
}

/// Why a request has no reply.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    TooLong(usize),
    Malformed(Malformed, String),
    /// A request could not be read, and nobody knows which.
    Unattributed(AgentError),
}

/// Why a connection has ended.
#[derive(Debug)]
pub(crate) enum End {
    Closed(Option<io::Error>),
    Malformed(Malformed, String),
    /// The monitor does not let anybody begin.
    Refused(AgentError),
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Nothing of it was written.
    Queued,
    /// A part of it was written.
    Writing,
    Written,
}

impl Session {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            objects: Objects::new(limits),
            phase: Phase::Greeting,
            greeting: None,
            queues: BTreeMap::new(),
            writing: None,
            begun: BTreeMap::new(),
            told: VecDeque::new(),
            end: None,
        }
    }

    /// Queues a request: a whole object that carries this id, which is above 0.
    pub(crate) fn submit(&mut self, id: u64, band: Band, request: Vec<u8>) {
        let queue = self.queues.entry(band).or_default();
        queue.push_back((id, request));
    }

    /// Nobody waits for its reply any more. Returns how far it had come.
    pub(crate) fn cancel(&mut self, id: u64) -> Progress {
        let progress = self.progress(id);
        for queue in self.queues.values_mut() {
            queue.retain(|(queued, _)| *queued != id);
        }
        if let Some(begun) = self.begun.get_mut(&id) {
            begun.is_awaited = false;
        }
        // What was taken up and not begun may still be left out.
        if matches!(self.writing, Some((writing, _, 0)) if writing == id) {
            self.writing = None;
            self.begun.remove(&id);
        }
        progress
    }

    /// How far a request has come.
    pub(crate) fn progress(&self, id: u64) -> Progress {
        match &self.writing {
            Some((writing, _, 0)) if *writing == id => Progress::Queued,
            Some((writing, ..)) if *writing == id => Progress::Writing,
            _ if self.begun.contains_key(&id) => Progress::Written,
            _ => Progress::Queued,
        }
    }

    /// What is to be written next.
    pub(crate) fn transmit(&mut self) -> &[u8] {
        if self.writing.is_none() && self.end.is_none() {
            self.take_up();
        }
        match &self.writing {
            Some((_, request, written)) => request.get(*written..).unwrap_or_default(),
            None => &[],
        }
    }

    /// So much of it was written.
    pub(crate) fn transmitted(&mut self, count: usize) {
        if let Some((_, request, written)) = &mut self.writing {
            *written += count;
            if *written >= request.len() {
                self.writing = None;
            }
        }
    }

    /// Takes up the next request, if there is a place for it.
    fn take_up(&mut self) {
        if self.phase != Phase::Ready {
            return;
        }
        for (band, most) in [
            (Band::Out, OUT_OF_BAND_AT_ONCE),
            (Band::In, IN_BAND_AT_ONCE),
        ] {
            let begun = self.begun.values().filter(|begun| begun.band == band);
            if begun.count() < most
                && let Some((id, request)) =
                    self.queues.get_mut(&band).and_then(VecDeque::pop_front)
            {
                let is_awaited = true;
                self.begun.insert(id, Begun { band, is_awaited });
                self.writing = Some((id, request, 0));
                return;
            }
        }
    }

    /// Takes what has arrived.
    pub(crate) fn received(&mut self, mut bytes: &[u8]) {
        while self.end.is_none() {
            let before = bytes;
            match self.objects.next(&mut bytes) {
                Ok(Some(Found::Object(object))) => self.object(&object),
                Ok(Some(Found::Excess(excess))) => self.excess(&excess),
                Ok(None) => return,
                Err(reason) => self.end = Some(End::Malformed(reason, excerpt(before))),
            }
        }
    }

    /// The connection has ended.
    pub(crate) fn closed(&mut self, cause: Option<io::Error>) {
        self.end.get_or_insert(End::Closed(cause));
    }

    /// What has become known, in the order in which it did.
    pub(crate) fn poll(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Why the connection has ended, if it has.
    pub(crate) fn take_end(&mut self) -> Option<End> {
        self.end.take()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// What the monitor said of itself, if it did.
    pub(crate) fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    fn object(&mut self, object: &[u8]) {
        match Incoming::read(object) {
            Ok(Incoming::Greeting(greeting)) if self.phase == Phase::Greeting => {
                self.negotiate(&greeting);
                self.greeting = Some(greeting);
            }
            // A second greeting changes nothing.
            Ok(Incoming::Greeting(_)) => {}
            Ok(Incoming::Event(_)) if object.len() > LONGEST_EVENT => self.missed(),
            Ok(Incoming::Event(event)) => self.told.push_back(Told::Event(event)),
            Ok(Incoming::Reply { id, result }) => self.reply(id, result),
            Err(reason) => self.end = Some(End::Malformed(reason, excerpt(object))),
        }
    }

    fn negotiate(&mut self, greeting: &Greeting) {
        let request: &[u8] = if greeting.has_oob {
            b"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},\"id\":0}\n"
        } else {
            b"{\"execute\":\"qmp_capabilities\",\"id\":0}\n"
        };
        self.writing = Some((NEGOTIATION, request.to_vec(), 0));
        self.phase = Phase::Negotiating;
    }

    fn reply(&mut self, id: Id, result: Result<Box<RawValue>, AgentError>) {
        match (self.phase, id, result) {
            (Phase::Negotiating, Id::Number(NEGOTIATION), Ok(_)) => {
                self.phase = Phase::Ready;
                self.told.push_back(Told::Ready);
            }
            (
                Phase::Greeting | Phase::Negotiating,
                Id::Number(NEGOTIATION) | Id::Absent,
                Err(error),
            ) => {
                self.end = Some(End::Refused(error));
            }
            (Phase::Ready, Id::Number(id), result) if self.is_answered(id) => {
                self.told.push_back(Told::Reply(id, result));
            }
            (Phase::Ready, Id::Absent, Err(error)) => {
                self.fail_all(&Failure::Unattributed(error));
            }
            // It is nobody's here.
            _ => {}
        }
    }

    fn excess(&mut self, excess: &Excess) {
        let failure = match excess.limit {
            Limit::Bytes => Failure::TooLong(self.limits.bytes),
            Limit::Depth => Failure::Malformed(Malformed::TooDeep, excess.excerpt()),
            Limit::Items => Failure::Malformed(Malformed::TooManyItems, excess.excerpt()),
        };
        match excess.id() {
            _ if excess.is_event() => self.missed(),
            Some(id) => {
                if self.is_answered(id) {
                    self.told.push_back(Told::Failed(id, failure));
                }
            }
            None => self.fail_all(&failure),
        }
    }

    fn missed(&mut self) {
        match self.told.back_mut() {
            Some(Told::Missed(count)) => *count += 1,
            _ => self.told.push_back(Told::Missed(1)),
        }
    }

    /// Forgets a request that was answered. Returns whether somebody waits for that. What was not written to its end
    /// cannot have been answered.
    fn is_answered(&mut self, id: u64) -> bool {
        self.progress(id) == Progress::Written
            && self.begun.remove(&id).is_some_and(|begun| begun.is_awaited)
    }

    /// None of the requests that were written will be answered, as far as anybody knows.
    fn fail_all(&mut self, failure: &Failure) {
        let written: Vec<u64> = self.begun.keys().copied().collect();
        for id in written {
            if self.is_answered(id) {
                self.told.push_back(Told::Failed(id, failure.clone()));
            }
        }
    }
}

/// The beginning of something that makes no sense.
fn excerpt(bytes: &[u8]) -> String {
    let start = bytes.get(..256).unwrap_or(bytes);
    String::from_utf8_lossy(start).into_owned()
}

#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
