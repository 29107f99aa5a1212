use super::arguments::{Arguments, Kind, optional};
use super::{Command, Context, look, nothing, value};
use crate::guest::facts::LoadAverage;
use crate::wire::json::{Object, Value};
use crate::wire::reply::{Failure, Outcome};

pub(super) const COMMANDS: &[Command] = &[
    look("guest-get-time", |context, _| {
        Ok(context.machine().facts().time.into())
    }),
    Command {
        name: "guest-set-time",
        parameters: &[optional("time", Kind::Integer)],
        run: set_time,
    },
    look("guest-get-host-name", |context, _| Ok(host_name(context))),
    look("guest-get-timezone", |context, _| {
        Ok(value(&context.machine().facts().timezone))
    }),
    look("guest-get-osinfo", |context, _| {
        Ok(value(&context.machine().facts().os))
    }),
    look("guest-get-users", |context, _| {
        Ok(value(&context.machine().facts().logins))
    }),
    look("guest-get-load", |context, _| {
        Ok(load(&context.machine().facts().load))
    }),
    look("guest-get-devices", |context, _| {
        Ok(value(&context.machine().facts().devices))
    }),
];

fn host_name(context: &Context<'_>) -> Value {
    let machine = context.machine();
    Value::Object(Object::of([(
        "host-name",
        machine.facts().host_name.as_str().into(),
    )]))
}

/// Without a time, the clock is set from the hardware clock, which always agrees with it in this guest.
fn set_time(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    if let Some(time) = arguments.integer("time") {
        if time < 0 {
            return Err(Failure::generic(
                "Failed to set time to guest: Invalid argument",
            ));
        }
        context.machine().facts_mut().time = time;
    }
    Ok(nothing())
}

/// The order matters, since two of the names share a bucket of the agent's dictionary.
fn load(load: &LoadAverage) -> Value {
    Value::Object(Object::of([
        ("load1m", Value::Double(load.load1m)),
        ("load5m", Value::Double(load.load5m)),
        ("load15m", Value::Double(load.load15m)),
    ]))
}
