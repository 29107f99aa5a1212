//! A client that tasks share.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout_at};

use crate::attachments::Attachments;
use crate::channel::Channel;
use crate::connection::Terms;
use crate::deadline::after;
use crate::error::{Execution, Stage};
use crate::gate::{Gate, Hold, Policy};
use crate::lock::Lock;
use crate::message::Request;
use crate::reconnect::Pauses;
use crate::state::{ChannelState, InUse, Status};
use crate::sync::Ids;
use crate::trace::Span;
use crate::{Address, AddressError, Error, Options, Pipeline, QgaCommand};

mod builder;
mod execute;
mod waiting;

pub use builder::ClientBuilder;
pub use execute::Execute;
use waiting::Waiting;

/// Talks to one guest agent.
///
/// Cloning is cheap, and clones share the channel: their commands run one after the other, in
/// the order in which they came.
///
/// A client that was [connected](Self::connect) connects again when the channel was lost: with the
/// command that notices the loss if that may be [sent again](Options::retry), else with the next one,
/// within that command's deadline. After two failures in a row there is a [pause](ClientBuilder::pauses), of up to 30 seconds, in which
/// commands fail at once with what went wrong last ([`Error::retry_after`]), unless they
/// [wait](Options::wait_for_channel). A failure is that the channel cannot be opened or closes at once, and
/// that the agent does not answer within the [time for connecting](ClientBuilder::connect_timeout); that a
/// caller has less time is none.
///
/// A connection that is open and on which nothing answers is closed after twice that time, and another one is
/// opened; if that one is silent too, after twice as long, up to a minute.
///
/// ```no_run
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-ping")]
/// # struct Ping;
/// # async fn example() -> Result<(), qga_core::Error> {
/// let client = qga_core::Client::connect("unix:/run/vm1/qga.sock").await?;
/// client.execute(Ping).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    channel: Arc<Mutex<Channel>>,
    shared: Arc<Shared>,
    options: Options,
}

/// What all clones of a client have in common beside the channel.
struct Shared {
    address: Option<Arc<Address>>,
    attachments: Attachments,
    gate: Arc<Gate>,
    /// How many wait for the channel while somebody else has it.
    queued: AtomicUsize,
    state: Arc<Status>,
    /// Held until the last clone is dropped.
    _lock: Option<Lock>,
}

