//! What a caller may set: how long, how much.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::RetryClass;
use crate::protocol::{Budget, ReplyLimits, SyncBudget};

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
    pub(crate) reply_timeout: Option<Duration>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) grace: Duration,
    pub(crate) retry: RetryClass,
    pub(crate) wait_for_channel: bool,
    pub(crate) machine: Duration,
    pub(crate) reply: ReplyLimits,
    pub(crate) sync: SyncBudget,
}

impl Options {
    /// The default options; each method says which value it has.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            reply_timeout: None,
            deadline: None,
            grace: Duration::from_secs(2),
            retry: RetryClass::Safe,
            wait_for_channel: false,
            machine: Duration::from_secs(3),
            reply: ReplyLimits::DEFAULT,
            sync: SyncBudget::DEFAULT,
        }
    }

    /// How long a command may take in all, 30 seconds unless set: waiting for other tasks' commands on the channel,
    /// synchronizing where that is due, sending, and the agent's answer.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a command may take with these options; see [`timeout`](Self::timeout).
    #[must_use]
    pub const fn command_timeout(&self) -> Duration {
        self.timeout
    }

    /// How long of that the agent may take to be sent a request and to answer it, once the channel is there and
    /// synchronized; all that is left, unless set. It counts in whole milliseconds.
    ///
    /// This is for a question that matters little: it waits as long as any command for an agent that is
    /// still to come, and not as long for one that does not answer it.
    ///
    /// ```
    /// use qga_core::Options;
    /// use std::time::Duration;
    ///
    /// // The guest may boot yet, but this it answers at once or never.
    /// let brief = Options::new()
    ///     .timeout(Duration::from_secs(60))
    ///     .reply_timeout(Duration::from_secs(2));
    /// ```
    #[must_use]
    pub const fn reply_timeout(mut self, timeout: Duration) -> Self {
        self.reply_timeout = Some(timeout);
        self
    }

    /// How long a command goes on waiting for its agent while the machine does not run, as its host
    /// [tells](crate::ClientBuilder::machine); 3 seconds unless set. Then it ends with
    /// [`ErrorKind::MachineStopped`](crate::ErrorKind::MachineStopped), which names what the machine is: paused,
    /// suspended, stalled, panicked or off. An answer that comes meanwhile counts.
    ///
    /// A machine that is paused may go on, as after a snapshot of it; `Duration::MAX` lets a command wait for that, and for
    /// a machine that is to be switched on again, until its time is up. A command that is answered
    /// [only on failure](crate::Reply::OnErrorOnly), such as `guest-shutdown`, does not end so once it is sent.
    ///
    /// ```
    /// use qga_core::Options;
    /// use std::time::Duration;
    ///
    /// // Over a pause of the machine.
    /// let patient = Options::new()
    ///     .timeout(Duration::from_secs(120))
    ///     .machine_timeout(Duration::MAX);
    /// ```
    #[must_use]
    pub const fn machine_timeout(mut self, timeout: Duration) -> Self {
        self.machine = timeout;
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

    /// With this deadline, unless there is an earlier one.
    pub(crate) fn deadline_at_most(mut self, end: Instant) -> Self {
        let earlier = self.deadline.filter(|deadline| *deadline < end);
        self.deadline = earlier.or(Some(end));
        self
    }

    /// The longest reply line that is read, in bytes; 10 MiB unless set. A command that
    /// [expects more](crate::QgaCommand::reply_limit) raises it for itself.
    #[must_use]
    pub const fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply.bytes = bytes;
        self
    }

    /// How many elements a list in a reply may have, and how many members an object; 100,000 unless
    /// set, and 1 at least. A reply with more is [malformed](crate::Malformed::TooManyItems), not cut.
    #[must_use]
    pub const fn list_limit(mut self, items: usize) -> Self {
        self.reply.items = if items > 1 { items } else { 1 };
        self
    }

    /// How deep a reply may nest, the reply itself counted; 100 unless set, and 127 at most.
    #[must_use]
    pub const fn depth_limit(mut self, levels: usize) -> Self {
        self.reply.depth = if levels < ReplyLimits::DEEPEST {
            levels
        } else {
            ReplyLimits::DEEPEST
        };
        self
    }

    /// How much may stand in the channel before the answer to a sync: 4 GiB and 4 million lines
    /// unless set. It is dropped as it comes and takes no memory; this limits the work.
    #[must_use]
    pub const fn skip_limit(mut self, bytes: u64, lines: u64) -> Self {
        self.sync = SyncBudget { bytes, lines };
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
    /// - [`RetryClass::Safe`], unless set: those that only ask.
    /// - [`RetryClass::AfterResync`][]: also those of which twice is as good as once.
    /// - [`RetryClass::Never`][]: none.
    ///
    /// But for the last, any command of which nothing had been sent goes out through the channel that
    /// is opened again. After a timeout nothing is sent again, nor in a [pipeline](crate::Pipeline).
    #[must_use]
    pub const fn retry(mut self, class: RetryClass) -> Self {
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

impl Options {
    /// What a command has that begins now.
    #[inline]
    pub(crate) fn budget(&self, now: Instant) -> Budget {
        let end = later(now, self.timeout);
        let cut = self.deadline.filter(|deadline| *deadline <= end);
        Budget {
            deadline: cut.unwrap_or(end),
            timeout: cut.map_or(self.timeout, |cut| cut.saturating_duration_since(now)),
            is_shared: cut.is_some(),
            reply_millis: self.reply_timeout.map(millis),
            grace: self.grace,
            reply: self.reply,
            sync: self.sync,
        }
    }
}

impl Budget {
    /// What a request has that is sent now, and its reply.
    pub(crate) fn for_reply(&self, now: Instant) -> Self {
        let Some(millis) = self.reply_millis else {
            return *self;
        };
        let timeout = Duration::from_millis(millis.get().into());
        let deadline = later(now, timeout);
        if deadline >= self.deadline {
            return *self;
        }
        Self {
            deadline,
            timeout,
            is_shared: false,
            ..*self
        }
    }
}

/// In whole milliseconds, and not in none.
fn millis(time: Duration) -> NonZeroU32 {
    let millis = time.as_nanos().div_ceil(1_000_000);
    let millis = u32::try_from(millis).unwrap_or(u32::MAX);
    NonZeroU32::new(millis).unwrap_or(NonZeroU32::MIN)
}

/// The moment so long after another; far away where that overflows.
#[inline]
pub(crate) fn later(from: Instant, time: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let time = if time < FAR { time } else { FAR };
    from.checked_add(time).unwrap_or(from)
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}
