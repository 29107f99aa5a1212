//! A client that tasks share.

use std::borrow::Cow;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard, watch};
use tokio::time::{Instant, timeout_at};

use crate::command::{CommandSpec, NoReply, QgaCommand};
use crate::error::{AddressError, Error, ErrorKind, Execution, Stage};
use crate::protocol::{Budget, Request, Response};
use crate::terms::trace::Span;
use crate::terms::{
    Attachments, AwaitHolds, Call, ChannelState, Contact, Hold, LockFile, Options, Policy, Repeat,
    Settings, Waiting, buffers, later,
};
use crate::transport::{Address, MachineState, Schemes, TransportLimits, read_address, text_of};

mod alarm;
mod builder;
mod carried;
mod channel;
mod driver;
mod execute;
mod pipeline;
mod reconnect;
mod rest;
mod standstill;
mod status;
mod watchers;

pub(crate) use alarm::Alarm;
pub use builder::ClientBuilder;
use channel::{Channel, InUse};
pub use execute::Execute;
use execute::Slow;
pub use pipeline::Pipeline;
use rest::Rest;
use standstill::Heed;
use status::Status;

/// Talks to one guest agent.
///
/// Cloning is cheap, and clones share the channel: their commands run one after the other, in
/// the order in which they came.
///
/// A client that was [connected](Self::connect) connects again when its channel was lost. The command that notices
/// the loss does so if it may be [sent again](Options::retry); otherwise the next command does. After two failures in
/// a row the client [pauses](ClientBuilder::pauses) for up to 30 seconds. During a pause commands fail at once with
/// what went wrong last ([`Error::retry_after`]), unless they [wait](Options::wait_for_channel). It counts as a
/// failure if the channel cannot be opened, if it closes at once, and if the agent does not answer within the [time
/// for connecting](ClientBuilder::connect_timeout). It does not count if a caller had less time than that.
///
/// If nothing answers on an open connection, the client closes it after twice the time for connecting and opens
/// another one. It waits twice as long on each further one that is silent, up to a minute.
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
    /// The only contact in which this handle sends something.
    contact: Option<Contact>,
}

/// What all clones of a client have in common beside the channel.
struct Shared {
    address: Option<Arc<Address>>,
    attachments: Attachments,
    policy: Arc<Policy>,
    /// Told whenever a hold has ended.
    hold_ended: Arc<Notify>,
    /// How many wait for the channel while somebody else has it.
    queued: AtomicUsize,
    status: Arc<Status>,
    /// What the host knows of the machine.
    machine: Option<watch::Receiver<MachineState>>,
    /// Held until the last clone is dropped.
    _lock: Option<LockFile>,
}

