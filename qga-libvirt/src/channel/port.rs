//! A port of a domain, and how it is opened on a connection.

use std::{fmt, io};

use crate::ask::NO_DOMAIN;
use crate::connection::{CallError, Dialog, NOT_PERMITTED};
use crate::target::Endpoint;
use crate::wire::call::OpenChannel;
use crate::wire::types::Domain;

/// Failures' codes: there is no such port, somebody has it open, the domain does not run.
const UNKNOWN: (i32, i32) = (1, 10);
const BUSY: (i32, i32) = (9, 10);
const OFF: (i32, i32) = (55, 20);

/// A port of a domain that runs.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) daemon: Endpoint,
    pub(super) domain: Domain,
    pub(super) name: String,
}

impl Port {
    /// Opens it on a connection that has no stream yet.
    pub(super) async fn open(&self, dialog: &mut Dialog, is_forced: bool) -> io::Result<()> {
        let call = OpenChannel {
            domain: &self.domain,
            port: &self.name,
            is_forced,
        };
        let opened = dialog.call(&call).await;
        opened.map_err(|error| refused(error, &self.domain.name, &self.daemon))
    }
}

/// Why a call about a domain failed.
pub(super) fn refused(error: CallError, name: &str, daemon: &impl fmt::Display) -> io::Error {
    let failure = match error {
        CallError::Failure(failure) => failure,
        CallError::Lost(lost) => return lost.to_io(),
        error @ CallError::Malformed(_) => return io::Error::other(error),
    };
    let kind = match (failure.code, failure.part) {
        (NO_DOMAIN, _) => {
            let words = format!("{daemon} has no domain {name}");
            return io::Error::new(io::ErrorKind::NotFound, words);
        }
        (NOT_PERMITTED, _) => io::ErrorKind::PermissionDenied,
        BUSY => io::ErrorKind::ResourceBusy,
        UNKNOWN => io::ErrorKind::NotFound,
        OFF => io::ErrorKind::ConnectionRefused,
        _ => io::ErrorKind::Other,
    };
    io::Error::new(kind, failure)
}
