use std::fmt;

use serde_json::Value;

use super::rule::Rule;
use super::{Answer, Stubs, Times};
use crate::{Fault, Request};

/// A stub that is being built: which requests it is for, and how many of them.
///
/// [`TestAgent::on`](crate::TestAgent::on) begins one. The last call says what happens to such a
/// request: [`reply`](On::reply), [`error`](On::error), [`reply_with`](On::reply_with),
/// [`fault`](On::fault) or [`pass_through`](On::pass_through). The stub takes effect with that call
/// and not before.
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
#[must_use = "the stub takes effect once you say what happens: reply, error, reply_with, fault or pass_through"]
pub struct On<'a> {
    stubs: &'a Stubs,
    rule: Rule,
}

impl<'a> On<'a> {
    /// Begins a stub; messages about it use the label.
    pub(crate) fn new(stubs: &'a Stubs, name: &str, label: String) -> Self {
        let rule = Rule::new(name, label);
        Self { stubs, rule }
    }

    /// Limits the stub to requests whose arguments the closure accepts. It gets `Value::Null` when a
    /// request has no arguments.
    ///
    /// If there are several closures, all of them must accept. If the agent does not know the command
    /// itself and no stub accepts the request, the command fails with an error that says so.
    pub fn with(mut self, accepts: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.rule.matchers.push(Box::new(accepts));
        self
    }

    /// Limits the stub to this many requests. Without this call it is for any number of them.
    ///
    /// After that the agent goes on as if the stub were not there. If the agent does not know the
    /// command itself, the command then fails with an error that says so.
    pub fn up_to(mut self, requests: usize) -> Self {
        self.rule.limit = Some(requests);
        self
    }

    /// Makes the test fail unless the stub is used this often: `2`, `1..`, `1..=3`, `..=3`, or `0`.
    ///
    /// [`TestAgent::verify`](crate::TestAgent::verify) checks this, and so does the agent when it is
    /// dropped. This does not change what the stub answers: unless [`up_to`](On::up_to) limits it, the
    /// stub also answers more requests than expected. A request that another stub has answered does
    /// not count.
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
    /// The call that makes the stub take effect panics if the expectation can never be met: if the range
    /// is empty, such as `3..=1`, or begins above the limit of [`up_to`](On::up_to).
    pub fn expect(mut self, times: impl Into<Times>) -> Self {
        self.rule.expected = Some(times.into());
        self
    }

    /// Spoils each of the stub's replies with this fault.
    ///
    /// If there are several faults, each one acts on what the ones before it have made of the reply.
    pub fn with_fault(mut self, fault: Fault) -> Self {
        self.rule.fault = Some(match self.rule.fault.take() {
            Some(before) => before.and(fault),
            None => fault,
        });
        self
    }

    /// Lets the command return this value.
    ///
    /// The four commands that answer only when they fail (`guest-shutdown` and `guest-suspend-*`) stay
    /// silent instead, as they do in a real agent.
    #[track_caller]
    pub fn reply(self, value: impl Into<Value>) {
        let value = value.into();
        self.reply_with(move |_| value.clone());
    }

    /// Lets the command fail with an error of this class (`GenericError` or `CommandNotFound`) and text.
    #[track_caller]
    pub fn error(self, class: &str, text: &str) {
        let answer = Answer::error(class, text);
        self.reply_with(move |_| answer.clone());
    }

    /// Lets the closure compute the answer: a JSON value to return, or an [`Answer`].
    ///
    /// The closure runs in the agent's task and must not block. If it panics, as a failed `assert!`
    /// does, the command fails and so does the test.
    #[track_caller]
    pub fn reply_with<A: Into<Answer>>(
        mut self,
        answer: impl Fn(&Request) -> A + Send + Sync + 'static,
    ) {
        self.rule.answer = Some(Box::new(move |request| answer(request).into()));
        self.mount();
    }

    /// Lets the command do what it would do without this stub, and spoils the reply with this fault.
    ///
    /// If several such stubs are for the same request, only the latest one counts. Use [`Fault::and`]
    /// to join faults.
    #[track_caller]
    pub fn fault(self, fault: Fault) {
        self.with_fault(fault).mount();
    }

    /// Lets the command do what it would do without this stub, which then only counts requests.
    #[track_caller]
    pub fn pass_through(self) {
        self.mount();
    }

    /// Says why the expectation of this stub can never be met, if so.
    pub(crate) fn contradiction(&self) -> Option<String> {
        self.rule.contradiction()
    }

    /// Makes the stub take effect.
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
