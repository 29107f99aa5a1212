//! Decides how a request is answered: by a refusal, a stub or a command.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::command::{Call, Command};
use super::commands;
use super::session::Session;
use super::shared::Shared;
use crate::agent::delivery::Delivery;
use crate::commands::arguments;
use crate::wire::json::{Message, Object, Value, text};
use crate::wire::reply::{Failure, Outcome, Reply};
use crate::{Answer, Fault, Request};

/// What a client wants, or why nobody knows.
pub(super) struct Order {
    envelope: Result<Object, Failure>,
    raw: Vec<u8>,
    cost: usize,
}

impl Order {
    pub(super) fn new(message: Message) -> Self {
        let envelope = match message.outcome {
            Ok(Value::Object(envelope)) => Ok(envelope),
            Ok(_) => Err(Failure::generic("QMP input must be a JSON object")),
            Err(fault) => Err(Failure::generic(fault)),
        };
        Self {
            envelope,
            raw: message.raw,
            cost: message.cost,
        }
    }

    /// Whether it is to be carried out before those that came earlier.
    pub(super) fn overtakes(&self) -> bool {
        let envelope = self.envelope.as_ref().ok();
        envelope.is_some_and(|envelope| {
            envelope.get("exec-oob").is_some() && envelope.get("execute").is_none()
        })
    }
}

/// Does what a client wants, and says how it is answered.
pub(super) fn carry_out(order: Order, session: &Session, shared: &Arc<Shared>) -> Delivery {
    let spell = |reply: Reply| shared.spell_wire(&reply.into());
    let mut envelope = match order.envelope {
        Ok(envelope) => envelope,
        Err(failure) => return Delivery::new(Some(failure.into()), &[], spell),
    };
    let called = Called::of(&envelope, session);
    let arguments = envelope.take("arguments");
    let id = envelope.take("id");
    let reply = |outcome: Outcome| Reply {
        outcome,
        id: id.clone(),
        delimited: false,
    };
    let called = match called {
        Ok(called) => called,
        Err(failure) => {
            return Delivery::new(Some(reply(Err(failure))), &shared.faults.take(), spell);
        }
    };
    let request = Arc::new(Request {
        name: text(&called.name),
        arguments: arguments
            .as_ref()
            .map_or(serde_json::Value::Null, Value::to_json),
        id: id.as_ref().map(Value::to_json),
        raw: order.raw,
    });
    shared.arrivals.record(Arc::clone(&request), order.cost);
    let run = || called.outcome(arguments, &request, session, shared);
    let carried_out = shared.complaints.guard(&request, run);
    let (outcome, fault) = carried_out.unwrap_or_else(|failure| (Err(failure), None));
    let faults: Vec<_> = fault.into_iter().chain(shared.faults.take()).collect();
    let spoilt = shared.complaints.guard(&request, || {
        Delivery::new(Some(reply(outcome)), &faults, spell)
    });
    spoilt.unwrap_or_else(|failure| Delivery::new(Some(reply(Err(failure))), &[], spell))
}

/// The command that a request names.
struct Called {
    name: Vec<u8>,
    overtakes: bool,
}

impl Called {
    /// Checks the request's own members, in the order in which QEMU's dictionary holds them.
    fn of(envelope: &Object, session: &Session) -> Result<Self, Failure> {
        let mut called = None;
        for (name, value) in envelope.in_wire_order() {
            let overtakes = name == b"exec-oob";
            let is_command = name == b"execute" || (overtakes && session.may_overtake());
            let wrong = match (name, value) {
                (_, Value::String(_)) if is_command && called.is_some() => "is unexpected",
                (_, Value::String(name)) if is_command => {
                    let name = name.clone();
                    called = Some(Self { name, overtakes });
                    continue;
                }
                (b"arguments", Value::Object(_)) | (b"id", _) => continue,
                _ if is_command => "must be a string",
                (b"arguments", _) => "must be an object",
                _ => "is unexpected",
            };
            let text = [b"QMP input member '", name, b"' ", wrong.as_bytes()].concat();
            return Err(Failure::generic(text));
        }
        called.ok_or_else(|| Failure::generic("QMP input lacks member 'execute'"))
    }

    /// What the command returns, and a fault that spoils the reply.
    fn outcome(
        &self,
        arguments: Option<Value>,
        request: &Request,
        session: &Session,
        shared: &Arc<Shared>,
    ) -> (Outcome, Option<Fault>) {
        let command = commands::find(&request.name);
        if let Some(refusal) = self.refusal(command, session) {
            shared.stubs.bypass(&request.name);
            return (Err(refusal), None);
        }
        let mut verdict = shared.stubs.judge(request);
        let outcome = match (verdict.answer.take(), command) {
            (Some(Answer::Return(value)), _) => Ok(Value::from(&value)),
            (Some(Answer::Error { class, text }), _) => Err(Failure::new(class, text)),
            (None, Some(command)) => run(command, arguments, request, session, shared),
            (None, None) => Err(match verdict.excuse(request) {
                Some(excuse) => Failure::generic(excuse),
                None => self.unknown(),
            }),
        };
        (outcome, verdict.fault)
    }

    fn refusal(&self, command: Option<&Command>, session: &Session) -> Option<Failure> {
        let is_negotiation = self.name == b"qmp_capabilities";
        let text = match session.has_negotiated.load(Ordering::Relaxed) {
            false if !is_negotiation => {
                "Expecting capabilities negotiation with 'qmp_capabilities'"
            }
            true if is_negotiation => {
                "Capabilities negotiation is already complete, command ignored"
            }
            _ => {
                let may_not = self.overtakes && command.is_some_and(|command| !command.overtakes);
                let text = [b"The command ", &*self.name, b" does not support OOB"].concat();
                return may_not.then(|| Failure::generic(text));
            }
        };
        Some(Failure::not_found(text))
    }

    fn unknown(&self) -> Failure {
        Failure::not_found([b"The command ", &*self.name, b" has not been found"].concat())
    }
}

fn run(
    command: &Command,
    arguments: Option<Value>,
    request: &Request,
    session: &Session,
    shared: &Arc<Shared>,
) -> Outcome {
    let given = match arguments {
        Some(Value::Object(arguments)) => arguments,
        _ => Object::default(),
    };
    if let Some(parameters) = command.parameters {
        arguments::check(&given, parameters, shared.version())?;
    }
    let call = Call {
        arguments: &request.arguments,
        session,
        shared,
    };
    (command.run)(&call).map(|value| Value::from(&value))
}
