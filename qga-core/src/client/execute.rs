//! The future of a command.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::Error;

/// A command that runs while it is awaited; made by [`Client::execute`](crate::Client::execute).
// Its type does not name the command: where that is none, the compiler would report it at each step
// from the call to the answer, and not only where it stands.
#[must_use = "a command runs only while it is awaited"]
pub struct Execute<'a, R>(Pin<Box<dyn Future<Output = Result<R, Error>> + Send + 'a>>);

impl<'a, R> Execute<'a, R> {
    pub(super) fn new(future: impl Future<Output = Result<R, Error>> + Send + 'a) -> Self {
        Self(Box::pin(future))
    }
}

impl<R> Future for Execute<'_, R> {
    type Output = Result<R, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<R> fmt::Debug for Execute<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute").finish_non_exhaustive()
    }
}
