use std::fmt;
use std::sync::{Arc, Mutex};

use super::Answer;
use super::rule::Rule;
use crate::lock::lock;
use crate::wire::request::excerpt;
use crate::{Fault, Request};

/// All stubs of an agent, the earliest first.
#[derive(Default)]
pub(crate) struct Stubs {
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// What the stubs say about one request.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// The answer of a stub, if one has answered.
    pub(crate) answer: Option<Answer>,
    /// The fault that spoils the reply.
    pub(crate) fault: Option<Fault>,
    /// How many stubs have an answer, but not for these arguments.
    refusing: usize,
    /// How many stubs have answered as often as they may.
    used_up: usize,
}

impl Stubs {
    pub(super) fn add(&self, rule: Rule) {
        lock(&self.rules).push(Arc::new(rule));
    }

    pub(crate) fn clear(&self) {
        lock(&self.rules).clear();
    }

    /// The names of the commands that stubs answer, the earliest stub first.
    pub(crate) fn names(&self) -> Vec<String> {
        let rules = lock(&self.rules);
        rules
            .iter()
            .filter(|rule| rule.answer.is_some())
            .map(|rule| rule.name.clone())
            .collect()
    }

    /// Takes the fault of the latest stub that is for this request, and the answer of the latest one that has one.
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

    /// Counts a request that no stub sees because the command is disabled.
    pub(crate) fn bypass(&self, command: &str) {
        let rules = lock(&self.rules);
        for rule in rules.iter().filter(|rule| rule.name == command) {
            rule.bypass();
        }
    }

    /// Whether the fault of some stub resets the connection.
    pub(crate) fn reset_ahead(&self) -> bool {
        let resets = |rule: &Arc<Rule>| rule.fault.as_ref().is_some_and(Fault::resets);
        lock(&self.rules).iter().any(resets)
    }

    /// Returns a line for each stub that was not used as often as expected.
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
    /// Says why none of the stubs for the command has answered, if there are any.
    pub(crate) fn excuse(&self, request: &Request) -> Option<String> {
        let arguments = || excerpt(&request.arguments);
        let all = self.refusing + self.used_up;
        let name = &request.name;
        Some(match (self.refusing, self.used_up) {
            (0, 0) => return None,
            (1, 0) => format!("the stub for {name} does not accept {}", arguments()),
            (_, 0) => format!("none of the {all} stubs for {name} accepts {}", arguments()),
            (0, 1) => format!("the stub for {name} has answered as often as it may"),
            (0, _) => format!("all {all} stubs for {name} have answered as often as they may"),
            (refusing, used_up) => format!(
                "none of the {all} stubs for {name} answers: the arguments {} do not suit {refusing}, \
                 and {used_up} answered as often as allowed",
                arguments()
            ),
        })
    }
}

impl fmt::Debug for Stubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.rules).iter()).finish()
    }
}
