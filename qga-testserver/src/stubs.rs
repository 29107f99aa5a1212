use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::lock::lock;
use crate::wire::request::excerpt;
use crate::{Answer, Fault, Request, Times};

type Matcher = dyn Fn(&Value) -> bool + Send + Sync;
type Responder = dyn Fn(&Request) -> Answer + Send + Sync;

/// All stubs of an agent, the earliest first.
#[derive(Default)]
pub(crate) struct Stubs {
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// One stub: which requests it is for, and what happens then.
pub(crate) struct Rule {
    name: String,
    /// What the test knows it by.
    label: String,
    pub(crate) matchers: Vec<Box<Matcher>>,
    pub(crate) limit: Option<usize>,
    pub(crate) expected: Option<Times>,
    pub(crate) answer: Option<Box<Responder>>,
    pub(crate) fault: Option<Fault>,
    tally: Mutex<Tally>,
}

/// The requests for a stub's command that came as far as the stub.
#[derive(Debug, Default)]
struct Tally {
    used: usize,
    refused: usize,
    last_refused: String,
    /// Requests that came while the command was disabled.
    disabled: usize,
}

/// What the stubs say about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The answer, if a stub has one; else the agent's own.
    pub(crate) answer: Option<Answer>,
    /// What goes wrong with it.
    pub(crate) fault: Option<Fault>,
    /// How many stubs have answers for other arguments.
    refusing: usize,
    /// How many stubs have answered as often as they may.
    used_up: usize,
}

impl Stubs {
    pub(crate) fn add(&self, rule: Rule) {
        lock(&self.rules).push(Arc::new(rule));
    }

    pub(crate) fn clear(&self) {
        lock(&self.rules).clear();
    }

    /// The names that stubs answer for, the earliest first.
    pub(crate) fn names(&self) -> Vec<String> {
        let rules = lock(&self.rules);
        rules
            .iter()
            .filter(|rule| rule.answer.is_some())
            .map(|rule| rule.name.clone())
            .collect()
    }

    /// The latest stub that is for this request, and the latest one below it that has an answer.
    pub(crate) fn judge(&self, request: &Request) -> Verdict {
        // The closures may use the agent, so no lock is held while they run.
        let rules = lock(&self.rules).clone();
        let mut verdict = Verdict::default();
        for rule in rules.iter().rev().filter(|rule| rule.name == request.name) {
            let spoils_only = rule.answer.is_none() && rule.fault.is_some();
            if spoils_only && verdict.fault.is_some() {
                continue;
            }
            if !rule.accepts(&request.arguments) {
                verdict.refusing += usize::from(rule.answer.is_some());
                continue;
            }
            if !rule.take() {
                verdict.used_up += usize::from(rule.answer.is_some());
                continue;
            }
            if verdict.fault.is_none() {
                verdict.fault.clone_from(&rule.fault);
            }
            if let Some(answer) = &rule.answer {
                verdict.answer = Some(answer(request));
                break;
            }
        }
        verdict
    }

    /// Takes down a request that no stub sees because the command is disabled.
    pub(crate) fn bypass(&self, command: &str) {
        let rules = lock(&self.rules);
        for rule in rules.iter().filter(|rule| rule.name == command) {
            lock(&rule.tally).disabled += 1;
        }
    }

    /// Whether the fault of some stub resets the connection.
    pub(crate) fn reset_ahead(&self) -> bool {
        let resets = |rule: &Arc<Rule>| rule.fault.as_ref().is_some_and(Fault::resets);
        lock(&self.rules).iter().any(resets)
    }

    /// A line for each stub that was not used as often as expected.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let rules = lock(&self.rules);
        let numbered = rules.iter().enumerate();
        let unmet = numbered.filter_map(|(number, rule)| {
            let later = rules.get(number + 1..).unwrap_or_default();
            rule.unmet(later)
        });
        unmet.collect()
    }
}

impl Verdict {
    /// Why none of the stubs for the command has answered; nothing if there is none.
    pub(crate) fn excuse(&self, request: &Request) -> Option<String> {
        let arguments = || excerpt(&request.arguments);
        let all = self.refusing + self.used_up;
        let stubs = if all == 1 { "stub" } else { "stubs" };
        let head = format!("{all} {stubs} for {}", request.name);
        match (self.refusing, self.used_up) {
            (0, 0) => None,
            (_, 0) => Some(format!("{head}, none accepts {}", arguments())),
            (0, _) => Some(format!("{head}, none is for another request")),
            (refusing, used_up) => Some(format!(
                "{head}: {refusing} not for {}, {used_up} not for another request",
                arguments()
            )),
        }
    }
}

impl Rule {
    pub(crate) fn new(name: &str, label: String) -> Self {
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

    /// Why it can never do what is expected of it, if so.
    pub(crate) fn contradiction(&self) -> Option<String> {
        let Self { name, expected, .. } = self;
        let expected = (*expected)?;
        if expected.is_empty() {
            return Some(format!("no number of requests for {name} is in the range"));
        }
        let limit = self.limit.filter(|limit| *limit < expected.least())?;
        Some(format!(
            "a stub for up to {limit} of the requests for {name} cannot get {expected}"
        ))
    }

    fn accepts(&self, arguments: &Value) -> bool {
        let accepted = self.matchers.iter().all(|accepts| accepts(arguments));
        if !accepted {
            let mut tally = lock(&self.tally);
            tally.refused += 1;
            tally.last_refused = excerpt(arguments);
        }
        accepted
    }

    /// Counts one use, unless there were enough of them.
    fn take(&self) -> bool {
        let mut tally = lock(&self.tally);
        let more = self.limit.is_none_or(|limit| tally.used < limit);
        tally.used += usize::from(more);
        more
    }

    /// What is wrong with how often it was used; later stubs may have answered in its place.
    fn unmet(&self, later: &[Arc<Rule>]) -> Option<String> {
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

    /// What it has answered, if anything.
    fn uses(&self) -> Option<String> {
        let used = lock(&self.tally).used;
        let line = format!("the later stub {} got {}", self.label, Times::from(used));
        (used > 0).then_some(line)
    }
}

impl Tally {
    /// Why requests for its command were not for it, if there were any.
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

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.rules).iter()).finish()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, used {} times", self.label, lock(&self.tally).used)
    }
}
