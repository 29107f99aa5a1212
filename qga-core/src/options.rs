//! What a caller may set: how long, how much.

use std::time::Duration;

use crate::Retry;

/// How long a command may take and how much it may bring.
///
/// A client has options for all its commands; [`Client::with_options`](crate::Client::with_options)
/// makes a handle with others, for one call or many.
///
/// ```
/// use qga_core::Options;
/// use std::time::Duration;
///
/// let patient = Options::new().timeout(Duration::from_secs(300));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub(crate) timeout: Duration,
    pub(crate) reply_limit: usize,
    pub(crate) grace: Duration,
    pub(crate) retry: Retry,
}

impl Options {
    /// What is said at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            reply_limit: 10 * 1024 * 1024,
            grace: Duration::from_secs(2),
            retry: Retry::Safe,
        }
    }

    /// How long a command may take in all, 30 seconds unless set: waiting for other tasks' commands on the channel,
    /// synchronizing where that is due, sending, and the agent's answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest reply line that is read, in bytes; 10 MiB unless set. A command that
    /// [expects more](crate::QgaCommand::reply_limit) raises it for itself.
    #[must_use]
    pub const fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// How long to listen for an error after a command that is answered
    /// [only on failure](crate::Reply::OnErrorOnly); 2 seconds unless set.
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Which commands the client sends again by itself, up to three times in all and within their
    /// deadline, when the channel failed: it was closed, or what came is no reply.
    ///
    /// - [`Retry::Safe`], unless set: those that only ask.
    /// - [`Retry::AfterResync`]: also those of which twice is as good as once.
    /// - [`Retry::Never`]: none.
    ///
    /// But for the last, any command of which nothing had been sent goes out through the channel that
    /// is opened again. After a timeout nothing is sent again, nor in a [pipeline](crate::Pipeline).
    #[must_use]
    pub const fn retry(mut self, class: Retry) -> Self {
        self.retry = class;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
