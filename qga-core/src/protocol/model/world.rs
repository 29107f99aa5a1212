//! The channel, the time, and a driver that moves bytes in pieces of any size.

use std::collections::VecDeque;
use std::io;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::agent::{Act, Agent};
use super::calls::{Call, Calls};
use super::{Kind, Random};
use crate::command::{CommandSpec, Reply};
use crate::protocol::limits::{ReplyLimits, SyncBudget};
use crate::protocol::message::Request;
use crate::protocol::session::{Budget, Event, Session, Ticket};

/// The beginning of all times: only what is added to it counts.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

const GRACE: Duration = Duration::from_secs(1);
const REPLY_LIMIT: usize = 4096;

pub(super) struct World {
    random: Random,
    now: Instant,
    session: Session,
    agent: Agent,
    /// Written by the host and not yet read by the agent.
    to_agent: VecDeque<u8>,
    /// What the agent is to do, one after the other.
    acts: VecDeque<Act>,
    agent_sleeps_until: Instant,
    /// Said by the agent and not yet read by the host.
    to_host: VecDeque<u8>,
    /// The agent's end is closed: whether by a reset.
    ended: Option<bool>,
    /// The other side takes nothing for now.
    is_clogged: bool,
    calls: Calls,
    events: Vec<String>,
}

impl World {
    pub(super) fn new(seed: u64, kind: Kind) -> Self {
        let mut random = Random::from_seed(seed);
        Self {
            now: *START,
            session: Session::bytes(Random::from_seed(random.token())),
            agent: Agent::new(!seed, kind),
            to_agent: VecDeque::new(),
            acts: VecDeque::new(),
            agent_sleeps_until: *START,
            to_host: VecDeque::new(),
            ended: None,
            is_clogged: false,
            calls: Calls::default(),
            events: Vec::new(),
            random,
        }
    }

    /// Does one thing that a host may do.
    pub(super) fn step(&mut self) {
        if self.session.is_closed() && self.calls.open.is_empty() {
            self.open_channel();
        }
        self.is_clogged = self.agent.kind.is_faulty && self.random.percent(5);
        match self.random.below(100) {
            0..60 => {
                let ticket = self.submit();
                self.drive_until(|world| !world.calls.open.contains_key(&ticket));
            }
            60..75 => {
                for _ in 0..=self.random.below(4) {
                    self.submit();
                }
                self.drive_until(|world| world.calls.open.is_empty());
            }
            75..90 => {
                let ticket = self.submit();
                let moves = self.random.below(40);
                self.drive(moves);
                self.cancel(ticket);
            }
            90..95 => {
                for _ in 0..=self.random.below(3) {
                    self.submit();
                }
                let moves = self.random.below(60);
                self.drive(moves);
                self.cancel_all();
            }
            _ => self.sleep(),
        }
    }

    /// Nothing goes wrong any more, and what was begun may end; then the next command must succeed.
    pub(super) fn finish(mut self) -> Vec<String> {
        self.is_clogged = false;
        self.drive_until(|world| world.calls.open.is_empty());
        self.agent.kind.is_faulty = false;
        if self.session.is_closed() {
            self.open_channel();
        }
        let mut succeeded = false;
        // An agent may be killed by what it was about to do, and may refuse a command.
        for _ in 0..20 {
            let ticket = self.submit_within(60_000, false);
            self.drive_until(|world| !world.calls.open.contains_key(&ticket));
            if self
                .events
                .last()
                .is_some_and(|event| event.contains("replied"))
            {
                succeeded = true;
                break;
            }
            let last = self.events.last().unwrap();
            assert!(
                last.contains("GenericError")
                    || last.contains("CommandNotFound")
                    || self.session.is_closed(),
                "nothing goes wrong any more, but: {last}"
            );
            if self.session.is_closed() {
                self.open_channel();
            }
        }
        assert!(succeeded, "no command succeeded: {:?}", self.events);
        // The agent may still run what it has got.
        self.now += Duration::from_secs(600);
        while self.agent_moves() {}
        self.calls.compare(&self.agent.ran);
        self.events
    }

    fn submit(&mut self) -> Ticket {
        let most = if self.random.percent(20) { 300 } else { 10_000 };
        let milliseconds = 1 + self.random.below(most);
        let quits = self.random.percent(10);
        self.submit_within(milliseconds, quits)
    }

    fn submit_within(&mut self, milliseconds: u64, quits: bool) -> Ticket {
        let text = self.calls.next_text();
        let timeout = Duration::from_millis(milliseconds);
        let deadline = self.now + timeout;
        let (name, reply) = if quits {
            ("test-quit", Reply::OnErrorOnly)
        } else {
            ("test-echo", Reply::Always)
        };
        let request = Request::new(name, Some(&json!({"text": text}))).unwrap();
        let reply_limits = ReplyLimits {
            bytes: REPLY_LIMIT,
            ..ReplyLimits::DEFAULT
        };
        let budget = Budget {
            deadline,
            timeout,
            is_shared: false,
            reply_millis: None,
            grace: GRACE,
            reply: reply_limits,
            sync: SyncBudget::DEFAULT,
        };
        let spec = CommandSpec::new(name).reply(reply);
        let ticket = self.session.submit(&spec, request, &budget);
        let call = Call {
            text,
            deadline,
            hopes_for_silence: quits,
        };
        self.calls.open.insert(ticket, call);
        ticket
    }

