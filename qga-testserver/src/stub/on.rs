use std::fmt;

use serde_json::Value;

use super::rule::Rule;
use super::{Answer, Stubs, Times};
use crate::{Fault, Request};

/// A stub that is being built: the requests it is for, and how many of them.
///
/// Made by [`TestAgent::on`](crate::TestAgent::on). The last call says what happens to such a
/// request, and only it puts the stub in force, all at once: [`reply`](On::reply),
/// [`error`](On::error), [`reply_with`](On::reply_with), [`fault`](On::fault) or
/// [`pass_through`](On::pass_through).
///
/// ```
/// # use serde_json::json;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let (agent, stream) = qga_testserver::TestAgent::in_memory();
/// # let client = qga_core::Client::new(stream);
/// agent.on("vendor-backup").reply(json!({"percent": 100}));
/// agent.on("vendor-backup").up_to(2).error("GenericError", "busy");
/// agent.on("guest-ping").expect(1).pass_through();
/// # for _ in 0..2 {
/// #     client.execute_raw("vendor-backup", json!({})).await.unwrap_err();
/// # }
/// # client.execute_raw("vendor-backup", json!({})).await.unwrap();
/// # client.execute_raw("guest-ping", json!({})).await.unwrap();
/// # }
/// ```
#[must_use = "the stub is in force once you say what happens: reply, error, reply_with, fault or pass_through"]
pub struct On<'a> {
    stubs: &'a Stubs,
    rule: Rule,
}

impl<'a> On<'a> {
    /// The label is what the test knows the stub by.
    pub(crate) fn new(stubs: &'a Stubs, name: &str, label: String) -> Self {
        let rule = Rule::new(name, label);
        Self { stubs, rule }
    }

    /// Only requests whose arguments the closure says yes to; `Value::Null` stands for none.
    ///
    /// Of several closures all must say yes. A command that only stubs know fails when all of them
    /// refuse, and says so.
    pub fn with(mut self, accepts: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.rule.matchers.push(Box::new(accepts));
        self
    }

    /// The stub is for this many requests at most.
    ///
    /// After them the agent goes on as if the stub were not there; a command that only stubs know
    /// then fails, and says so. Without this a stub is for any number of requests.
    pub fn up_to(mut self, requests: usize) -> Self {
        self.rule.limit = Some(requests);
        self
    }

    /// The test fails unless the stub is used this often: `2`, `1..`, `1..=3`, `..=3`, or `0`.
    ///
    /// [`TestAgent::verify`](crate::TestAgent::verify) counts, and so does the agent when it is
    /// dropped. This changes nothing about what is answered: the stub answers what comes beyond
    /// the expected number too, unless [`up_to`](On::up_to) says otherwise. Only requests that
    /// the stub was used for count, not those that another stub has answered.
    ///
    /// ```should_panic
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (agent, stream) = qga_testserver::TestAgent::in_memory();
    /// # let client = qga_core::Client::new(stream);
    /// agent.on("vendor-restart").expect(1).reply(json!({}));
    /// client.execute_raw("vendor-restart", json!({})).await.unwrap();
    /// client.execute_raw("vendor-restart", json!({})).await.unwrap();
    /// agent.verify(); // panics: vendor-restart: expected 1 request, got 2
    /// # }
    /// ```
    ///
    /// An expectation that can never be met, such as `3..=1` or more than the stub is for, is a
    /// panic as soon as the stub is put in force.
    pub fn expect(mut self, times: impl Into<Times>) -> Self {
        self.rule.expected = Some(times.into());
        self
    }

    /// This goes wrong with each of the stub's replies, whatever they are.
    ///
    /// Of several faults each one acts on what the ones before it made of the reply.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.rule.fault = Some(match self.rule.fault.take() {
            Some(before) => before.and(fault),
            None => fault,
        });
        self
    }

    /// The command returns this value.
    ///
    /// The four commands that answer only with an error (`guest-shutdown` and `guest-suspend-*`)
    /// stay silent instead, as they do in a real agent.
    #[track_caller]
    pub fn reply(self, value: impl Into<Value>) {
        let value = value.into();
        self.reply_with(move |_| value.clone());
    }

    /// The command fails with this class (`GenericError`, `CommandNotFound`) and text.
    #[track_caller]
    pub fn error(self, class: &str, text: &str) {
        let answer = Answer::error(class, text);
        self.reply_with(move |_| answer.clone());
    }

    /// The closure computes the answer: a JSON value to return, or an [`Answer`].
    ///
    /// It runs in the agent's task and must not block. A panic in it, as of an `assert!`, is an
    /// error of the command and fails the test.
    #[track_caller]
    pub fn reply_with<A: Into<Answer>>(
        mut self,
        answer: impl Fn(&Request) -> A + Send + Sync + 'static,
    ) {
        self.rule.answer = Some(Box::new(move |request| answer(request).into()));
        self.mount();
    }

    /// The command does what it would do without this stub, and this goes wrong with the reply.
    ///
    /// Of several such stubs for one request only the latest counts; join faults by
    /// [`Fault::and`].
    #[track_caller]
    pub fn fault(self, fault: Fault) {
        self.with_fault(fault).mount();
    }

    /// The command does what it would do without this stub, which only counts.
    #[track_caller]
    pub fn pass_through(self) {
        self.mount();
    }

    /// Why the stub can never do what is expected of it, if so.
    pub(crate) fn contradiction(&self) -> Option<String> {
        self.rule.contradiction()
    }

    /// Puts the stub in force.
    #[track_caller]
    fn mount(self) {
        #[allow(clippy::panic, reason = "a mistake in the test")]
        if let Some(contradiction) = self.contradiction() {
            panic!("{contradiction}");
        }
        self.stubs.add(self.rule);
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On")
            .field("rule", &self.rule)
            .finish_non_exhaustive()
    }
}
