use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::stubs::{Matcher, Rule, Stubs};
use crate::{Fault, Request, Times};

/// What a stub answers: a value to return, or an error of the agent.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// The value of the reply's `return`.
    Return(Value),
    /// The reply's `error`.
    Error {
        /// The error's class: `GenericError` or `CommandNotFound`.
        class: String,
        /// The error's text.
        text: String,
    },
}

impl Answer {
    /// An error of this class with this text.
    #[must_use]
    pub fn error(class: &str, text: &str) -> Self {
        Answer::Error {
            class: class.to_owned(),
            text: text.to_owned(),
        }
    }
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Answer::Return(value)
    }
}

/// The first half of a stub: the requests it is for.
///
/// Made by [`TestAgent::on`](crate::TestAgent::on).
#[must_use = "say what happens then: reply, error, reply_with or fault"]
pub struct On<'a> {
    stubs: &'a Stubs,
    name: String,
    matches: Option<Box<Matcher>>,
}

#[allow(
    clippy::must_use_candidate,
    reason = "a stub is in force whether or not it is kept"
)]
impl<'a> On<'a> {
    pub(crate) fn new(stubs: &'a Stubs, name: &str) -> Self {
        Self {
            stubs,
            name: name.to_owned(),
            matches: None,
        }
    }

    /// Only requests whose arguments the closure says yes to; `Value::Null` stands for none.
    pub fn with(mut self, matches: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.matches = Some(Box::new(matches));
        self
    }

    /// The command returns this value.
    ///
    /// The four commands that answer only with an error (`guest-shutdown` and `guest-suspend-*`)
    /// stay silent instead, as they do in a real agent.
    pub fn reply(self, value: impl Into<Value>) -> Stub {
        let value = value.into();
        self.reply_with(move |_| value.clone())
    }

    /// The command fails with this class (`GenericError`, `CommandNotFound`) and text.
    pub fn error(self, class: &str, text: &str) -> Stub {
        let answer = Answer::error(class, text);
        self.reply_with(move |_| answer.clone())
    }

    /// The closure computes the answer: a JSON value to return, or an [`Answer`].
    ///
    /// It runs in the agent's task: it must not block, and a panic in it ends the agent.
    pub fn reply_with<A: Into<Answer>>(
        self,
        answer: impl Fn(&Request) -> A + Send + Sync + 'static,
    ) -> Stub {
        let mut rule = Rule::new(self.name, self.matches);
        rule.answer = Some(Box::new(move |request| answer(request).into()));
        Stub {
            rule: self.stubs.add(rule),
        }
    }

    /// The command does what it would do without this stub, and this goes wrong with the reply.
    ///
    /// Of several such stubs for one request only the latest counts; join faults by
    /// [`Fault::and`].
    pub fn fault(self, fault: Fault) -> Stub {
        let mut rule = Rule::new(self.name, self.matches);
        rule.fault = Some(fault).into();
        Stub {
            rule: self.stubs.add(rule),
        }
    }
}

/// A stub in force. There is no need to keep it.
pub struct Stub {
    rule: Arc<Rule>,
}

impl Stub {
    /// How many requests the stub is for: `2`, `1..`, `1..=3`, `..=3`.
    ///
    /// After the last of them the agent goes on as if the stub were not there. When fewer came,
    /// [`TestAgent::verify`](crate::TestAgent::verify) fails. Without this a stub is for any
    /// number of requests.
    pub fn times(&mut self, times: impl Into<Times>) -> &mut Self {
        self.rule.expect(times.into());
        self
    }

    /// This goes wrong with each of the stub's replies.
    pub fn with_fault(&mut self, fault: Fault) -> &mut Self {
        self.rule.suffer(fault);
        self
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").field("rule", &self.rule).finish()
    }
}
