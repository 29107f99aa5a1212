//! What a client may say of the commands it was given, beside what the agent has run.

use std::collections::HashMap;

use qga_core::{Error, Execution, NoReply, QgaCommand};
use serde_json::Value;

/// Not to be sent twice; the text is its own, so that a reply given to the wrong command is seen.
#[derive(QgaCommand)]
#[qga(name = "test-run", response = Value)]
pub(crate) struct Run {
    pub(crate) text: String,
}

/// May be sent twice.
#[derive(QgaCommand)]
#[qga(name = "test-ask", response = Value, retry = Safe)]
pub(crate) struct Ask {
    pub(crate) text: String,
}

/// Not to be sent twice unless the caller says so.
#[derive(QgaCommand)]
#[qga(name = "test-set", response = Value, retry = AfterResync)]
pub(crate) struct Set {
    pub(crate) text: String,
}

/// Answered only on failure.
#[derive(QgaCommand)]
#[qga(name = "test-quit", no_response)]
pub(crate) struct Quit {
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Once,
    Safe,
    Quit,
}

/// How often a command has run, by what the client said.
#[derive(Clone, Copy, Debug)]
enum Claim {
    Never,
    Exactly,
    AtMostOnce,
    AtLeastOnce,
    Any,
}

/// What was said of each command.
#[derive(Default)]
pub(crate) struct Calls {
    claims: HashMap<String, Claim>,
    pub(crate) answered: u32,
}

impl Calls {
    /// A command whose future was dropped.
    pub(crate) fn dropped(&mut self, text: &str, class: Class) {
        let claim = match class {
            Class::Safe => Claim::Any,
            Class::Once | Class::Quit => Claim::AtMostOnce,
        };
        self.claim(text, claim);
    }

    pub(crate) fn ended(&mut self, text: &str, class: Class, result: Result<Value, Error>) {
        match result {
            Ok(returned) => {
                assert_eq!(returned, text, "a reply went to another command");
                self.answered += 1;
                self.claim(text, ran(class));
            }
            Err(error) => {
                if let Some(error) = error.agent_error() {
                    assert_eq!(error.desc, text, "an error went to another command");
                    self.answered += 1;
                }
                match error.execution() {
                    Execution::NotRun => self.claim(text, Claim::Never),
                    Execution::Answered => self.claim(text, ran(class)),
                    _ => self.dropped(text, class),
                }
            }
        }
    }

    pub(crate) fn quit(&mut self, text: &str, result: Result<NoReply, Error>) {
        match result {
            Ok(NoReply::Replied) => panic!("the agent does not answer this one"),
            Ok(_) => self.dropped(text, Class::Quit),
            Err(error) => self.ended(text, Class::Quit, Err(error)),
        }
    }

    fn claim(&mut self, text: &str, claim: Claim) {
        assert!(self.claims.insert(text.to_owned(), claim).is_none());
    }

    /// Compares what was said with what the agent has run in the end.
    pub(crate) fn compare(&self, ran: &HashMap<String, u32>) {
        for text in ran.keys() {
            assert!(self.claims.contains_key(text), "nobody sent {text}");
        }
        for (text, claim) in &self.claims {
            let times = ran.get(text).copied().unwrap_or_default();
            let holds = match claim {
                Claim::Never => times == 0,
                Claim::Exactly => times == 1,
                Claim::AtMostOnce => times <= 1,
                Claim::AtLeastOnce => times >= 1,
                Claim::Any => true,
            };
            assert!(
                holds,
                "{text} ran {times} times, but the client said {claim:?}"
            );
        }
    }
}

fn ran(class: Class) -> Claim {
    match class {
        Class::Safe => Claim::AtLeastOnce,
        Class::Once | Class::Quit => Claim::Exactly,
    }
}
