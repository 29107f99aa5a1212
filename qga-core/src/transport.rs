//! What carries bytes or messages to an agent, and how it is opened.

#[cfg(unix)]
use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

mod address;
mod blocking_stream;
mod byte_stream;
mod carrier;
#[cfg(unix)]
mod child;
mod inspect;
#[cfg(unix)]
mod line;
mod machine;
mod messages;
pub(crate) mod open;
mod open_blocking;
#[cfg(unix)]
mod polled;
mod schemes;
#[cfg(unix)]
mod serial;
#[cfg(unix)]
mod ssh;
mod tcp;
#[cfg(unix)]
mod unix;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod vsock;
#[cfg(unix)]
mod vsock_proxy;

pub use address::{Address, SshAddress};
pub use blocking_stream::Stream as BlockingStream;
pub(crate) use blocking_stream::{SHORTEST_WAIT, WRITE_TIMEOUT, make_ready};
pub use byte_stream::ByteStream;
pub(crate) use carrier::Carrier;
pub use inspect::Direction;
pub(crate) use inspect::Inspector;
pub use machine::{MachineState, MachineWatch};
pub use messages::{Answering, MessageTransport, TransportLimits};
pub(crate) use open::{Endpoint, Opening, Scheme, connect_error, read_address, text_of};
pub(crate) use open_blocking::{BlockingEndpoint, BlockingScheme};
pub(crate) use schemes::Schemes;
#[cfg(unix)]
pub use ssh::SshStream;

/// What programs of this host may be run to open an address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Programs {
    /// Whether an address may name one.
    pub(crate) exec: bool,
    /// What is run instead of `ssh`.
    ssh: Option<Arc<[String]>>,
}

impl Programs {
    pub(crate) fn set_ssh<W: Into<String>>(&mut self, words: impl IntoIterator<Item = W>) {
        self.ssh = Some(words.into_iter().map(Into::into).collect());
    }

    /// OpenSSH's client, and arguments that come before all others.
    #[cfg(unix)]
    fn ssh(&self) -> Cow<'_, [String]> {
        let usual = || vec!["ssh".to_owned()].into();
        self.ssh.as_deref().map_or_else(usual, Cow::Borrowed)
    }
}

/// How much time there is until a deadline.
fn time_left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

/// Words as a POSIX shell takes them.
fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let quoter = shlex::Quoter::new().allow_nul(true);
    quoter.join(words).unwrap_or_default()
}
