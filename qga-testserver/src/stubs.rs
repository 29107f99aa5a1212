use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::state::lock;
use crate::{Answer, Fault, Request, Times};

pub(crate) type Matcher = dyn Fn(&Value) -> bool + Send + Sync;
type Responder = dyn Fn(&Request) -> Answer + Send + Sync;

/// All stubs of an agent, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct Stubs {
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// One stub: which requests it is for, and what happens then.
pub(crate) struct Rule {
    name: String,
    matches: Option<Box<Matcher>>,
    pub(crate) answer: Option<Box<Responder>>,
    pub(crate) fault: Mutex<Option<Fault>>,
    count: Mutex<Count>,
}

#[derive(Clone, Copy, Debug)]
struct Count {
    wanted: Times,
    done: usize,
}

/// What the stubs say about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The answer, if a stub has one; else the agent's own.
    pub(crate) answer: Option<Answer>,
    /// What goes wrong with it.
    pub(crate) fault: Option<Fault>,
}

impl Stubs {
    pub(crate) fn add(&self, rule: Rule) -> Arc<Rule> {
        let rule = Arc::new(rule);
        lock(&self.rules).push(Arc::clone(&rule));
        rule
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
        for rule in rules.iter().rev() {
            let superseded = rule.answer.is_none() && verdict.fault.is_some();
            if superseded || !rule.is_for(request) || !rule.take() {
                continue;
            }
            if verdict.fault.is_none() {
                verdict.fault.clone_from(&lock(&rule.fault));
            }
            if let Some(answer) = &rule.answer {
                verdict.answer = Some(answer(request));
                break;
            }
        }
        verdict
    }

    /// Whether the fault of some stub resets the connection.
    pub(crate) fn reset_ahead(&self) -> bool {
        let resets = |rule: &Arc<Rule>| lock(&rule.fault).as_ref().is_some_and(Fault::resets);
        lock(&self.rules).iter().any(resets)
    }

    /// A line for each stub that was used too rarely.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let rules = lock(&self.rules);
        let unmet = |rule: &Arc<Rule>| {
            let Count { wanted, done } = *lock(&rule.count);
            let line = format!("{}: wanted {wanted}, got {done}", rule.name);
            (!wanted.are_reached(done)).then_some(line)
        };
        rules.iter().filter_map(unmet).collect()
    }
}

impl Rule {
    pub(crate) fn new(name: String, matches: Option<Box<Matcher>>) -> Self {
        let count = Count {
            wanted: Times::ANY,
            done: 0,
        };
        Self {
            name,
            matches,
            answer: None,
            fault: Mutex::default(),
            count: count.into(),
        }
    }

    pub(crate) fn expect(&self, times: Times) {
        lock(&self.count).wanted = times;
    }

    pub(crate) fn suffer(&self, fault: Fault) {
        let mut held = lock(&self.fault);
        *held = Some(match held.take() {
            Some(before) => before.and(fault),
            None => fault,
        });
    }

    fn is_for(&self, request: &Request) -> bool {
        self.name == request.name
            && self
                .matches
                .as_ref()
                .is_none_or(|matches| matches(&request.arguments))
    }

    /// Counts one use, unless there were enough of them.
    fn take(&self) -> bool {
        let mut count = lock(&self.count);
        let more = count.wanted.allow_another(count.done);
        count.done += usize::from(more);
        more
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("name", &self.name)
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
