//! What a caller may set: how long, how much.

use std::time::Duration;

use tokio::time::Instant;

use crate::Retry;
use crate::message::DEPTH_LIMIT;

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
    pub(crate) deadline: Option<Instant>,
    pub(crate) reply_limit: usize,
    pub(crate) grace: Duration,
    pub(crate) retry: Retry,
    pub(crate) wait_for_channel: bool,
    pub(crate) shape: Shape,
    pub(crate) skip: Skip,
}

/// How a reply may be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) depth: usize,
    pub(crate) items: usize,
}

/// How much a sync may pass over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) bytes: u64,
    pub(crate) lines: u64,
}

impl Shape {
    /// More levels than these do not decode.
    const DEEPEST: usize = 127;

    pub(crate) const DEFAULT: Self = Self {
        depth: DEPTH_LIMIT,
        items: 100_000,
    };
}

impl Options {
    /// What is said at each method.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            deadline: None,
            reply_limit: 10 * 1024 * 1024,
            grace: Duration::from_secs(2),
            retry: Retry::Safe,
            wait_for_channel: false,
            shape: Shape::DEFAULT,
            skip: Skip {
                bytes: 4 * 1024 * 1024 * 1024,
                lines: 4_000_000,
            },
        }
    }

    /// How long a command may take in all, 30 seconds unless set: waiting for other tasks' commands on the channel,
    /// synchronizing where that is due, sending, and the agent's answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The moment by which all commands with these options have ended, whatever their timeout; `None`, which it
    /// is unless set, sets no such moment. What it ends fails with [`ErrorKind::Deadline`](crate::ErrorKind::Deadline).
    ///
    /// [`Client::within`](crate::Client::within) sets it to a time from now.
    #[must_use]
    pub fn deadline(mut self, deadline: impl Into<Option<Instant>>) -> Self {
        self.deadline = deadline.into();
        self
    }

    /// How long a command may take with these options; see [`timeout`](Self::timeout).
    #[must_use]
    pub const fn command_timeout(&self) -> Duration {
        self.timeout
    }

    /// The longest reply line that is read, in bytes; 10 MiB unless set. A command that
    /// [expects more](crate::QgaCommand::reply_limit) raises it for itself.
    #[must_use]
    pub const fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// How many elements a list in a reply may have, and how many members an object; 100,000 unless
    /// set, and 1 at least. A reply with more is [malformed](crate::Malformed::TooManyItems), not cut.
    #[must_use]
    pub const fn list_limit(mut self, items: usize) -> Self {
        self.shape.items = if items > 1 { items } else { 1 };
        self
    }

    /// How deep a reply may nest, the reply itself counted; 100 unless set, and 127 at most.
    #[must_use]
    pub const fn depth_limit(mut self, levels: usize) -> Self {
        self.shape.depth = if levels < Shape::DEEPEST {
            levels
        } else {
            Shape::DEEPEST
        };
        self
    }

    /// How much may stand in the channel before the answer to a sync: 4 GiB and 4 million lines
    /// unless set. It is dropped as it comes and takes no memory; this limits the work.
    #[must_use]
    pub const fn skip_limit(mut self, bytes: u64, lines: u64) -> Self {
        self.skip = Skip { bytes, lines };
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
    /// - [`Retry::AfterResync`][]: also those of which twice is as good as once.
    /// - [`Retry::Never`][]: none.
    ///
    /// But for the last, any command of which nothing had been sent goes out through the channel that
    /// is opened again. After a timeout nothing is sent again, nor in a [pipeline](crate::Pipeline).
    #[must_use]
    pub const fn retry(mut self, class: Retry) -> Self {
        self.retry = class;
        self
    }

    /// Whether commands wait for a channel that was lost: the client opens it again and again, at least every
    /// two seconds, until the command's time is up, and then tells what failed last. Not so unless set: then a
    /// command fails at once where the channel cannot be opened, and while the client
    /// [pauses](crate::ClientBuilder::pauses).
    ///
    /// A command that waits does not keep the channel from others meanwhile, and is not sent more often for it
    /// than [`retry`](Self::retry) allows. What can [never](crate::Error::is_permanent) come back is not
    /// waited for.
    ///
    /// ```
    /// use qga_core::Options;
    /// use std::time::Duration;
    ///
    /// // Over a restart of the machine.
    /// let patient = Options::new()
    ///     .timeout(Duration::from_secs(120))
    ///     .wait_for_channel(true);
    /// ```
    #[must_use]
    pub const fn wait_for_channel(mut self, wait: bool) -> Self {
        self.wait_for_channel = wait;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
