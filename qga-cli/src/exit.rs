//! Exit codes, which are those of `timeout` and `docker exec`.

use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use qga_commands::GuestError;
use qga_commands::guest::process::ExitStatus;
use qga_core::{ErrorKind, Stage};
use qga_qmp::MachineError;

use crate::holder;
use crate::show::{note, visible};

/// The time was over.
pub(crate) const TIMEOUT: u8 = 124;
/// Anything else that was not seen to its end.
pub(crate) const FAILED: u8 = 125;
/// There is such a file in the guest, and it cannot be run.
pub(crate) const NOT_EXECUTABLE: u8 = 126;
/// There is no such program in the guest.
pub(crate) const NOT_FOUND: u8 = 127;
/// Added to the number of a signal.
const SIGNAL: u8 = 128;
/// For codes that a process of this host cannot have.
const OUT_OF_RANGE: u8 = 255;

/// The time that the user gave was over.
#[derive(Debug)]
pub(crate) struct TimeIsUp(pub(crate) String);

impl std::fmt::Display for TimeIsUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TimeIsUp {}

/// A signal that ended this program before it had seen the end of something.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) signal: u8,
    pub(crate) words: String,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)
    }
}

impl std::error::Error for Interrupted {}

/// Says what was wrong with the command line. Help that was asked for is a success.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let is_shown = error.print().is_ok();
    if error.use_stderr() || !is_shown {
        return FAILED.into();
    }
    ExitCode::SUCCESS
}

/// Says what went wrong, unless nobody listens any more.
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    if !is_closed_output(error) {
        let mut words = String::new();
        for cause in error.chain() {
            let cause = cause.to_string();
            // Many errors tell of their causes themselves.
            if !words.contains(&cause) {
                let colon = if words.is_empty() { "" } else { ": " };
                // Writing to a string cannot fail.
                let _ = write!(words, "{colon}{cause}");
            }
        }
        let _ = io::Write::write_fmt(
            &mut io::stderr(),
            format_args!("qga: {}\n", visible(&words)),
        );
        if let Some((address, may_be_held)) = unreached(error) {
            if may_be_held && let Some(words) = holder::of(address) {
                note(&words);
            }
            if let Ok(word) = shlex::try_quote(address) {
                note(&format!("to find out why: qga doctor {word}"));
            }
        }
    }
    code_of(error).into()
}

/// The error of a guest, of its own or of its machine.
fn of_guest_or_machine(error: &anyhow::Error) -> Option<&GuestError> {
    match error.downcast_ref::<MachineError>() {
        Some(MachineError::Guest(error)) => Some(error),
        Some(_) => None,
        None => error.downcast_ref::<GuestError>(),
    }
}

/// The address of a guest that was not reached, and whether that may be since somebody else holds its channel.
fn unreached(error: &anyhow::Error) -> Option<(&str, bool)> {
    let error = of_guest_or_machine(error)?.command_error()?;
    let is_known = matches!(error.kind(), ErrorKind::Address(_));
    let is_unreached = matches!(error.stage(), Stage::Connect | Stage::Sync) && !is_known;
    let address = error.address().filter(|_| is_unreached)?;
    Some((address, !error.is_permanent()))
}

fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<TimeIsUp>() {
        return TIMEOUT;
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        return SIGNAL.saturating_add(interrupted.signal);
    }
    match of_guest_or_machine(error) {
        Some(error) if error.is_no_such_program() => NOT_FOUND,
        Some(error) if error.is_not_executable() => NOT_EXECUTABLE,
        _ => FAILED,
    }
}

fn is_closed_output(error: &anyhow::Error) -> bool {
    let found = error.downcast_ref::<io::Error>();
    found.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The exit code that stands for how a program of the guest ended. It is zero only for a success.
pub(crate) fn of_guest(status: &ExitStatus) -> ExitCode {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => u8::try_from(code).unwrap_or(OUT_OF_RANGE),
        (None, Some(signal)) => return of_signal(signal),
        (None, None) => FAILED,
    };
    code.into()
}

/// The exit code that stands for a signal.
pub(crate) fn of_signal<N: TryInto<u8>>(signal: N) -> ExitCode {
    let code = signal
        .try_into()
        .map_or(OUT_OF_RANGE, |signal| SIGNAL.saturating_add(signal));
    code.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_of_the_guest_is_one_here() {
        for (status, code) in [
            (ExitStatus::from_code(0), 0),
            (ExitStatus::from_code(3), 3),
            (ExitStatus::from_code(255), 255),
            (ExitStatus::from_code(256), OUT_OF_RANGE),
            (ExitStatus::from_code(-1), OUT_OF_RANGE),
            (ExitStatus::from_code(0xC000_0005), OUT_OF_RANGE),
            (ExitStatus::from_signal(9), 137),
            (ExitStatus::from_signal(64), 192),
            (ExitStatus::from_signal(0x1_0000), OUT_OF_RANGE),
        ] {
            assert_eq!(of_guest(&status), ExitCode::from(code), "{status}");
        }
    }
}
