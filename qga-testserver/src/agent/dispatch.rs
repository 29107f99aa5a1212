//! Decides how a message is answered: by a refusal, a stub, the cassette or a command.

use std::sync::Arc;

use super::delivery::{Delivery, line};
use super::state::State;
use crate::cassette::RecordedReply;
use crate::commands::{self, Context, Policy, arguments};
use crate::lock::lock;
use crate::stub::Verdict;
use crate::wire::json::{Message, Object, Value, text};
use crate::wire::reply::{Failure, Outcome, Reply};
use crate::{Answer, Fault, Request, RequestIds};

/// Decides what the agent does about one message.
pub(crate) fn answer(state: &State, message: Message) -> Delivery {
    match message.outcome {
        Err(fault) => Delivery::new(Some(Failure::generic(fault).into()), &[], line),
        Ok(Value::Object(envelope)) => carry_out(state, envelope, message.raw, message.cost),
        Ok(_) => {
            let failure = Failure::generic("QMP input must be a JSON object");
            Delivery::new(Some(failure.into()), &[], line)
        }
    }
}

fn carry_out(state: &State, mut envelope: Object, raw: Vec<u8>, cost: usize) -> Delivery {
    let settings = lock(&state.settings).clone();
    let ids = settings.ids();
    let called = command_name(&envelope, ids);
    let arguments = envelope.take("arguments");
    let id = envelope.take("id");
    let echoed = || id.clone().filter(|_| ids == RequestIds::Echoed);
    let name = match called {
        Ok(name) => name,
        Err(failure) => {
            let reply = Reply {
                id: echoed(),
                ..failure.into()
            };
            return Delivery::new(Some(reply), &state.faults.take(), line);
        }
    };
    let request = Arc::new(Request {
        name: text(&name),
        arguments: arguments
            .as_ref()
            .map_or(serde_json::Value::Null, Value::to_json),
        id: id.as_ref().map(Value::to_json),
        raw,
    });
    state.arrivals.record(Arc::clone(&request), cost);
    let call = Call {
        name,
        arguments,
        request: &request,
    };
    let mut context = Context {
        machine: &state.machine,
        stubs: &state.stubs,
        settings: &settings,
        power: None,
    };
    let carried_out = state
        .complaints
        .guard(&request, || call.outcome(state, &mut context));
    let (outcome, fault) = carried_out.unwrap_or_else(|failure| (Err(failure), None));
    let power = context.power;
    let faults: Vec<_> = fault.into_iter().chain(state.faults.take()).collect();
    let reply = call.reply(outcome, echoed());
    let spoilt = state
        .complaints
        .guard(&request, || Delivery::new(reply, &faults, line));
    let delivery = spoilt.unwrap_or_else(|failure| {
        let reply = call.reply(Err(failure), echoed());
        Delivery::new(reply, &[], line)
    });
    Delivery { power, ..delivery }
}

/// Checks the request's own members, in the order in which the agent's dictionary holds them.
fn command_name(envelope: &Object, ids: RequestIds) -> Result<Vec<u8>, Failure> {
    let mut command = None;
    for (name, value) in envelope.in_wire_order() {
        let wrong = match (name, value) {
            (b"execute", Value::String(name)) => {
                command = Some(name.clone());
                continue;
            }
            (b"arguments", Value::Object(_)) => continue,
            (b"id", _) if ids != RequestIds::Refused => continue,
            (b"execute", _) => "must be a string",
            (b"arguments", _) => "must be an object",
            _ => "is unexpected",
        };
        let text = [b"QMP input member '", name, b"' ", wrong.as_bytes()].concat();
        return Err(Failure::generic(text));
    }
    command.ok_or_else(|| Failure::generic("QMP input lacks member 'execute'"))
}

/// A request that names a command.
struct Call<'a> {
    name: Vec<u8>,
    arguments: Option<Value>,
    request: &'a Request,
}

impl Call<'_> {
    /// Carries out the request: returns what the command returns, and a fault that spoils the reply.
    ///
    /// A disabled command is refused before anything looks at its arguments, and a stub answers before
    /// the agent does.
    fn outcome(&self, state: &State, context: &mut Context<'_>) -> (Outcome, Option<Fault>) {
        let policy = Policy {
            settings: context.settings,
            stubs: context.stubs,
            frozen: lock(&state.machine).facts().frozen,
        };
        if let Some(refusal) = policy.disabled(&self.name) {
            state.stubs.bypass(&self.request.name);
            return (Err(refusal), None);
        }
        let mut verdict = state.stubs.judge(self.request);
        let (outcome, lost) = match verdict.answer.take() {
            Some(Answer::Return(value)) => (Ok(Value::from(&value)), None),
            Some(Answer::Error { class, text }) => (Err(Failure::new(class, text)), None),
            None => match self.play(state) {
                Some(played) => played,
                None => match self.unanswered(&verdict, context) {
                    Some(excuse) => (Err(Failure::generic(excuse)), None),
                    None => (self.run(context), None),
                },
            },
        };
        (outcome, verdict.fault.or(lost))
    }

    /// Says why no stub has answered, if the agent does not know the command itself.
    fn unanswered(&self, verdict: &Verdict, context: &Context<'_>) -> Option<String> {
        match commands::find(&self.request.name, context.settings.profile) {
            Some(_) => None,
            None => verdict.excuse(self.request),
        }
    }

    /// Returns the answer of the cassette, if there is one. If no reply was recorded, none comes now.
    fn play(&self, state: &State) -> Option<(Outcome, Option<Fault>)> {
        let own = matches!(&*self.name, b"guest-sync" | b"guest-sync-delimited");
        let mut player = lock(&state.player);
        let player = player.as_mut().filter(|_| !own)?;
        Some(match player.answer(self.request) {
            Ok(Some(RecordedReply::Return(value))) => (Ok(Value::from(&value)), None),
            Ok(Some(RecordedReply::Error { class, text })) => {
                (Err(Failure::new(class, text)), None)
            }
            Ok(None) => (Ok(Value::Null), Some(Fault::no_answer())),
            Err(complaint) => (Err(Failure::generic(complaint)), None),
        })
    }

    fn run(&self, context: &mut Context<'_>) -> Outcome {
        let Some(command) = commands::find(&self.request.name, context.settings.profile) else {
            let text = [b"The command ", &*self.name, b" has not been found"].concat();
            return Err(Failure::not_found(text));
        };
        let none = Object::default();
        let given = match &self.arguments {
            Some(Value::Object(arguments)) => arguments,
            _ => &none,
        };
        let profile = context.settings.profile;
        let arguments = arguments::check(given, command.parameters, profile)?;
        (command.run)(context, arguments)
    }

    fn reply(&self, outcome: Outcome, id: Option<Value>) -> Option<Reply> {
        if outcome.is_ok() && commands::is_silent(&self.request.name) {
            return None;
        }
        let delimited = outcome.is_ok() && self.name == b"guest-sync-delimited";
        Some(Reply {
            outcome,
            id,
            delimited,
        })
    }
}
