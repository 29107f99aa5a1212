//! The future of a command.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::de::DeserializeOwned;

use super::Client;
use super::channel::InUse;
use crate::error::Error;
use crate::protocol::Event;
use crate::terms::trace::Span;
use crate::terms::{Call, Contact};

/// A command that runs while it is awaited; made by [`Client::execute`](crate::Client::execute).
// Its type does not name the command: where that is none, the compiler would report it at each step
// from the call to the answer, and not only where it stands.
#[must_use = "a command runs only while it is awaited"]
pub struct Execute<'a, R> {
    client: &'a Client,
    span: Span,
    call: Option<Call<'a, R>>,
    state: State<'a, R>,
    contact: Option<Contact>,
}

enum State<'a, R> {
    /// Nothing was done yet.
    New,
    /// It could be sent at once, and its answer is waited for.
    Sent(InUse),
    /// Something has to be waited for or done again.
    Slow(Pin<Box<dyn Future<Output = Ended<R>> + Send + 'a>>),
    Failed(Error),
    Over,
}

/// What a command has come to, and in which contact.
type Ended<R> = (Result<R, Error>, Option<Contact>);

impl<'a, R: DeserializeOwned + Send + 'a> Execute<'a, R> {
    #[inline]
    pub(super) fn new(client: &'a Client, span: Span, call: Call<'a, R>) -> Self {
        Self {
            client,
            span,
            call: Some(call),
            state: State::New,
            contact: None,
        }
    }

    /// A command that cannot be sent.
    #[cold]
    pub(super) fn failed(client: &'a Client, span: Span, error: Error) -> Self {
        Self {
            client,
            span,
            call: None,
            state: State::Failed(error),
            contact: None,
        }
    }

    /// The contact in which it has ended, if it had the channel.
    pub(super) fn contact(&self) -> Option<Contact> {
        self.contact
    }

    fn poll_state(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, Error>> {
        loop {
            match (&mut self.state, &mut self.call) {
                (State::New, Some(call)) => match self.client.try_acquire(call, cx) {
                    Some(mut channel) => {
                        channel.send(call, &self.span);
                        self.state = State::Sent(channel);
                    }
                    None => self.go_slow(None),
                },
                (State::Sent(channel), _) => {
                    let event = ready!(channel.driver().poll_event(cx));
                    if let Some(result) = self.end(event) {
                        return Poll::Ready(result);
                    }
                }
                (State::Slow(future), _) => {
                    let (result, contact) = ready!(future.as_mut().poll(cx));
                    (self.state, self.contact) = (State::Over, contact);
                    return Poll::Ready(result);
                }
                (State::Failed(_), _) => {
                    if let State::Failed(error) = self.go_over() {
                        return Poll::Ready(Err(error));
                    }
                }
                // Whoever polls again what has ended waits for ever.
                (State::Over | State::New, _) => return Poll::Pending,
            }
        }
    }

    /// The result, unless the command is to be sent again.
    #[inline]
    fn end(&mut self, event: Event) -> Option<Result<R, Error>> {
        let (State::Sent(mut channel), Some(call)) = (self.go_over(), &mut self.call) else {
            return None;
        };
        let result = channel.end(event, call, &self.span);
        self.contact = call.contact;
        match result {
            Err(error) if call.waits || call.repeat.allows(&error) => {
                self.go_slow(Some((channel, error)));
                None
            }
            Err(error) => Some(Err(error.with_spec(&call.spec))),
            Ok(response) => Some(Ok(response)),
        }
    }

    fn go_slow(&mut self, failed: Option<(InUse, Error)>) {
        if let Some(call) = self.call.take() {
            let (client, span) = (self.client, self.span.clone());
            self.state = State::Slow(Box::pin(client.run(call, failed, span)));
        }
    }

    #[inline]
    fn go_over(&mut self) -> State<'a, R> {
        std::mem::replace(&mut self.state, State::Over)
    }
}

impl<R> Unpin for Execute<'_, R> {}

impl<'a, R: DeserializeOwned + Send + 'a> Future for Execute<'a, R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let span = this.span.clone();
        let poll = span.within(|| this.poll_state(cx));
        poll.map(|result| {
            this.span.end(&result);
            result.map_err(|error| this.client.locate(error))
        })
    }
}

impl<R> fmt::Debug for Execute<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").finish_non_exhaustive()
    }
}
