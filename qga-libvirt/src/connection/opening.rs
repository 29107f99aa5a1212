//! The first calls on a connection: who this is, and which driver is wanted.

use std::io;

use super::{CallError, Connection};
use crate::wire::call::{AuthList, AuthPolkit, LibVersion, Open, Procedure};
use crate::wire::failure::Failure;
use crate::wire::types::Authentication;

/// A failure's code: polkit has refused, or nobody could be asked.
const NOT_AUTHORIZED: [(i32, i32); 2] = [(94, 60), (1, 47)];

const POLKIT: &str = "libvirt's daemon asks polkit who may use it, and this user may not without being asked; \
                      run as root, join the group that polkit's rules for libvirt name (often `libvirt`), or use \
                      the session's daemon by libvirt:///session/NAME";

const SASL: &str = "libvirt's daemon wants SASL, which this crate does not speak; have `auth_unix_rw` of its \
                    libvirtd.conf say \"polkit\" or \"none\"";

/// Has the daemon let this user in and open the driver of a URI. Its version is returned, 0 if it does not tell.
pub(crate) async fn open(connection: &Connection, driver: &Open<'_>) -> io::Result<u64> {
    let offered = call(connection, &AuthList).await?;
    authenticate(connection, &offered).await?;
    call(connection, driver).await?;
    match connection.call(&LibVersion, Box::new(())).await {
        Ok(version) => Ok(version),
        Err(CallError::Failure(_)) => Ok(0),
        Err(error) => Err(io_error(error)),
    }
}

async fn authenticate(connection: &Connection, offered: &[Authentication]) -> io::Result<()> {
    if offered.is_empty() || offered.contains(&Authentication::None) {
        return Ok(());
    }
    if !offered.contains(&Authentication::Polkit) {
        let words = if offered.contains(&Authentication::Sasl) {
            SASL.to_owned()
        } else {
            format!(
                "libvirt's daemon wants to be told who this is in a way that this crate does not know: {offered:?}"
            )
        };
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, words));
    }
    match connection.call(&AuthPolkit, Box::new(())).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("it is not done yet")),
        Err(CallError::Failure(failure)) if is_refusal(&failure) => Err(refused(&failure)),
        Err(error) => Err(io_error(error)),
    }
}

fn is_refusal(failure: &Failure) -> bool {
    NOT_AUTHORIZED.contains(&(failure.code, failure.part))
}

fn refused(said: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{POLKIT}: {said}"))
}

async fn call<P: Procedure>(connection: &Connection, procedure: &P) -> io::Result<P::Reply> {
    let called = connection.call(procedure, Box::new(())).await;
    called.map_err(io_error)
}

fn io_error(error: CallError) -> io::Error {
    match error {
        CallError::Lost(lost) => lost.to_io(),
        error => io::Error::other(error),
    }
}
