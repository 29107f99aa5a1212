//! Moves the bytes of a connection, and tells those who wait what has become known.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, mem};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Alarm, Call, Link, Open, State};
use crate::failure::{Cause, Step};
use crate::wire::session::{End, Progress, Session, Told};

/// How much is read at once, in bytes.
const READ: usize = 16 * 1024;

/// How often something is read before others of the runtime have their turn.
const TURNS: usize = 32;

/// What a turn has brought.
enum Turn {
    /// Nothing is to be done until the stream or the clock says so.
    Idle,
    More,
    Ended(Cause),
}

impl Link {
    /// Does all that can be done without waiting.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) {
        for _ in 0..TURNS {
            let turn = match mem::replace(&mut self.state, State::Closed) {
                State::Closed => Turn::Idle,
                State::Opening(opening, alarm) => self.poll_opening(opening, alarm, cx),
                State::Open(open) => self.poll_open(open, cx),
            };
            match turn {
                Turn::Idle => return,
                Turn::More => {}
                Turn::Ended(cause) => return self.fail(&cause),
            }
        }
        cx.waker().wake_by_ref();
    }

    fn poll_opening(
        &mut self,
        mut opening: super::Opening,
        mut alarm: Option<Alarm>,
        cx: &mut Context<'_>,
    ) -> Turn {
        match opening.as_mut().poll(cx) {
            Poll::Ready(Ok(stream)) => {
                self.state = State::Open(Box::new(Open {
                    stream,
                    session: Session::new(self.limits),
                    negotiation: Some(Alarm::after(self.connect_timeout)),
                    needs_flush: false,
                }));
                Turn::More
            }
            Poll::Ready(Err(error)) => Turn::Ended(Cause::new(error)),
            Poll::Pending if alarm.as_mut().is_some_and(|alarm| alarm.rings(cx)) => {
                Turn::Ended(self.time_is_up(Step::Open))
            }
            Poll::Pending => {
                self.state = State::Opening(opening, alarm);
                Turn::Idle
            }
        }
    }

    fn poll_open(&mut self, mut open: Box<Open>, cx: &mut Context<'_>) -> Turn {
        for (id, band, request) in self.pending.drain(..) {
            open.session.submit(id, band, request);
        }
        let write_failed = open.write(cx).err();
        let read = open.read(cx);
        let has_read = matches!(read, Poll::Ready(true));
        self.tell(&mut open);
        let end = open.session.take_end();
        let is_over = end.is_some() || matches!(read, Poll::Ready(false));
        let turn = if is_over {
            Turn::Ended(Cause::of_end(end, open.session.is_ready()))
        } else if let Some(error) = write_failed.filter(|_| !has_read) {
            // A peer that has hung up may have answered before.
            Turn::Ended(Cause::of_end(
                Some(End::Closed(Some(error))),
                open.session.is_ready(),
            ))
        } else if let Some(step) = open.overdue(cx) {
            Turn::Ended(self.time_is_up(step))
        } else if has_read {
            Turn::More
        } else {
            Turn::Idle
        };
        // Where it has ended, it is still asked how far each request had come.
        self.state = State::Open(open);
        turn
    }

    fn tell(&mut self, open: &mut Open) {
        while let Some(told) = open.session.poll() {
            match told {
                Told::Ready => self.ready(&open.session),
                Told::Reply(id, Ok(value)) => self.finish(id, Ok(Some(value))),
                Told::Reply(id, Err(error)) => {
                    self.finish(id, Err((Cause::of_agent(error), Progress::Written)));
                }
                Told::Failed(id, failure) => {
                    self.finish(id, Err((Cause::of_failure(failure), Progress::Written)));
                }
                Told::Event(event) => {
                    let event = std::sync::Arc::new(event);
                    for (who, ring) in &mut self.rings {
                        ring.push(event.clone());
                        self.wakers.wake_one(*who);
                    }
                }
                Told::Missed(count) => {
                    for (who, ring) in &mut self.rings {
                        ring.miss(count);
                        self.wakers.wake_one(*who);
                    }
                }
            }
        }
    }

    fn ready(&mut self, session: &Session) {
        self.version = session.greeting().map(|greeting| greeting.version.clone());
        let only_for_this = self
            .calls
            .iter()
            .filter(|(_, call)| matches!(call, Call::Waiting { is_request: false }));
        let only_for_this: Vec<u64> = only_for_this.map(|(id, _)| *id).collect();
        for id in only_for_this {
            self.finish(id, Ok(None));
        }
    }
}

impl Open {
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let bytes = self.session.transmit();
            if bytes.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, bytes)? {
                Poll::Pending => return Ok(()),
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    self.session.transmitted(count);
                    self.needs_flush = true;
                }
            }
        }
        if self.needs_flush && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready() {
            self.needs_flush = false;
        }
        Ok(())
    }

    /// Whether something was read, or the stream has ended.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut room = [std::mem::MaybeUninit::uninit(); READ];
        let mut room = ReadBuf::uninit(&mut room);
        match Pin::new(&mut self.stream).poll_read(cx, &mut room) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if room.filled().is_empty() => {
                self.session.closed(None);
                Poll::Ready(false)
            }
            Poll::Ready(Ok(())) => {
                self.session.received(room.filled());
                Poll::Ready(true)
            }
            Poll::Ready(Err(error)) => {
                self.session.closed(Some(error));
                Poll::Ready(false)
            }
        }
    }

    /// The step of the handshake for which there was not enough time.
    fn overdue(&mut self, cx: &mut Context<'_>) -> Option<Step> {
        if self.session.is_ready() {
            self.negotiation = None;
        }
        let alarm = self.negotiation.as_mut()?;
        alarm.rings(cx).then_some(match self.session.greeting() {
            None => Step::Greeting,
            Some(_) => Step::Negotiation,
        })
    }
}
