//! The future of a command.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::de::DeserializeOwned;

use super::Client;
use super::channel::InUse;
use crate::command::NoReply;
use crate::error::Error;
use crate::protocol::{Event, Response, Typed};
use crate::terms::trace::Span;
use crate::terms::{Call, Contact};

/// A command that runs while it is awaited; made by [`Client::execute`](crate::Client::execute).
// Its type does not name the command: where that is none, the compiler would report it at each step
// from the call to the answer, and not only where it stands.
#[must_use = "a command runs only while it is awaited"]
pub struct Execute<'a, R> {
    exchange: Exchange<'a>,
    /// What is awaited where something has to be waited for or done again.
    slow: Option<Slow<'a, R>>,
    no_reply: fn(NoReply) -> Option<R>,
}

/// What a command comes to, and in which contact.
pub(super) type Slow<'a, R> = Pin<Box<dyn Future<Output = Ended<R>> + Send + 'a>>;

type Ended<R> = (Result<R, Error>, Option<Contact>);

/// A command that can be sent at once, whatever its response is.
struct Exchange<'a> {
    client: &'a Client,
    span: Span,
    call: Option<Call<'a>>,
    state: State,
    contact: Option<Contact>,
}

enum State {
    /// Nothing was done yet.
    New,
    /// It was sent, and its answer is waited for.
    Sent(InUse),
    Failed(Error),
    Over,
}

/// What has become of a command.
enum Progress {
    Ended(Result<(), Error>),
    /// Something has to be waited for, or done again after this.
    IsSlow(Option<(InUse, Error)>),
}

impl<'a, R: DeserializeOwned + Send + 'a> Execute<'a, R> {
    #[inline]
    pub(super) fn new(
        client: &'a Client,
        span: Span,
        call: Call<'a>,
        no_reply: fn(NoReply) -> Option<R>,
    ) -> Self {
        Self {
            exchange: Exchange {
                client,
                span,
                call: Some(call),
                state: State::New,
                contact: None,
            },
            slow: None,
            no_reply,
        }
    }

    /// A command that cannot be sent.
    #[cold]
    pub(super) fn failed(
        client: &'a Client,
        span: Span,
        error: Error,
        no_reply: fn(NoReply) -> Option<R>,
    ) -> Self {
        Self {
            exchange: Exchange {
                client,
                span,
                call: None,
                state: State::Failed(error),
                contact: None,
            },
            slow: None,
            no_reply,
        }
    }

    /// The contact in which it has ended, if it had the channel.
    pub(super) fn contact(&self) -> Option<Contact> {
        self.exchange.contact
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        if self.slow.is_none() {
            let mut response = Typed::new(self.no_reply);
            match ready!(self.exchange.poll(cx, &mut response)) {
                Progress::Ended(result) => return Poll::Ready(response.take(result)),
                Progress::IsSlow(failed) => self.go_slow(failed),
            }
        }
        let Some(slow) = &mut self.slow else {
            return Poll::Pending;
        };
        let (result, contact) = ready!(slow.as_mut().poll(cx));
        (self.slow, self.exchange.contact) = (None, contact);
        Poll::Ready(result)
    }

    #[cold]
    fn go_slow(&mut self, failed: Option<(InUse, Error)>) {
        if let Some(call) = self.exchange.call.take() {
            let (client, span) = (self.exchange.client, self.exchange.span.clone());
            let mut response = Typed::new(self.no_reply);
            self.slow = Some(Box::pin(async move {
                let run = client.run(call, failed, span, &mut response);
                let (result, contact) = run.await;
                (response.take(result), contact)
            }));
        }
    }
}

impl Exchange<'_> {
    fn poll(&mut self, cx: &mut Context<'_>, response: &mut dyn Response) -> Poll<Progress> {
        loop {
            match (&mut self.state, &mut self.call) {
                (State::New, Some(call)) => {
                    let Some(mut channel) = self.client.try_acquire(call, cx) else {
                        self.state = State::Over;
                        return Poll::Ready(Progress::IsSlow(None));
                    };
                    channel.send(call, &self.span);
                    self.state = State::Sent(channel);
                }
                (State::Sent(channel), _) => {
                    let event = ready!(channel.driver().poll_event(cx));
                    if let Some(progress) = self.end(event, response) {
                        return Poll::Ready(progress);
                    }
                }
                (State::Failed(_), _) => {
                    if let State::Failed(error) = self.go_over() {
                        return Poll::Ready(Progress::Ended(Err(error)));
                    }
                }
                // Whoever polls again what has ended waits for ever.
                (State::Over | State::New, _) => return Poll::Pending,
            }
        }
    }

    #[inline]
    fn end(&mut self, event: Event, response: &mut dyn Response) -> Option<Progress> {
        let (State::Sent(mut channel), Some(call)) = (self.go_over(), &mut self.call) else {
            return None;
        };
        let result = channel.end(event, call, &self.span, response);
        self.contact = call.contact;
        Some(match result {
            Err(error) if call.waits || call.repeat.allows(&error) => {
                Progress::IsSlow(Some((channel, error)))
            }
            Err(error) => Progress::Ended(Err(error.with_spec(&call.spec))),
            Ok(()) => Progress::Ended(Ok(())),
        })
    }

    #[inline]
    fn go_over(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Over)
    }
}

impl<R> Unpin for Execute<'_, R> {}

impl<'a, R: DeserializeOwned + Send + 'a> Future for Execute<'a, R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let span = this.exchange.span.clone();
        let poll = span.within(|| this.poll_result(cx));
        poll.map(|result| {
            this.exchange.span.end(&result);
            result.map_err(|error| this.exchange.client.locate(error))
        })
    }
}

impl<R> fmt::Debug for Execute<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").finish_non_exhaustive()
    }
}
