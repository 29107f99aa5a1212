use super::Command;
use crate::guest::Guest;
use crate::json::{Object, Value};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-get-time",
        parameters: &[],
        run: |context, _| Ok(context.guest.time.into()),
    },
    Command {
        name: "guest-get-host-name",
        parameters: &[],
        run: |context, _| Ok(host_name(context.guest)),
    },
    Command {
        name: "guest-get-timezone",
        parameters: &[],
        run: |context, _| Ok(timezone(context.guest)),
    },
    Command {
        name: "guest-get-osinfo",
        parameters: &[],
        run: |context, _| Ok(os_info(context.guest)),
    },
];

fn host_name(guest: &Guest) -> Value {
    Value::Object(Object::of([("host-name", guest.host_name.into())]))
}

fn timezone(guest: &Guest) -> Value {
    let zone = guest.timezone;
    Value::Object(Object::of([
        ("zone", zone.name.into()),
        ("offset", zone.offset.into()),
    ]))
}

fn os_info(guest: &Guest) -> Value {
    let mut info = Object::default();
    for (name, value) in guest.os_info {
        info.put(*name, (*value).into());
    }
    Value::Object(info)
}
