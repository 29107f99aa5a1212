//! The guest, whose agent answers.

use std::time::Duration;

use qga_commands::guest::Guest;
use qga_commands::{Capabilities, ClientExt as _, GuestError};

use super::report::{Finding, Report, Stage};

/// How far the guest's clock may be from this host's.
const CLOCK: Duration = Duration::from_secs(1);

pub(super) async fn examine(guest: &Guest, word: &str, report: &mut Report) {
    match guest.client().capabilities().await {
        Ok(capabilities) => {
            report.add(Stage::Version, Finding::well(capabilities.version()));
            report.add(Stage::Commands, commands(&capabilities));
            report.add(Stage::Frozen, frozen(&capabilities, word));
        }
        Err(error) => {
            let advice = "restart the agent in the guest: `systemctl restart qemu-guest-agent`";
            report.add(Stage::Version, Finding::bad(error.to_string(), advice));
            return;
        }
    }
    report.add(Stage::Clock, clock(guest).await);
}

fn commands(capabilities: &Capabilities) -> Finding {
    let (mut enabled, mut disabled) = (0_usize, Vec::new());
    for command in capabilities.commands() {
        if command.enabled {
            enabled += 1;
        } else {
            disabled.push(command.name.as_str());
        }
    }
    disabled.sort_unstable();
    let [first, ..] = disabled.as_slice() else {
        return Finding::well(format!("all {enabled} are enabled"));
    };
    let words = format!("{enabled} are enabled, and not {}", disabled.join(", "));
    match capabilities.refusal(first) {
        Some(refusal) if !capabilities.is_frozen() => Finding::doubtful(words, refusal.hint()),
        _ => Finding::unknown(words),
    }
}

fn frozen(capabilities: &Capabilities, word: &str) -> Finding {
    if capabilities.is_frozen() {
        let advice =
            format!("let whoever has frozen them thaw them; if nobody will: `qga thaw {word}`");
        return Finding::bad("the guest's filesystems are frozen", advice);
    }
    Finding::well("no filesystem is frozen")
}

async fn clock(guest: &Guest) -> Finding {
    let offset = match guest.clock_offset().await {
        Ok(offset) => offset,
        Err(error) => return unanswered(&error),
    };
    let off = Duration::from_nanos(offset.as_nanos().unsigned_abs());
    if off > CLOCK + offset.uncertainty() {
        let advice = "see whether a time service runs in the guest (`timedatectl`)";
        return Finding::doubtful(offset.to_string(), advice);
    }
    Finding::well(offset.to_string())
}

fn unanswered(error: &GuestError) -> Finding {
    Finding::unknown(error.to_string())
}
