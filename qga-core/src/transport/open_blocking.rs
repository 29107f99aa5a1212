//! Opening what an address names, for a client without a runtime.

use std::io::{self, ErrorKind, Result};
use std::sync::Arc;
use std::time::Instant;

use super::blocking_stream::{Stream, make_ready};
use super::open::{connect_error, find_scheme, open_error, unsupported};
#[cfg(any(target_os = "linux", target_os = "android"))]
use super::vsock;
use super::{Address, Inspector, Programs, Schemes, tcp};
#[cfg(unix)]
use super::{child, serial, ssh, unix, vsock_proxy};
use crate::error::Error;
use crate::protocol::Budget;

/// Opens a stream that is [ready](make_ready), until a moment at most.
type Open = dyn Fn(Instant) -> Result<Box<dyn Stream>> + Send + Sync;

/// How the addresses of a scheme are opened, given what stands behind its colon.
pub(crate) type BlockingScheme = dyn Fn(&str) -> Result<Box<dyn Stream>> + Send + Sync;

/// How a channel is opened, each time anew.
#[derive(Clone)]
pub(crate) struct BlockingEndpoint {
    address: Option<Arc<Address>>,
    open: Arc<Open>,
    inspector: Inspector,
}

impl BlockingEndpoint {
    /// Opens what an address names.
    pub(crate) fn new(
        address: Address,
        schemes: &Schemes<BlockingScheme>,
        programs: &Programs,
    ) -> std::result::Result<Self, Error> {
        let address = Arc::new(address);
        let scheme = find_scheme(&address, schemes, programs)?;
        let kept = address.clone();
        let open: Arc<Open> = if let (Address::Other { rest, .. }, Some(open)) = (&*address, scheme)
        {
            let rest = rest.clone();
            Arc::new(move |_| ready(open(&rest)?))
        } else {
            let programs = programs.clone();
            Arc::new(move |deadline| open_stream(&address, &programs, deadline))
        };
        Ok(Self {
            address: Some(kept),
            open,
            inspector: Inspector::default(),
        })
    }

    pub(crate) fn custom<S: Stream + 'static>(
        open: impl Fn() -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self {
            address: None,
            open: Arc::new(move |_| ready(open()?)),
            inspector: Inspector::default(),
        }
    }

    /// Has somebody look at whatever it opens.
    pub(crate) fn inspected(mut self, inspector: Inspector) -> Self {
        self.inspector = inspector;
        self
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        self.address.as_ref()
    }

    /// Opens a stream in the time that there is for it.
    pub(crate) fn open(&self, budget: &Budget) -> std::result::Result<Box<dyn Stream>, Error> {
        let opened = (self.open)(budget.deadline);
        let opened = opened.map(|stream| self.inspector.attach_blocking(stream));
        opened.map_err(|error| match error.kind() {
            ErrorKind::TimedOut if budget.deadline <= Instant::now() => {
                connect_error(budget.time_is_up())
            }
            _ => open_error(self.address().map(|address| &**address), error),
        })
    }
}

fn ready<S: Stream + 'static>(stream: S) -> Result<Box<dyn Stream>> {
    // Some systems refuse this where the other side has hung up already, with errors that tell something else elsewhere.
    let is_ready = make_ready(&stream);
    is_ready.map_err(|error| io::Error::new(ErrorKind::ConnectionAborted, error))?;
    Ok(Box::new(stream))
}

#[cfg_attr(
    not(unix),
    allow(unused_variables, reason = "no other program opens a channel there")
)]
fn open_stream(
    address: &Address,
    programs: &Programs,
    deadline: Instant,
) -> Result<Box<dyn Stream>> {
    match address {
        Address::Tcp(host_and_port) => ready(tcp::open_blocking(host_and_port, deadline)?),
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::new(unix::open_blocking(path, deadline)?)),
        #[cfg(unix)]
        Address::Serial(path) => ready(serial::open_blocking(path)?),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        &Address::Vsock { cid, port } => ready(vsock::open_blocking(cid, port, deadline)?),
        #[cfg(unix)]
        Address::VsockProxy { path, port } => {
            ready(vsock_proxy::open_blocking(path, *port, deadline)?)
        }
        #[cfg(unix)]
        Address::Exec(words) => ready(child::open_blocking(words)?),
        #[cfg(unix)]
        Address::Ssh(address) => ready(ssh::open_blocking(address, &programs.ssh(), deadline)?),
        #[allow(
            unreachable_patterns,
            reason = "one of them is reachable on some systems"
        )]
        _ => Err(unsupported(address)),
    }
}
