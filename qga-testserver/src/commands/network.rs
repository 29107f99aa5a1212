use super::{Command, look, value};

pub(super) const COMMANDS: &[Command] = &[
    look("guest-network-get-interfaces", |context, _| {
        Ok(value(&context.machine().facts().interfaces))
    }),
    look("guest-network-get-route", |context, _| {
        Ok(value(&context.machine().facts().routes))
    }),
];
