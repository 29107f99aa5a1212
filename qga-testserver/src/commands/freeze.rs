use std::time::Duration;

use tokio::time::Instant;

use super::arguments::{Arguments, Kind, optional};
use super::{Command, Context, look};
use crate::guest::facts::Filesystem;
use crate::profile::Platform;
use crate::wire::reply::{Failure, Outcome};

/// How long Windows holds writes.
const WINDOWS_LIMIT: Duration = Duration::from_secs(10);

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
    look("guest-fsfreeze-thaw", |context, _| thaw(context)),
];

fn freeze_list(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    freeze(context, arguments.texts("mountpoints").as_deref())
}

/// Freezes the requested filesystems, or all. If one of them cannot be frozen, the others are thawed again.
fn freeze(context: &mut Context<'_>, wanted: Option<&[&[u8]]>) -> Outcome {
    let mut machine = context.machine();
    let facts = machine.facts_mut();
    let mut count = 0;
    let mut failure = None;
    for index in 0..facts.filesystems.len() {
        match freeze_one(&mut facts.filesystems, index, wanted) {
            Ok(frozen) => count += i64::from(frozen),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    facts.frozen = count > 0;
    machine.frozen_since = (count > 0).then(Instant::now);
    match failure {
        Some(failure) => {
            machine.thaw();
            Err(failure)
        }
        None => Ok(count.into()),
    }
}

/// Freezes one filesystem. False if it is not wanted, cannot be frozen, or is frozen already, be it at another place
/// where it is mounted.
fn freeze_one(
    filesystems: &mut [Filesystem],
    index: usize,
    wanted: Option<&[&[u8]]>,
) -> Result<bool, Failure> {
    let Some(filesystem) = filesystems.get(index) else {
        return Ok(false);
    };
    let point = filesystem.mountpoint.as_bytes();
    if wanted.is_some_and(|wanted| !wanted.contains(&point)) {
        return Ok(false);
    }
    if let Some(error) = &filesystem.freeze_error {
        let text = format!("failed to freeze {}: {error}", filesystem.mountpoint);
        return Err(Failure::generic(text));
    }
    Ok(filesystem.can_be_frozen() && Filesystem::set_frozen(filesystems, index, true))
}

/// Windows reports only now that it has stopped holding writes some time ago; it is thawed all the same.
fn thaw(context: &mut Context<'_>) -> Outcome {
    let windows = context.settings.profile.platform() == Platform::Windows;
    let mut machine = context.machine();
    let since = machine.frozen_since;
    let count = machine.thaw();
    if windows && since.is_some_and(|since| since.elapsed() > WINDOWS_LIMIT) {
        let text = "couldn't hold writes: fsfreeze is limited up to 10 seconds";
        return Err(Failure::generic(text));
    }
    Ok(count.into())
}