/// One that waits for the channel while somebody else has it.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Client {
    /// Connects to an agent and waits until it has answered a sync, for 5 seconds in all.
    ///
    /// The address is `unix:/path`, a bare path, `tcp:host:port`, or a
    /// [`Path`](std::path::Path). That the socket accepts
    /// proves nothing: a machine's socket does so while the guest boots, and while another
    /// client holds the channel.
    ///
    /// # Errors
    ///
    /// When the address cannot be read, the socket cannot be opened, or the agent does not
    /// answer. [`Error::stage`] tells which.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection.
    pub async fn connect<A>(address: A) -> Result<Self, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self::builder().connect(address).await
    }

    /// A client over a stream that is already open. The first command synchronizes.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self::builder().build(stream)
    }

    /// Sets timeouts and limits before connecting.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            options: Options::new(),
            connect_timeout: Duration::from_secs(5),
            policy: Policy::default(),
            lock: false,
            within: None,
            pauses: Pauses::default(),
        }
    }

    /// The options of this handle.
    #[must_use]
    pub fn options(&self) -> Options {
        self.options
    }

    /// The agent's address, if the client was made from one.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        self.shared.address.as_deref()
    }

    /// The moment by which all commands of this handle have ended, if there is [one](Self::within).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.options.deadline
    }

    /// A handle on the same channel with other options.
    ///
    /// ```no_run
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-fstrim")]
    /// # struct Fstrim;
    /// # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
    /// use std::time::Duration;
    ///
    /// let patient = client.options().timeout(Duration::from_secs(600));
    /// client.with_options(patient).execute(Fstrim).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_options(&self, options: Options) -> Self {
        Self {
            options,
            ..self.clone()
        }
    }

    /// A handle on the same channel all of whose commands together have so long, counted from now. It never
    /// lengthens what this handle has. What is still under way then fails with [`ErrorKind::Deadline`](crate::ErrorKind::Deadline), and tells
    /// which command it was and how far it had come; what is begun later is not sent.
    ///
    /// ```no_run
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-fstrim")]
    /// # struct Fstrim;
    /// # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
    /// use std::time::Duration;
    ///
    /// let limited = client.within(Duration::from_secs(60));
    /// limited.execute(Ping).await?;
    /// limited.execute(Fstrim).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`ClientBuilder::within`] counts the connecting too.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        let end = after(time);
        let end = self
            .options
            .deadline
            .map_or(end, |earlier| earlier.min(end));
        self.with_options(self.options.deadline(end))
    }

    /// What another crate keeps with this channel, such as what it has learned of the agent. All
    /// clones share it; it is made when it is first asked for.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use std::sync::OnceLock;
    ///
    /// # let (_agent, stream) = tokio::io::duplex(64);
    /// let client = qga_core::Client::new(stream);
    /// client.attachment::<OnceLock<u32>>().set(7).unwrap();
    /// assert_eq!(client.clone().attachment::<OnceLock<u32>>().get(), Some(&7));
    /// # }
    /// ```
    #[must_use]
    pub fn attachment<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.attachments.get()
    }

    /// What the channel does, to look at or to wait for changes.
    ///
    /// Nobody reads the channel while no command runs, so a loss is noticed by the next command. The receiver keeps
    /// nothing alive: its [`changed`](https://docs.rs/tokio/latest/tokio/sync/watch/struct.Receiver.html#method.changed) fails once the last clone is dropped.
    ///
    /// ```
    /// use qga_core::ChannelState;
    ///
    /// # let (_agent, stream) = tokio::io::duplex(64);
    /// let client = qga_core::Client::new(stream);
    /// assert_eq!(*client.state().borrow(), ChannelState::Ready);
    /// ```
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ChannelState> {
        self.shared.state.watch()
    }

    /// Holds commands back on the host, through all clones of this client, until the [`Hold`] is
    /// dropped: each for whose name `runs` is false fails at once with
    /// [`ErrorKind::NotAllowed`](crate::ErrorKind::NotAllowed) and the `reason`. Several holds add up. What waits for the channel, or
    /// is about to be sent after a sync, is held back too; what is on its way to the agent is not. The
    /// client's own syncs go on. With [`Hold::ends_soon`] commands wait instead.
    ///
    /// ```no_run
    /// # async fn example(client: qga_core::Client) {
    /// let hold = client.hold("an update is under way", |command| command == "guest-ping");
    /// // Until here only guest-ping runs.
    /// drop(hold);
    /// # }
    /// ```
    pub fn hold(&self, reason: impl Into<Cow<'static, str>>, runs: fn(&str) -> bool) -> Hold {
        self.shared.gate.hold(reason.into(), runs)
    }

    /// Whether a command would be sent: neither the client's [lists](ClientBuilder::allow) nor a
    /// [hold](Self::hold) keeps it back. What the agent says to it is another matter.
    ///
    /// ```
    /// # let (_agent, stream) = tokio::io::duplex(64);
    /// let client = qga_core::Client::builder().deny(["guest-exec"]).build(stream);
    /// assert!(client.allows("guest-ping") && !client.allows("guest-exec"));
    /// ```
    #[must_use]
    pub fn allows(&self, command: &str) -> bool {
        self.check(command).is_ok()
    }

    /// Waits until the agent has answered a sync, on a channel that is opened again if it was lost. This shows
    /// that an agent is there, whatever commands it and this client let pass.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// let client = qga_core::Client::connect(address).await?; // "unix:/run/vm1/qga.sock"
    /// client.sync().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the channel cannot be had, and when the agent does not answer in time or refuses.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing runs in the guest.
    ///
    /// # Panics
    ///
    /// As [`execute`](Self::execute).
    pub async fn sync(&self) -> Result<(), Error> {
        let terms = Terms::raw(&self.options);
        let mut waiting = Waiting::new(&terms);
        loop {
            let tried = async {
                terms.check_deadline()?;
                self.lock(&terms).await?.sync(&terms).await
            };
            match tried.await {
                Ok(_) => return Ok(()),
                Err(error) => {
                    let waited = waiting.for_channel(error).await;
                    waited.map_err(|error| self.locate(error))?;
                }
            }
        }
    }

    /// Runs a command and returns what the agent answers.
    ///
    /// # Errors
    ///
    /// When the agent answers with an error ([`Error::agent_error`]), and when it does not
    /// answer as it should. [`Error::execution`] tells whether the command may have run.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time; the next command on the channel synchronizes
    /// first. The dropped command may have run, and until that next command the agent may be busy
    /// with the reply that nobody reads.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with time enabled.
    pub fn execute<'a, C: QgaCommand + 'a>(&'a self, command: C) -> Execute<'a, C::Response> {
        Execute::new(async move {
            let terms = Terms::new(&command, &self.options);
            self.exchange(C::NAME, || Request::new(&command), terms)
                .await
                .map_err(|error| error.with_command(C::NAME).with_check(C::CHECK))
        })
    }

    /// Runs a command by its name. Arguments that are null are left out.
    ///
    /// ```no_run
    /// # async fn example(client: qga_core::Client) -> Result<(), qga_core::Error> {
    /// use serde_json::{Value, json};
    ///
    /// client.execute_raw("guest-ping", Value::Null).await?;
    /// let opened = client
    ///     .execute_raw("guest-file-open", json!({"path": "/etc/hostname"}))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A [`Value`] takes up to a hundred times the memory of its text: for a guest that you do not
    /// trust, lower the [limit](Options::reply_limit) or use a type.
    ///
    /// A command that is answered only on failure, such as `guest-shutdown`, ends in a timeout
    /// or a closed channel here; derive it with `no_response` instead.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Panics
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_raw(&self, name: &str, arguments: Value) -> Result<Value, Error> {
        let terms = Terms::raw(&self.options);
        self.exchange(name, || Request::raw(name, &arguments), terms)
            .await
            .map_err(|error| error.with_command(name.to_owned()))
    }

    /// Runs commands of one type with the next request already written while the agent works on
    /// the one before, which saves a way there and back for each.
    ///
    /// See [`Pipeline`].
    pub fn pipeline<I>(&self, commands: I) -> Pipeline<I::IntoIter>
    where
        I: IntoIterator<Item: QgaCommand>,
    {
        Pipeline::new(self.clone(), commands.into_iter())
    }

    async fn exchange<R: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        encode: impl Fn() -> serde_json::Result<Request>,
        terms: Terms,
    ) -> Result<R, Error> {
        let encode = || {
            self.check(name)?;
            encode().map_err(Error::encode)
        };
        let span = self.span(name);
        // Pinned, so that it is not moved.
        let exchange = pin!(async {
            let mut waiting = Waiting::new(&terms);
            loop {
                self.admit(name, &terms)
                    .await
                    .map_err(|error| waiting.after(error))?;
                let tried = async {
                    let request = encode()?;
                    terms.check_deadline()?;
                    let mut channel = self.lock(&terms).await?;
                    self.check(name)?;
                    let (check, sent) = (|| self.check(name), &mut waiting.sent);
                    channel
                        .exchange(request, encode, check, sent, &terms, &span)
                        .await
                };
                match tried.await {
                    Ok(response) => return Ok(response),
                    Err(error) => waiting.for_channel(error).await?,
                }
            }
        });
        let result = span.around(exchange).await;
        result.map_err(|error| self.locate(error))
    }

    /// Takes the channel, with nothing between the next request and its answer.
    pub(crate) async fn acquire(&self, name: &str, terms: &Terms) -> Result<(InUse, Ids), Error> {
        let mut waiting = Waiting::new(terms);
        loop {
            self.admit(name, terms).await?;
            let tried = async {
                terms.check_deadline()?;
                let mut channel = self.lock(terms).await?;
                self.check(name)?;
                let ids = channel.begin(terms).await?;
                Ok((channel, ids))
            };
            match tried.await {
                Ok(taken) => return Ok(taken),
                Err(error) => waiting.for_channel(error).await?,
            }
        }
    }

    /// Waits until a command may be sent, if that is worth while.
    async fn admit(&self, name: &str, terms: &Terms) -> Result<(), Error> {
        self.shared.gate.admit(name, terms.wait.deadline).await
    }

    /// Whether a command may be sent.
    pub(crate) fn check(&self, name: &str) -> Result<(), Error> {
        self.shared.gate.check(name)
    }

    /// Waits for the channel.
    async fn lock(&self, terms: &Terms) -> Result<InUse, Error> {
        let channel = self.channel.clone();
        if let Ok(channel) = channel.clone().try_lock_owned() {
            return Ok(InUse::new(channel));
        }
        let _queued = Queued::new(&self.shared.queued);
        timeout_at(terms.wait.deadline, channel.lock_owned())
            .await
            .map(InUse::new)
            .map_err(|_| Error::new(Stage::Queue, Execution::NotRun, terms.time_is_up()))
    }

    /// Whether somebody waits for the channel.
    pub(crate) fn is_awaited(&self) -> bool {
        self.shared.queued.load(Ordering::Relaxed) > 0
    }

    /// What a subscriber hears of a command.
    pub(crate) fn span(&self, name: &str) -> Span {
        Span::new(name, self.shared.address.as_deref())
    }

    pub(crate) fn locate(&self, error: Error) -> Error {
        error.with_address(self.shared.address.as_deref())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.shared.address)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
