//! One stub, with its counts.

use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::{Answer, Times};
use crate::lock::lock;
use crate::wire::request::excerpt;
use crate::{Fault, Request};

type Matcher = dyn Fn(&Value) -> bool + Send + Sync;
type Responder = dyn Fn(&Request) -> Answer + Send + Sync;

/// One stub: which requests it is for, and what happens then.
pub(super) struct Rule {
    pub(super) name: String,
    /// What messages about it call it.
    label: String,
    pub(super) matchers: Vec<Box<Matcher>>,
    pub(super) limit: Option<usize>,
    pub(super) expected: Option<Times>,
    pub(super) answer: Option<Box<Responder>>,
    pub(super) fault: Option<Fault>,
    tally: Mutex<Tally>,
}

/// How many requests for its command have reached a stub, and what became of them.
#[derive(Debug, Default)]
struct Tally {
    used: usize,
    refused: usize,
    last_refused: String,
    /// How many came while the command was disabled.
    disabled: usize,
}

impl Rule {
    pub(super) fn new(name: &str, label: String) -> Self {
        Self {
            name: name.to_owned(),
            label,
            matchers: Vec::new(),
            limit: None,
            expected: None,
            answer: None,
            fault: None,
            tally: Mutex::default(),
        }
    }

    /// Says why its expectation can never be met, if so.
    pub(super) fn contradiction(&self) -> Option<String> {
        let Self { name, expected, .. } = self;
        let expected = (*expected)?;
        if expected.is_empty() {
            return Some(format!(
                "the range for the expected number of requests for {name} is empty"
            ));
        }
        let limit = self.limit.filter(|limit| *limit < expected.least())?;
        let limit = Times::from(..=limit);
        Some(format!(
            "the stub for {name} answers {limit}, so it can never get {expected}"
        ))
    }

    pub(super) fn accepts(&self, arguments: &Value) -> bool {
        let accepted = self.matchers.iter().all(|accepts| accepts(arguments));
        if !accepted {
            let mut tally = lock(&self.tally);
            tally.refused += 1;
            tally.last_refused = excerpt(arguments);
        }
        accepted
    }

    /// Counts a request that came while the command was disabled.
    pub(super) fn bypass(&self) {
        lock(&self.tally).disabled += 1;
    }

    /// Counts one use, unless there were enough of them.
    pub(super) fn take(&self) -> bool {
        let mut tally = lock(&self.tally);
        let more = self.limit.is_none_or(|limit| tally.used < limit);
        tally.used += usize::from(more);
        more
    }

    /// Says whether it was used more or less often than expected; later stubs may have answered instead.
    pub(super) fn unmet(&self, later: &[Arc<Rule>]) -> Option<String> {
        let expected = self.expected?;
        let tally = lock(&self.tally);
        if expected.include(tally.used) {
            return None;
        }
        let mut parts = vec![format!("expected {expected}, got {}", tally.used)];
        if tally.used < expected.least() {
            parts.extend(tally.missed());
            let instead = |rule: &&Arc<Rule>| rule.name == self.name && rule.answer.is_some();
            parts.extend(later.iter().filter(instead).filter_map(|rule| rule.uses()));
        }
        Some(format!("{}: {}", self.label, parts.join("; ")))
    }

    /// Says how often it has answered, if it has.
    fn uses(&self) -> Option<String> {
        let used = lock(&self.tally).used;
        let line = format!("the later stub {} got {}", self.label, Times::from(used));
        (used > 0).then_some(line)
    }
}

impl Tally {
    /// Says why requests for its command were not for it, if there were any.
    fn missed(&self) -> impl Iterator<Item = String> {
        let (refused, last) = (self.refused, &self.last_refused);
        let refusals = format!("it did not accept {refused} more, the last with {last}");
        let disabled = format!("the command was disabled for {} more", self.disabled);
        let reasons = [(refused, refusals), (self.disabled, disabled)];
        reasons
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(_, reason)| reason)
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, used {} times", self.label, lock(&self.tally).used)
    }
}
