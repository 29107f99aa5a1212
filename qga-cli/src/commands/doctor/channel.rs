//! The channel: its file, who holds it, and whether an agent answers.

use std::path::Path;

use qga_commands::GuestError;
use qga_commands::guest::Guest;
use qga_core::discover::{Holder, look_at};
use qga_core::{Address, ErrorKind};

use super::report::{Finding, Report, Stage};
use crate::commands::Context;
use crate::holder;

/// Looks without touching.
pub(super) fn look(address: &Address, report: &mut Report) {
    match address {
        Address::Unix(path) | Address::VsockProxy { path, .. } | Address::Serial(path) => {
            report.add(Stage::File, file(path));
        }
        // It may be one of another host.
        Address::Tcp(_) if look_at(address).is_some() => {}
        _ => return,
    }
    report.add(Stage::Holder, holder(address));
}

#[cfg(unix)]
fn file(path: &Path) -> Finding {
    use std::io::ErrorKind;
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};

    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::bad(
                "it is not there",
                "start the machine, or look with `qga list` where its channel is; a machine needs a virtio port called \
                 org.qemu.guest_agent.0",
            );
        }
        Err(error) => return Finding::bad(error.to_string(), as_root()),
    };
    let kind = metadata.file_type();
    if !kind.is_socket() && !kind.is_char_device() {
        let advice =
            "give the path of the socket that QEMU listens on; `qga list` shows those of this host";
        return Finding::bad("it is neither a socket nor a device", advice);
    }
    let access = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK;
    let mode = metadata.permissions().mode() & 0o7777;
    let words = format!("belongs to user {}, mode {mode:04o}", metadata.uid());
    match rustix::fs::access(path, access) {
        Ok(()) => Finding::well(words),
        Err(_) => Finding::bad(format!("{words}: this user may not open it"), as_root()),
    }
}

#[cfg(not(unix))]
fn file(path: &Path) -> Finding {
    match std::fs::metadata(path) {
        Ok(_) => Finding::well("it is there"),
        Err(error) => Finding::bad(error.to_string(), as_root()),
    }
}

fn as_root() -> String {
    "run this as the user to whom it belongs, or as root".to_owned()
}

fn holder(address: &Address) -> Finding {
    let Some(found) = look_at(address) else {
        return Finding::unknown("no program of this host is known to listen there");
    };
    let listener = match &found.listener {
        Some(listener) => format!("{listener} listens"),
        None => "who listens is not seen".to_owned(),
    };
    let advice = "an agent serves one client at a time: wait until that client is done, or end it";
    match &found.holder {
        Holder::Nobody => Finding::well(format!("{listener}, and nobody is connected")),
        Holder::Process(process) => {
            let words = format!("{listener}, and {process} is connected");
            Finding::doubtful(words, holder::advice(&found, process))
        }
        Holder::Somebody => {
            Finding::doubtful(format!("{listener}, and somebody is connected"), advice)
        }
        _ => Finding::unknown(format!("{listener}; who is connected is not seen")),
    }
}

/// Connects, and has the agent answer.
pub(super) async fn connect(
    context: &Context,
    address: &Address,
    report: &mut Report,
) -> Option<Guest> {
    let error = match context.connector.builder().connect(address.clone()).await {
        Ok(guest) => {
            report.add(Stage::Connect, Finding::well("the channel is open"));
            report.add(Stage::Sync, Finding::well("the agent answers"));
            return Some(guest);
        }
        Err(error) => error,
    };
    let words = error.to_string();
    let (stage, finding) = match &error {
        GuestError::Command(cause) if is_unanswered(cause) => {
            report.add(Stage::Connect, Finding::well("the channel is open"));
            let advice = "see whether the guest has booted, and whether qemu-guest-agent is installed and runs in it \
                          (`systemctl status qemu-guest-agent`); a paused machine and a second client of the same \
                          channel look the same";
            (Stage::Sync, Finding::bad(words, advice))
        }
        GuestError::Command(cause) if !matches!(cause.kind(), ErrorKind::Address(_)) => {
            let advice = "start the machine; if it runs, compare the address with its command line or with `qga list`";
            (Stage::Connect, Finding::bad(words, advice))
        }
        _ => {
            let advice = "mend the address; `qga --help` shows what they look like";
            (Stage::Connect, Finding::bad(words, advice))
        }
    };
    report.add(stage, finding);
    None
}

fn is_unanswered(error: &qga_core::Error) -> bool {
    !matches!(error.stage(), qga_core::Stage::Connect) || error.is_timeout()
}
