use super::{Command, Context, look};
use crate::arguments::{Arguments, Kind, optional};
use crate::reply::{Failure, Outcome};

pub(super) const COMMANDS: &[Command] = &[
    look("guest-fsfreeze-status", |context, _| {
        let frozen = context.machine().facts().frozen;
        Ok(if frozen { "frozen" } else { "thawed" }.into())
    }),
    look("guest-fsfreeze-freeze", |context, _| freeze(context, None)),
    Command {
        name: "guest-fsfreeze-freeze-list",
        parameters: &[optional("mountpoints", Kind::Texts)],
        run: freeze_list,
    },
    look("guest-fsfreeze-thaw", |context, _| {
        Ok(context.machine().thaw().into())
    }),
];

fn freeze_list(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    freeze(context, arguments.texts("mountpoints").as_deref())
}

/// Freezes what is wanted, or everything. One that cannot be frozen thaws the others again.
fn freeze(context: &mut Context<'_>, wanted: Option<&[&[u8]]>) -> Outcome {
    let mut machine = context.machine();
    let facts = machine.facts_mut();
    let mut count = 0;
    let mut failure = None;
    for filesystem in &mut facts.filesystems {
        let point = filesystem.mountpoint.as_bytes();
        if wanted.is_some_and(|wanted| !wanted.contains(&point)) {
            continue;
        }
        if let Some(error) = &filesystem.freeze_error {
            let text = format!("failed to freeze {}: {error}", filesystem.mountpoint);
            failure = Some(Failure::generic(text));
            break;
        }
        filesystem.frozen = true;
        count += 1;
    }
    facts.frozen = count > 0;
    match failure {
        Some(failure) => {
            machine.thaw();
            Err(failure)
        }
        None => Ok(count.into()),
    }
}