    fn cancel(&mut self, ticket: Ticket) {
        let is_open = self.calls.open.contains_key(&ticket);
        let execution = self.session.cancel(ticket);
        if is_open {
            self.events
                .push(format!("{ticket:?} cancelled: {execution:?}"));
            self.calls.cancelled(ticket, execution);
        }
    }

    fn cancel_all(&mut self) {
        let mut open: Vec<_> = self.calls.open.keys().copied().collect();
        if self.random.percent(50) {
            open.reverse();
        }
        for ticket in open {
            self.cancel(ticket);
        }
    }

    fn sleep(&mut self) {
        self.now += Duration::from_millis(self.random.below(5_000));
        while self.agent_moves() {}
    }

    /// A new channel to the same agent.
    fn open_channel(&mut self) {
        self.session = Session::bytes(Random::from_seed(self.random.token()));
        self.ended = None;
        if self.random.percent(50) {
            self.to_agent.clear();
        }
        if self.random.percent(70) {
            self.to_host.clear();
        }
    }

    fn drive(&mut self, moves: u64) {
        for _ in 0..moves {
            self.drive_once();
        }
    }

    fn drive_until(&mut self, is_over: impl Fn(&Self) -> bool) {
        while !is_over(self) {
            self.drive_once();
            self.calls.assert_none_is_overdue(self.now);
        }
    }

    /// What a driver does in one turn.
    fn drive_once(&mut self) {
        if let Some(event) = self.session.poll() {
            return self.take(event);
        }
        let wrote = self.write();
        let read = self.read();
        if !wrote && !read && !self.agent_moves() {
            self.wait();
        }
        if self.random.percent(30) {
            self.session.handle_timeout(self.now);
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Reply(ticket) => match self.session.reply_as::<Value>(ticket) {
                Ok(value) => {
                    let text = value.as_str().unwrap();
                    self.events.push(format!("{ticket:?} replied {text}"));
                    self.calls.replied(ticket, text);
                }
                Err(error) => self.fail(ticket, &error),
            },
            Event::NoReply(ticket, how) => {
                self.events.push(format!("{ticket:?} {how:?}"));
                self.calls.ended_without_reply(ticket);
            }
            Event::Synchronized(ticket) => panic!("nobody asked for {ticket:?}"),
            Event::Failed(ticket, error) => self.fail(ticket, &error),
            Event::Passed => {}
        }
    }

    fn fail(&mut self, ticket: Ticket, error: &crate::Error) {
        let execution = error.execution();
        self.events
            .push(format!("{ticket:?} {error} {execution:?}"));
        self.calls.failed(ticket, error, self.now);
    }

    fn write(&mut self) -> bool {
        if !self.session.wants_write() || self.is_clogged {
            return false;
        }
        let bytes = self.session.transmit();
        if self.ended.is_some() && !bytes.is_empty() {
            self.session
                .transmit_failed(io::ErrorKind::BrokenPipe.into());
            return true;
        }
        let count = self.random.size(bytes.len() + 1).max(bytes.len().min(1));
        self.to_agent.extend(&bytes[..count]);
        self.session.transmitted(count);
        if self.session.transmit().is_empty() {
            self.session.flushed(|| self.now);
        }
        true
    }

    fn read(&mut self) -> bool {
        if !self.to_host.is_empty() {
            let spare = self.session.spare();
            let most = self.to_host.len().min(spare.len()).min(500);
            let count = 1 + self.random.size(most);
            let count = count.min(most);
            for (to, from) in spare.iter_mut().zip(self.to_host.drain(..count)) {
                *to = from;
            }
            self.session.received(count);
            return true;
        }
        if self.session.is_closed() {
            return false;
        }
        match self.ended {
            Some(true) => self
                .session
                .closed(Some(io::ErrorKind::ConnectionReset.into())),
            Some(false) => self.session.closed(None),
            None if self.session.is_broken() => self.session.closed(None),
            None => return false,
        }
        true
    }

    /// Lets the agent do one thing; whether it did.
    fn agent_moves(&mut self) -> bool {
        if self.now < self.agent_sleeps_until {
            return false;
        }
        match self.acts.pop_front() {
            Some(Act::Say(bytes)) if self.ended.is_none() => self.to_host.extend(bytes),
            Some(Act::Pause(time)) => {
                self.agent_sleeps_until = self.now + Duration::from_millis(time);
            }
            Some(Act::End(is_reset)) => {
                self.ended = Some(is_reset);
                if is_reset {
                    self.to_host.clear();
                }
            }
            Some(Act::Say(_)) => {}
            None => match self.to_agent.pop_front() {
                Some(byte) => self.acts.extend(self.agent.take(byte)),
                None => return false,
            },
        }
        true
    }

    /// Nothing moves: time passes until something does.
    fn wait(&mut self) {
        let timeout = self.session.poll_timeout();
        let agent = Some(self.agent_sleeps_until).filter(|end| *end > self.now);
        match timeout.into_iter().chain(agent).min() {
            Some(next) => self.now = self.now.max(next),
            None => self.now += Duration::from_millis(1),
        }
        self.session.handle_timeout(self.now);
    }
}
