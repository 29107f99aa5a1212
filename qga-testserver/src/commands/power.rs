use super::arguments::{Arguments, Kind, optional};
use super::{Command, Context, look, nothing};
use crate::guest::power::PowerChange;
use crate::wire::reply::{Failure, Outcome};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "guest-shutdown",
        parameters: &[optional("mode", Kind::Text)],
        run: shut_down,
    },
    look("guest-suspend-disk", |context, _| {
        Ok(go(context, PowerChange::SuspendToDisk))
    }),
    look("guest-suspend-ram", |context, _| {
        Ok(go(context, PowerChange::SuspendToMemory))
    }),
    look("guest-suspend-hybrid", |context, _| {
        Ok(go(context, PowerChange::SuspendToMemory))
    }),
];

fn shut_down(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    context.power = Some(match arguments.text("mode") {
        None | Some(b"powerdown") => PowerChange::ShutDown,
        Some(b"halt") => PowerChange::Halt,
        Some(b"reboot") => PowerChange::Reboot,
        Some(_) => {
            let text = "mode is invalid (valid values are: halt|powerdown|reboot";
            return Err(Failure::generic(text));
        }
    });
    Ok(nothing())
}

fn go(context: &mut Context<'_>, change: PowerChange) -> crate::wire::json::Value {
    context.power = Some(change);
    nothing()
}
