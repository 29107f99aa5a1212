//! The first calls on a connection: who this is, and which driver is wanted.

use std::io;

use super::{CallError, Connection, Dialog};
use crate::wire::call::{AuthList, AuthPolkit, Open, Procedure};
use crate::wire::failure::Failure;
use crate::wire::types::Authentication;

/// A failure's code: polkit has refused, or nobody could be asked.
const NOT_AUTHORIZED: [(i32, i32); 2] = [(94, 60), (1, 47)];

const POLKIT: &str = "libvirt's daemon asks polkit who may use it, and this user may not without being asked; \
                      run as root, join the group that polkit's rules for libvirt name (often `libvirt`), or use \
                      the session's daemon by libvirt:///session/NAME";

const SASL: &str = "libvirt's daemon wants SASL, which this crate does not speak; have `auth_unix_rw` of its \
                    libvirtd.conf say \"polkit\" or \"none\"";

/// On what calls can be made.
pub(crate) trait Caller {
    fn call<P: Procedure + Sync>(
        &mut self,
        procedure: &P,
    ) -> impl Future<Output = Result<P::Reply, CallError>> + Send;
}

impl Caller for &Connection {
    async fn call<P: Procedure + Sync>(&mut self, procedure: &P) -> Result<P::Reply, CallError> {
        Connection::call(self, procedure, Box::new(())).await
    }
}

impl Caller for &mut Dialog {
    async fn call<P: Procedure + Sync>(&mut self, procedure: &P) -> Result<P::Reply, CallError> {
        Dialog::call(self, procedure).await
    }
}

/// Has the daemon let this user in and open the driver of a URI. Each of these calls waits for the one before: the daemon
/// carries out calls side by side, and refuses what comes before its time.
pub(crate) async fn open(mut caller: impl Caller, driver: &Open<'_>) -> io::Result<()> {
    let offered = caller.call(&AuthList).await.map_err(io_error)?;
    authenticate(&mut caller, &offered).await?;
    caller.call(driver).await.map_err(io_error)
}

async fn authenticate(caller: &mut impl Caller, offered: &[Authentication]) -> io::Result<()> {
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
    match caller.call(&AuthPolkit).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused("it is not done yet")),
        Err(CallError::Failure(failure)) if is_refusal(&failure) => Err(refused(&failure)),
        Err(error) => Err(error.into()),
    }
}

fn is_refusal(failure: &Failure) -> bool {
    NOT_AUTHORIZED.contains(&(failure.code, failure.part))
}

fn refused(said: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("{POLKIT}: {said}"))
}

fn io_error(error: CallError) -> io::Error {
    error.into()
}
