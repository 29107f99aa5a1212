//! One connection to a daemon, over any stream of bytes.
//!
//! A task of its own reads and writes, since many guests share the connection: none of those who wait for a reply could
//! be relied on to be polled. It ends when nobody has the connection any more, or has used it for a while.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::wire::call::{self, Procedure};
use crate::wire::event::Told;
use crate::wire::failure::Failure;
use crate::wire::packet::Program;
use crate::wire::xdr::Malformed;

mod dialog;
mod inbox;
mod opening;
mod outbox;
mod task;

pub(crate) use dialog::{Dialog, Stream};
pub(crate) use opening::open;

/// How many calls may be in flight. With five the daemon stops reading the connection.
pub(crate) const PLACES: usize = 4;

/// How long a daemon may take for what needs no guest. One whose workers all hang still answers pings.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The code of a failure when this user may not do it.
pub(crate) const NOT_PERMITTED: i32 = 29;

/// A connection, for as long as somebody has it.
pub(crate) struct Connection {
    calls: mpsc::UnboundedSender<Request>,
    places: Arc<Semaphore>,
}

/// What is kept until the daemon has answered a call, whether its caller still waits or not.
pub(crate) type Kept = Box<dyn Any + Send>;

/// Who is told what the daemon tells by itself. It must not block.
pub(crate) type Listener = Box<dyn FnMut(Told) + Send>;

/// A call on its way to the task.
struct Request {
    program: Program,
    procedure: u32,
    arguments: Vec<u8>,
    reply: oneshot::Sender<Result<Vec<u8>, CallError>>,
    kept: Kept,
}

/// Why a call brought no reply.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The daemon has answered with an error.
    Failure(Failure),
    /// The reply makes no sense.
    Malformed(Malformed),
    /// The connection has ended.
    Lost(Lost),
}

/// How a connection ended that a call was to use.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    /// Whether the whole call was written, so that the daemon may have carried it out.
    pub(crate) was_sent: bool,
    kind: io::ErrorKind,
    words: Arc<str>,
}

impl Connection {
    /// A connection over a stream, which no call was made on yet. It stays open as long as somebody listens, and where
    /// nobody does it ends once nobody has used it for a while.
    pub(crate) fn new(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        listener: Option<Listener>,
    ) -> Self {
        let (calls, requests) = mpsc::unbounded_channel();
        tokio::spawn(task::run(stream, requests, listener));
        Self {
            calls,
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }

    /// A place for a call, if there is one.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// A place for a call, once there is one.
    pub(crate) async fn next_place(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.places.clone().acquire_owned().await
    }

    /// Whether it can be used no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.calls.is_closed()
    }

    /// Waits until it can be used no more.
    pub(crate) async fn closed(&self) {
        self.calls.closed().await;
    }

    /// Calls a procedure. The caller has a [`place`](Self::place), which is among what is kept until the daemon has
    /// answered.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the call is not made, or its reply is dropped when it comes.
    pub(crate) async fn call<P: Procedure>(
        &self,
        procedure: &P,
        kept: Kept,
    ) -> Result<P::Reply, CallError> {
        let (reply, answered) = oneshot::channel();
        let request = Request {
            program: P::PROGRAM,
            procedure: P::NUMBER,
            arguments: call::payload(procedure),
            reply,
            kept,
        };
        let unsent = || CallError::Lost(Lost::new(false, &io::ErrorKind::NotConnected.into()));
        self.calls.send(request).map_err(|_| unsent())?;
        // The task answers each request unless its runtime has ended.
        let ended = || {
            let error = io::Error::other("the runtime of this connection has ended");
            CallError::Lost(Lost::new(true, &error))
        };
        let payload = answered.await.map_err(|_| ended())??;
        call::reply::<P>(&payload).map_err(CallError::Malformed)
    }
}

impl From<CallError> for io::Error {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Lost(lost) => lost.to_io(),
            CallError::Failure(failure) if failure.code == NOT_PERMITTED => {
                Self::new(io::ErrorKind::PermissionDenied, failure)
            }
            error => Self::other(error),
        }
    }
}

impl Lost {
    fn new(was_sent: bool, cause: &io::Error) -> Self {
        Self {
            was_sent,
            kind: cause.kind(),
            words: cause.to_string().into(),
        }
    }

    pub(crate) fn to_io(&self) -> io::Error {
        io::Error::new(self.kind, self.words.to_string())
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failure(failure) => failure.fmt(f),
            Self::Malformed(malformed) => {
                write!(
                    f,
                    "the reply of libvirt's daemon makes no sense: {malformed}"
                )
            }
            Self::Lost(lost) => write!(
                f,
                "the connection to libvirt's daemon has ended: {}",
                lost.words
            ),
        }
    }
}

impl std::error::Error for CallError {}

/// The error that the daemon sent what makes no sense.
pub(crate) fn nonsense(malformed: Malformed) -> io::Error {
    let words = format!("what libvirt's daemon sent makes no sense: {malformed}");
    io::Error::new(io::ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests;
