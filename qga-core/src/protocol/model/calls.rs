//! What the engine has said of each command, beside what the agent has run.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::error::{Error, ErrorKind, Execution};
use crate::protocol::session::Ticket;

#[derive(Default)]
pub(super) struct Calls {
    pub(super) open: BTreeMap<Ticket, Call>,
    /// By the text of each command: what the engine says of its execution.
    said: HashMap<String, Said>,
    count: u64,
}

pub(super) struct Call {
    pub(super) text: String,
    pub(super) deadline: Instant,
    pub(super) hopes_for_silence: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Said {
    Run,
    NotRun,
    MaybeRun,
}

impl Calls {
    /// A text that no other command has.
    pub(super) fn next_text(&mut self) -> String {
        self.count += 1;
        format!("text {}", self.count)
    }

    pub(super) fn replied(&mut self, ticket: Ticket, reply: &str) {
        let call = self.open.remove(&ticket).expect("a reply to nobody");
        assert!(!call.hopes_for_silence);
        assert_eq!(reply, call.text, "a reply to another command");
        self.said.insert(call.text, Said::Run);
    }

    pub(super) fn ended_without_reply(&mut self, ticket: Ticket) {
        let call = self.open.remove(&ticket).expect("no reply to nobody");
        assert!(call.hopes_for_silence, "it is to be answered");
        self.said.insert(call.text, Said::MaybeRun);
    }

    pub(super) fn failed(&mut self, ticket: Ticket, error: &Error, now: Instant) {
        let call = self.open.remove(&ticket).expect("an error of nobody");
        if let ErrorKind::Agent(agent) = error.kind() {
            assert_eq!(agent.desc, call.text, "an error of another command");
        }
        if error.is_timeout() {
            assert!(now >= call.deadline, "too early");
        }
        self.knows(call.text, error.execution());
    }

    pub(super) fn cancelled(&mut self, ticket: Ticket, execution: Execution) {
        if let Some(call) = self.open.remove(&ticket) {
            self.knows(call.text, execution);
        }
    }

    fn knows(&mut self, text: String, execution: Execution) {
        let said = match execution {
            Execution::NotRun => Said::NotRun,
            Execution::MaybeRun => Said::MaybeRun,
            Execution::Answered => Said::Run,
        };
        self.said.insert(text, said);
    }

    pub(super) fn assert_none_is_overdue(&self, now: Instant) {
        for call in self.open.values() {
            assert!(now <= call.deadline, "{} is overdue", call.text);
        }
    }

    pub(super) fn compare(&self, ran: &HashMap<String, u32>) {
        for (text, said) in &self.said {
            let times = ran.get(text).copied().unwrap_or_default();
            assert!(times <= 1, "{text} ran {times} times");
            match said {
                Said::Run => assert_eq!(times, 1, "{text} was answered"),
                Said::NotRun => assert_eq!(times, 0, "{text} was said not to have run"),
                Said::MaybeRun => {}
            }
        }
    }
}
