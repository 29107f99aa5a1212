//! Reads and writes for all who use a connection.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::inbox::Inbox;
use super::outbox::Outbox;
use super::{CallError, Kept, Listener, Lost, Request, nonsense, oneshot};
use crate::wire::event::Told;
use crate::wire::failure::Failure;
use crate::wire::packet::{Header, Kind, Program, Status};
use crate::wire::xdr::Malformed;

/// After how long a silence the daemon is asked whether it is still there.
const PING_AFTER: Duration = Duration::from_secs(10);
/// After how long a silence it is taken for gone.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// After how long a connection ends that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// Of the program that is for pings.
const PING: u32 = 1;
const PONG: u32 = 2;

/// A call that the daemon has not answered yet.
struct Pending {
    program: Program,
    procedure: u32,
    /// Where its packet ends in all that is written.
    end: u64,
    reply: oneshot::Sender<Result<Vec<u8>, CallError>>,
    /// Dropped with the rest of it.
    _kept: Kept,
}

struct Task {
    inbox: Inbox,
    outbox: Outbox,
    pendings: HashMap<u32, Pending>,
    serial: u32,
    /// When something came last.
    heard: Instant,
    /// Since when no call was in flight.
    used: Instant,
    is_pinged: bool,
    /// Whether nobody can make calls any more.
    is_closing: bool,
    listener: Option<Listener>,
}

/// Serves a connection until it ends or nobody needs it any more.
pub(super) async fn run(
    stream: impl AsyncRead + AsyncWrite + Send,
    mut requests: mpsc::UnboundedReceiver<Request>,
    listener: Option<Listener>,
) {
    let mut task = Task::new(listener);
    let end = task.serve(stream, &mut requests).await;
    let cause = end
        .err()
        .unwrap_or_else(|| io::ErrorKind::NotConnected.into());
    task.end(&cause, &mut requests);
}

impl Task {
    fn new(listener: Option<Listener>) -> Self {
        let now = Instant::now();
        Self {
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            pendings: HashMap::new(),
            serial: 0,
            heard: now,
            used: now,
            is_pinged: false,
            is_closing: false,
            listener,
        }
    }

    async fn serve(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Send,
        requests: &mut mpsc::UnboundedReceiver<Request>,
    ) -> io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(Box::pin(stream));
        while !self.is_done() {
            let wake = self.wake();
            let wants_write = !self.outbox.is_empty();
            tokio::select! {
                read = self.inbox.fill(&mut reader) => match read? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    _ => self.received()?,
                },
                written = self.outbox.write(&mut writer), if wants_write => written?,
                request = requests.recv(), if !self.is_closing => match request {
                    Some(request) => self.send(request),
                    None => self.is_closing = true,
                },
                () = sleep_until(wake) => self.look_at_clock(requests)?,
            }
        }
        Ok(())
    }

    /// Whether nobody waits for anything, nor will.
    fn is_done(&self) -> bool {
        let mut pendings = self.pendings.values();
        self.is_closing && pendings.all(|pending| pending.reply.is_closed())
    }

    fn send(&mut self, request: Request) {
        if request.reply.is_closed() {
            return;
        }
        self.serial = self.serial.wrapping_add(1);
        let header = Header {
            program: request.program,
            procedure: request.procedure,
            kind: Kind::Call,
            serial: self.serial,
            status: Status::Ok,
        };
        let pending = Pending {
            program: request.program,
            procedure: request.procedure,
            end: self.outbox.push(&header.packet(&request.arguments)),
            reply: request.reply,
            _kept: request.kept,
        };
        self.pendings.insert(self.serial, pending);
    }

    /// Takes the packets that are whole.
    fn received(&mut self) -> io::Result<()> {
        self.heard = Instant::now();
        self.is_pinged = false;
        while let Some(packet) = self.inbox.next().map_err(nonsense)? {
            let (header, payload) = Header::split(&packet).map_err(nonsense)?;
            match header.kind {
                Kind::Reply => self.replied(header, payload)?,
                Kind::Message if header.program == Program::Keepalive => {
                    // A daemon that does not read gets no more than one answer.
                    if header.procedure == PING && self.outbox.is_empty() {
                        self.keep_alive(PONG);
                    }
                }
                Kind::Message => {
                    if let Some(listener) = &mut self.listener
                        && let Some(told) = Told::read(&header, payload).map_err(nonsense)?
                    {
                        listener(told);
                    }
                }
                Kind::Call | Kind::Stream => return Err(nonsense(Malformed::BadHeader)),
            }
        }
        Ok(())
    }

    fn replied(&mut self, header: Header, payload: &[u8]) -> io::Result<()> {
        let stray = || nonsense(Malformed::BadHeader);
        let pending = self.pendings.remove(&header.serial).ok_or_else(stray)?;
        if (pending.program, pending.procedure) != (header.program, header.procedure) {
            // Nobody can tell whose reply it is.
            self.pendings.insert(header.serial, pending);
            return Err(stray());
        }
        let result = match header.status {
            Status::Ok => Ok(payload.to_vec()),
            Status::Error => Err(match Failure::decode(payload) {
                Ok(failure) => CallError::Failure(failure),
                Err(malformed) => CallError::Malformed(malformed),
            }),
            Status::Continue => Err(CallError::Malformed(Malformed::BadHeader)),
        };
        // The caller may have gone.
        drop(pending.reply.send(result));
        if self.pendings.is_empty() {
            self.used = Instant::now();
        }
        Ok(())
    }

    fn keep_alive(&mut self, procedure: u32) {
        let header = Header {
            program: Program::Keepalive,
            procedure,
            kind: Kind::Message,
            serial: 0,
            status: Status::Ok,
        };
        self.outbox.push(&header.packet(&[]));
    }

    /// Whether nobody waits for anything.
    fn is_idle(&self) -> bool {
        self.pendings.is_empty() && self.listener.is_none()
    }

    /// When the clock is to be looked at next.
    fn wake(&self) -> Instant {
        let silence = if self.is_pinged {
            GONE_AFTER
        } else {
            PING_AFTER
        };
        let silent = self.heard + silence;
        if self.is_idle() && !self.is_closing {
            silent.min(self.used + IDLE)
        } else {
            silent
        }
    }

    fn look_at_clock(&mut self, requests: &mut mpsc::UnboundedReceiver<Request>) -> io::Result<()> {
        let now = Instant::now();
        if self.is_idle() && self.used + IDLE <= now {
            // What was sent to this task already is still served.
            requests.close();
            self.used = now;
        }
        if self.heard + GONE_AFTER <= now {
            let words = "libvirt's daemon has said nothing for 30 seconds";
            return Err(io::Error::new(io::ErrorKind::TimedOut, words));
        }
        if self.heard + PING_AFTER <= now && !self.is_pinged {
            self.is_pinged = true;
            self.keep_alive(PING);
        }
        Ok(())
    }

    /// Tells all who wait that the connection has ended.
    fn end(mut self, cause: &io::Error, requests: &mut mpsc::UnboundedReceiver<Request>) {
        requests.close();
        let written = self.outbox.written();
        for (_, pending) in self.pendings.drain() {
            let lost = Lost::new(pending.end <= written, cause);
            drop(pending.reply.send(Err(CallError::Lost(lost))));
        }
        while let Ok(request) = requests.try_recv() {
            let lost = Lost::new(false, cause);
            drop(request.reply.send(Err(CallError::Lost(lost))));
        }
    }
}