impl AwaitHolds for Notify {
    fn hold_ended(&self) {
        self.notify_waiters();
    }
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
    /// See [`Address`] for what an address can be; a [`Path`](std::path::Path) is one too. That the socket accepts
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
        builder::connect(read_address(address)).await
    }

    /// A client over a stream that is already open. The first command synchronizes.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self::builder().build(stream)
    }

    /// Sets timeouts and limits before connecting.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            settings: Settings::new(),
            machine: None,
            schemes: Schemes::new(),
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
        self.options.deadline.map(Instant::from)
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

    /// A handle on the same channel whose commands share this much time, counted from now. If this handle has less
    /// time left, the new one has no more than that. A command that is still under way at the end fails with
    /// [`ErrorKind::Deadline`](crate::ErrorKind::Deadline), and its error tells which command it was and how far it
    /// had come. Later commands are not sent.
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
        self.until(later(now(), time))
    }

    /// As [`within`](Self::within), until a moment that is known already.
    pub(crate) fn until(&self, end: std::time::Instant) -> Self {
        self.with_options(self.options.deadline_at_most(end))
    }

    /// The present contact with the agent: while it lasts, the same agent answers.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let (_agent, stream) = qga_testserver::TestAgent::in_memory();
    /// let client = qga_core::Client::new(stream);
    /// client.execute(Ping).await?;
    /// let contact = client.contact();
    /// client.execute(Ping).await?;
    /// assert_eq!(client.contact(), contact);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn contact(&self) -> Contact {
        self.shared.status.contacts.now(now())
    }

    /// How long the agent took to answer the last command that it has answered since a [contact](Self::contact) was
    /// first asked for; `None` before the first. Who waits less for the next answer should not be surprised if it does
    /// not come in time.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let (_agent, stream) = qga_testserver::TestAgent::in_memory();
    /// # let client = qga_core::Client::new(stream);
    /// let _present = client.contact();
    /// client.execute(Ping).await?;
    /// println!("{:?}", client.latency());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.shared.status.contacts.latency()
    }

    /// A handle on the same channel that sends commands in this contact only: once it has ended, they
    /// fail with [`ErrorKind::NotAllowed`] and are not sent, not even to an agent that is connected to
    /// while they wait.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let (_agent, stream) = qga_testserver::TestAgent::in_memory();
    /// # let client = qga_core::Client::new(stream);
    /// client.execute(Ping).await?;
    /// let same_agent = client.in_contact(client.contact());
    /// same_agent.execute(Ping).await?;
    /// tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    /// assert!(same_agent.execute(Ping).await.unwrap_err().is_not_allowed());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn in_contact(&self, contact: Contact) -> Self {
        Self {
            contact: Some(contact),
            ..self.clone()
        }
    }

    /// A value of type `T` that another crate keeps with this channel, such as what it has learned of the agent. All
    /// clones share it. It is created when it is first asked for.
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

    /// The state of the channel, to look at and to wait for changes of it.
    ///
    /// Nobody reads the channel while no command runs, so the next command is the one that notices a loss. The
    /// receiver does not keep the client alive: its [`changed`](https://docs.rs/tokio/latest/tokio/sync/watch/struct.Receiver.html#method.changed) fails once the last clone is dropped.
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
        self.shared
            .status
            .watchers
            .add(|| match self.channel.try_lock() {
                Ok(channel) => channel.state(),
                Err(_) => ChannelState::Busy,
            })
    }

    /// Closes the channel if nobody uses it, and says whether it is closed now. The next command opens it again. So a
    /// program can have more clients than it may have descriptors, and an agent can serve somebody else meanwhile.
    ///
    /// It stays open while a command or a pipeline has it or waits for it, and if the client could not open it again,
    /// as one that was made from a [stream](Self::new). The [contact](Self::contact) with the agent ends. A
    /// [lock](ClientBuilder::lock) is still held, and [`state`](Self::state) is [`Lost`](ChannelState::Lost).
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// let client = qga_core::Client::connect(address).await?; // "unix:/run/vm1/qga.sock"
    /// client.execute(Ping).await?;
    /// assert!(client.close_idle());
    /// client.execute(Ping).await?; // on another connection
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "it tells whether the channel is closed"]
    pub fn close_idle(&self) -> bool {
        match Arc::clone(&self.channel).try_lock_owned() {
            Ok(channel) => InUse::new(channel).close(),
            Err(_) => false,
        }
    }

    /// What the host knows of the machine, if the client was told of [somebody](ClientBuilder::machine) who knows, or its
    /// channel can [tell](crate::MessageTransport::machine). A channel begins to listen when this is called, so that
    /// nothing may be known at first; one that was never open tells nothing.
    #[must_use]
    pub fn machine(&self) -> Option<watch::Receiver<MachineState>> {
        let told = self.shared.machine.clone();
        told.or_else(|| Some(self.shared.status.carried.machine()?.watch()))
    }

    /// What ends a pause of somebody who waits for the channel.
    fn rest(&self) -> Rest {
        let machine = self.shared.machine.clone();
        Rest::new(machine, self.options.machine)
    }

    /// What ends the wait of somebody who has the channel.
    #[inline]
    fn heed(&self) -> Heed {
        Heed::new(self.shared.machine.as_ref(), self.options.machine)
    }

    /// Holds commands back until the [`Hold`] is dropped, for all clones of this client. A command for whose name
    /// `runs` returns false fails at once, with [`ErrorKind::NotAllowed`](crate::ErrorKind::NotAllowed) and the
    /// `reason`. Several holds add up. Commands that wait for the channel are held back too; a command that was
    /// already sent is not. The client's own syncs go on. After [`Hold::ends_soon`] commands wait instead of failing.
    ///
    /// ```no_run
    /// # async fn example(client: qga_core::Client) {
    /// let hold = client.hold("an update is under way", |command| command == "guest-ping");
    /// // Until here only guest-ping runs.
    /// drop(hold);
    /// # }
    /// ```
    ///
    /// `runs` must not use the client, since it is asked while the client looks at its holds.
    pub fn hold(
        &self,
        reason: impl Into<Cow<'static, str>>,
        runs: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Hold {
        self.shared.policy.hold(reason.into(), Box::new(runs))
    }

    /// Whether the client would send a command: neither its [lists](ClientBuilder::allow) nor a [hold](Self::hold)
    /// forbids it. The agent may still refuse it.
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
        let (budget, waits) = (self.budget(), self.options.wait_for_channel);
        let mut rest = self.rest();
        let mut waiting = Waiting::new(&budget, waits, Repeat::Lost);
        loop {
            let tried = async {
                budget.check(now)?;
                self.lock(&budget).await?.sync(&budget, waits).await
            };
            match tried.await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let end = waiting.for_channel(error, now());
                    let rested = match end {
                        Ok(end) => rest.until(end).await.map_err(|error| waiting.after(error)),
                        Err(error) => Err(error),
                    };
                    rested.map_err(|error| self.locate(error))?;
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
        let request = Request::of(&command, buffers::take_line());
        self.executing(command.spec(), request, C::no_reply)
    }

    /// Runs a command as [`execute`](Self::execute) does, and tells the contact in which it was answered: what the
    /// agent hands out belongs to that one. Where there is no answer, it is the present contact.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-file-open", response = i64)]
    /// # struct Open { path: String }
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-file-close")]
    /// # struct Close { handle: i64 }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let (_agent, stream) = qga_testserver::TestAgent::in_memory();
    /// # let client = qga_core::Client::new(stream);
    /// # let open = Open { path: "/etc/hostname".into() };
    /// let (handle, contact) = client.execute_with_contact(open).await;
    /// let close = Close { handle: handle? };
    /// // It is sent to nobody else than who has opened the file.
    /// client.in_contact(contact).execute(close).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Panics
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_with_contact<C: QgaCommand>(
        &self,
        command: C,
    ) -> (Result<C::Response, Error>, Contact) {
        // Whoever has not looked before is told of nothing that came before.
        let _present = self.contact();
        let mut execute = self.execute(command);
        let result = (&mut execute).await;
        let contact = execute.contact().unwrap_or_else(|| self.contact());
        (result, contact)
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
    /// Given only a name, the client assumes that the command is answered, may not be sent twice and holds no
    /// secrets; a [`CommandSpec`] says more. What is answered only on failure, such as `guest-shutdown`,
    /// returns how it ended as a text: `"closed"`, `"silent"` or `"replied"`; see [`NoReply`].
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
    pub async fn execute_raw<'a>(
        &self,
        command: impl Into<CommandSpec<'a>>,
        arguments: Value,
    ) -> Result<Value, Error> {
        let spec = command.into();
        let arguments = Some(arguments).filter(|arguments| !arguments.is_null());
        let request = Request::new(spec.name(), arguments.as_ref());
        self.executing(spec, request, |how| serde_json::to_value(how).ok())
            .await
    }

    /// Runs commands of one type, and writes the next request while the agent still works on the one before. This
    /// saves a round trip for each command.
    ///
    /// See [`Pipeline`].
    pub fn pipeline<I>(&self, commands: I) -> Pipeline<I::IntoIter>
    where
        I: IntoIterator<Item: QgaCommand>,
    {
        Pipeline::new(self.clone(), commands.into_iter())
    }

    /// The longest request and reply that the channel carries; a stream of bytes has no limits. Those of a client that
    /// [connects with its first command](ClientBuilder::connect_lazy) are known from then on.
    #[must_use]
    pub fn transport_limits(&self) -> TransportLimits {
        self.shared.status.carried.limits()
    }

    /// A command on its way, or the error of one that cannot be encoded.
    #[inline]
    fn executing<'a, R: DeserializeOwned + Send + 'a>(
        &'a self,
        spec: CommandSpec<'a>,
        request: serde_json::Result<Request>,
        no_reply: fn(NoReply) -> Option<R>,
    ) -> Execute<'a, R> {
        let span = self.span(spec.name());
        match request {
            Ok(request) => {
                let (options, budget) = (&self.options, self.budget());
                let call = Call::new(spec, request, options, budget);
                Execute::new(self, span, call, no_reply)
            }
            Err(error) => {
                let error = Error::encode(error).with_spec(&spec);
                Execute::failed(self, span, error, no_reply)
            }
        }
    }

    #[inline]
    fn budget(&self) -> Budget {
        self.options.budget(now())
    }

    /// The channel for a command, if it can be sent at once.
    #[inline]
    fn try_acquire(&self, call: &Call<'_>, cx: &mut Context<'_>) -> Option<InUse> {
        let channel = Arc::clone(&self.channel).try_lock_owned().ok()?;
        let mut channel = self.in_use(channel);
        let is_ready = channel.is_ready(cx) && self.check(call.spec.name()).is_ok();
        (is_ready && call.budget.check(now).is_ok()).then_some(channel)
    }

    /// Runs a command that may have to wait, or that has failed once, and tells in which contact.
    fn run<'a>(
        &'a self,
        call: Call<'a>,
        failed: Option<(InUse, Error)>,
        span: Span,
        response: &'a mut dyn Response,
    ) -> Slow<'a, ()> {
        Box::pin(self.run_here(call, failed, span, response))
    }

    async fn run_here(
        &self,
        mut call: Call<'_>,
        mut failed: Option<(InUse, Error)>,
        span: Span,
        response: &mut dyn Response,
    ) -> (Result<(), Error>, Option<Contact>) {
        let name = call.spec.name.clone();
        let (name, budget) = (&*name, call.budget);
        let mut rest = self.rest();
        let mut waiting = Waiting::new(&budget, call.waits, call.repeat);
        waiting.sent = u32::from(failed.is_some());
        let result = loop {
            if failed.is_none()
                && let Err(error) = self.admit(name, &budget).await
            {
                break Err(waiting.after(error));
            }
            let tried = async {
                let (mut channel, before) = if let Some((channel, error)) = failed.take() {
                    (channel, Some(error))
                } else {
                    budget.check(now)?;
                    let channel = self.lock(&budget).await?;
                    self.check(name)?;
                    (channel, None)
                };
                let (check, sent) = (|| self.check(name), &mut waiting.sent);
                channel
                    .exchange(&mut call, check, sent, before, &span, response)
                    .await
            };
            match tried.await {
                Ok(()) => break Ok(()),
                Err(error) if !call.has_request() => break Err(waiting.after(error)),
                Err(error) => match waiting.for_channel(error, now()) {
                    Ok(end) => {
                        if let Err(error) = rest.until(end).await {
                            break Err(waiting.after(error));
                        }
                    }
                    Err(error) => break Err(error),
                },
            }
        };
        let result = result.map_err(|error| error.with_spec(&call.spec));
        (result, call.contact)
    }

    /// Takes the channel, with nothing between the next request and its answer.
    async fn acquire(&self, name: &str, budget: &Budget) -> Result<InUse, Error> {
        let waits = self.options.wait_for_channel;
        let mut rest = self.rest();
        let mut waiting = Waiting::new(budget, waits, Repeat::Lost);
        loop {
            self.admit(name, budget).await?;
            let tried = async {
                budget.check(now)?;
                let mut channel = self.lock(budget).await?;
                self.check(name)?;
                channel.ensure_synced(budget, waits).await?;
                Ok(channel)
            };
            match tried.await {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    let rested = rest.until(waiting.for_channel(error, now())?).await;
                    rested.map_err(|error| waiting.after(error))?;
                }
            }
        }
    }

    /// Waits until a command may be sent, if what keeps it back is about to end.
    async fn admit(&self, name: &str, budget: &Budget) -> Result<(), Error> {
        self.check_contact()?;
        let policy = &self.shared.policy;
        if policy.refusal(name).is_none() {
            return Ok(());
        }
        loop {
            let mut ended = pin!(self.shared.hold_ended.notified());
            ended.as_mut().enable();
            let Some(refusal) = policy.refusal(name) else {
                return Ok(());
            };
            let deadline = budget.deadline.into();
            if !refusal.ends_soon() || timeout_at(deadline, ended).await.is_err() {
                return Err(refusal.into_error());
            }
        }
    }

    /// Whether a command may be sent.
    #[inline]
    fn check(&self, name: &str) -> Result<(), Error> {
        self.shared.policy.check(name)?;
        self.check_contact()
    }

    /// Whether this handle's contact goes on.
    fn check_contact(&self) -> Result<(), Error> {
        match self.contact {
            Some(contact) if contact != self.contact() => {
                let reason = "another agent may answer by now".into();
                let kind = ErrorKind::NotAllowed(reason);
                Err(Error::new(Stage::Send, Execution::NotRun, kind))
            }
            _ => Ok(()),
        }
    }

    /// Waits for the channel.
    async fn lock(&self, budget: &Budget) -> Result<InUse, Error> {
        if let Ok(channel) = Arc::clone(&self.channel).try_lock_owned() {
            return Ok(self.in_use(channel));
        }
        let _queued = Queued::new(&self.shared.queued);
        let locked = Arc::clone(&self.channel).lock_owned();
        match timeout_at(budget.deadline.into(), locked).await {
            Ok(channel) if now() < budget.deadline => Ok(self.in_use(channel)),
            _ => Err(budget.ended_in_queue()),
        }
    }

    /// The channel in the hands of somebody who waits for the agent.
    #[inline]
    fn in_use(&self, channel: OwnedMutexGuard<Channel>) -> InUse {
        let mut channel = InUse::new(channel);
        channel.driver().heed = self.heed();
        channel
    }

    /// Whether somebody waits for the channel.
    pub(crate) fn is_awaited(&self) -> bool {
        self.shared.queued.load(Ordering::Relaxed) > 0
    }

    /// What a subscriber hears of a command.
    #[inline]
    pub(crate) fn span(&self, name: &str) -> Span {
        Span::new(name, self.shared.address.as_deref())
    }

    pub(crate) fn locate(&self, error: Error) -> Error {
        error.with_address(self.shared.address.as_deref().map(text_of).as_ref())
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

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
