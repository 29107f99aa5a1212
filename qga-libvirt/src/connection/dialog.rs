//! One connection to a daemon, on which one thing is done after another. It has no task: whoever has it reads and writes.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::{CallError, Lost, nonsense};
use crate::wire::call::{self, Procedure};
use crate::wire::failure::Failure;
use crate::wire::packet::{Header, Kind, Status};
use crate::wire::xdr::Malformed;

/// A stream of bytes to a daemon.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection of one user.
pub(crate) struct Dialog {
    stream: Box<dyn Stream>,
    inbox: Inbox,
    outbox: Outbox,
    serial: u32,
}

impl Dialog {
    /// A connection over a stream, which no call was made on yet.
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            serial: 0,
        }
    }

    /// The serial of the last call.
    pub(crate) fn serial(&self) -> u32 {
        self.serial
    }

    /// Calls a procedure. If the future is dropped, the connection is of no use any more.
    pub(crate) async fn call<P: Procedure>(
        &mut self,
        procedure: &P,
    ) -> Result<P::Reply, CallError> {
        self.serial = self.serial.wrapping_add(1);
        let header = Header {
            program: P::PROGRAM,
            procedure: P::NUMBER,
            kind: Kind::Call,
            serial: self.serial,
            status: Status::Ok,
        };
        self.push(&header.packet(&call::payload(procedure)));
        let exchanged = self.exchange(header).await;
        let (status, payload) =
            exchanged.map_err(|error| CallError::Lost(Lost::new(true, &error)))?;
        match status {
            Status::Ok => call::reply::<P>(&payload).map_err(CallError::Malformed),
            Status::Error => Err(match Failure::decode(&payload) {
                Ok(failure) => CallError::Failure(failure),
                Err(malformed) => CallError::Malformed(malformed),
            }),
            Status::Continue => Err(CallError::Malformed(Malformed::BadHeader)),
        }
    }

    /// Writes what there is, and reads the reply to this call.
    async fn exchange(&mut self, call: Header) -> io::Result<(Status, Vec<u8>)> {
        poll_fn(|cx| self.poll_flush(cx)).await?;
        loop {
            let packet = poll_fn(|cx| self.poll_packet(cx)).await?;
            let (header, payload) = Header::split(&packet).map_err(nonsense)?;
            let expected = Header {
                kind: Kind::Reply,
                status: header.status,
                ..call
            };
            match header.kind {
                Kind::Message => {}
                Kind::Reply if header == expected => {
                    return Ok((header.status, payload.to_vec()));
                }
                Kind::Call | Kind::Reply | Kind::Stream => {
                    return Err(nonsense(Malformed::BadHeader));
                }
            }
        }
    }

    /// Adds a packet to what is to be written.
    pub(crate) fn push(&mut self, packet: &[u8]) {
        self.outbox.push(packet);
    }

    /// Writes all that is to be written.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            ready!(pin!(self.outbox.write(&mut self.stream)).poll(cx))?;
        }
        // What this leads to, such as ssh, may keep something back.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// The next packet.
    pub(crate) fn poll_packet(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        loop {
            if let Some(packet) = self.inbox.next().map_err(nonsense)? {
                return Poll::Ready(Ok(packet));
            }
            let read = ready!(pin!(self.inbox.fill(&mut self.stream)).poll(cx))?;
            if read == 0 {
                return Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "libvirt's daemon has closed the connection",
                )));
            }
        }
    }
}
