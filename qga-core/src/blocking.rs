//! A client without a runtime: its methods return when the agent has answered, or when their time is up.
//!
//! It has the names and the promises of [`qga_core::Client`](crate::Client), and shares with it the protocol, the
//! options, the errors and the commands. It starts no thread.
//!
//! ```
//! use qga_core::QgaCommand;
//! use qga_core::blocking::Client;
//!
//! #[derive(QgaCommand)]
//! #[qga(name = "guest-ping")]
//! struct Ping;
//!
//! fn main() -> Result<(), qga_core::Error> {
//!     let address = "unix:/run/vm1/qga.sock"; // or "tcp:host:port"
//! #   let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
//! #   let agent = runtime.block_on(qga_testserver::TestAgent::start());
//! #   let address = agent.address();
//!     let client = Client::connect(address)?;
//!     client.execute(Ping)?;
//!     Ok(())
//! }
//! ```

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use crate::command::{CommandSpec, NoReply, QgaCommand};
use crate::error::{AddressError, Error, ErrorKind};
use crate::protocol::{Budget, Request, Response, Typed};
use crate::terms::trace::Span;
use crate::terms::{
    Attachments, AwaitHolds, Call, Hold, LockFile, Options, Policy, Repeat, Settings, Standstill,
    Waiting, buffers, later,
};
use crate::transport::{Address, MachineState, connect_error, text_of};

mod builder;
mod channel;
mod driver;
mod pipeline;
mod turns;

pub use crate::transport::BlockingStream as Stream;
pub use builder::ClientBuilder;
use channel::Channel;
use driver::LOOK;
pub use pipeline::Pipeline;
use turns::{InUse, Turns};

/// Talks to one guest agent, from a thread that waits.
///
/// Cloning is cheap, and clones share the channel: their commands run one after the other, in the order in which
/// they came. What is said of [`qga_core::Client`](crate::Client) holds for this one too: how a lost channel is opened
/// again, what is sent again, and what a failed command may have done.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    options: Options,
}

/// What all clones of a client have in common.
struct Shared {
    turns: Turns,
    address: Option<Arc<Address>>,
    attachments: Attachments,
    policy: Arc<Policy>,
    holds_ended: Arc<HoldsEnded>,
    /// What the host knows of the machine.
    machine: Option<watch::Receiver<MachineState>>,
    /// Held until the last clone is dropped.
    _lock: Option<LockFile>,
}

/// How many holds have ended.
#[derive(Default)]
struct HoldsEnded {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Client {
    /// Connects to an agent and waits until it has answered a sync, for 5 seconds in all; see
    /// [`Client::connect`](crate::Client::connect). To look up the name of a host may take longer, since the
    /// system's own resolver does that.
    ///
    /// # Errors
    ///
    /// When the address cannot be read, the socket cannot be opened, or the agent does not answer.
    /// [`Error::stage`] tells which.
    pub fn connect<A>(address: A) -> Result<Self, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self::builder().connect(address)
    }

    /// A client over a stream that is already open. The first command synchronizes.
    pub fn new(stream: impl Stream + 'static) -> Self {
        Self::builder().build(stream)
    }

    /// Sets timeouts and limits before connecting.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    fn of(
        channel: Channel,
        address: Option<Arc<Address>>,
        settings: Settings,
        machine: Option<watch::Receiver<MachineState>>,
        lock: Option<LockFile>,
    ) -> Self {
        let holds_ended = Arc::new(HoldsEnded::default());
        let policy = Policy::new(settings.lists, holds_ended.clone());
        Self {
            shared: Arc::new(Shared {
                turns: Turns::new(channel),
                address,
                attachments: Attachments::default(),
                policy: Arc::new(policy),
                holds_ended,
                machine,
                _lock: lock,
            }),
            options: settings.options,
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
    #[must_use]
    pub fn with_options(&self, options: Options) -> Self {
        Self {
            options,
            ..self.clone()
        }
    }

    /// A handle on the same channel all of whose commands together have so long, counted from now; see
    /// [`Client::within`](crate::Client::within).
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        let end = later(Instant::now(), time);
        self.with_options(self.options.deadline_at_most(end))
    }

    /// What another crate keeps with this channel; see [`Client::attachment`](crate::Client::attachment).
    #[must_use]
    pub fn attachment<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        self.shared.attachments.get()
    }

    /// Closes the channel if nobody uses it, and says whether it is closed now; see
    /// [`Client::close_idle`](crate::Client::close_idle).
    #[must_use = "it tells whether the channel is closed"]
    pub fn close_idle(&self) -> bool {
        let idle = self.shared.turns.try_take();
        idle.is_some_and(|mut channel| channel.close())
    }

    /// Holds commands back, through all clones of this client, until the [`Hold`] is dropped; see
    /// [`Client::hold`](crate::Client::hold).
    pub fn hold(
        &self,
        reason: impl Into<Cow<'static, str>>,
        runs: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Hold {
        self.shared.policy.hold(reason.into(), Box::new(runs))
    }

    /// Whether a command would be sent: neither the client's [lists](ClientBuilder::allow) nor a
    /// [hold](Self::hold) keeps it back.
    #[must_use]
    pub fn allows(&self, command: &str) -> bool {
        self.check(command).is_ok()
    }

    /// Waits until the agent has answered a sync, on a channel that is opened again if it was lost.
    ///
    /// # Errors
    ///
    /// When the channel cannot be had, and when the agent does not answer in time or refuses.
    pub fn sync(&self) -> Result<(), Error> {
        let (budget, waits) = (self.budget(), self.options.wait_for_channel);
        let mut waiting = Waiting::new(&budget, waits, Repeat::Lost);
        let mut standstill = self.standstill();
        loop {
            let tried = budget
                .check(Instant::now)
                .and_then(|()| self.take(&budget)?.sync(&budget, waits));
            match tried {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let end = waiting.for_channel(error, Instant::now());
                    let rested = end.and_then(|end| {
                        let rested = rest(end, standstill.as_mut());
                        rested.map_err(|error| waiting.after(error))
                    });
                    rested.map_err(|error| self.locate(error))?;
                }
            }
        }
    }

    /// Runs a command and returns what the agent answers.
    ///
    /// # Errors
    ///
    /// When the agent answers with an error ([`Error::agent_error`]), and when it does not answer as it should.
    /// [`Error::execution`] tells whether the command may have run.
    pub fn execute<C: QgaCommand>(&self, command: C) -> Result<C::Response, Error> {
        let request = Request::of(&command, buffers::take_line());
        self.run(command.spec(), request, C::no_reply)
    }

    /// Runs a command by its name. Arguments that are null are left out; see
    /// [`Client::execute_raw`](crate::Client::execute_raw).
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    pub fn execute_raw<'a>(
        &self,
        command: impl Into<CommandSpec<'a>>,
        arguments: Value,
    ) -> Result<Value, Error> {
        let spec = command.into();
        let arguments = Some(arguments).filter(|arguments| !arguments.is_null());
        let request = Request::new(spec.name(), arguments.as_ref());
        self.run(spec, request, |how| serde_json::to_value(how).ok())
    }

    /// Runs commands of one type with the next request already written while the agent works on the one before.
    ///
    /// See [`Pipeline`].
    pub fn pipeline<I>(&self, commands: I) -> Pipeline<'_, I::IntoIter>
    where
        I: IntoIterator<Item: QgaCommand>,
    {
        Pipeline::new(self, commands.into_iter())
    }

    fn run<R: DeserializeOwned + Send>(
        &self,
        spec: CommandSpec<'_>,
        request: serde_json::Result<Request>,
        no_reply: fn(NoReply) -> Option<R>,
    ) -> Result<R, Error> {
        let mut response = Typed::new(no_reply);
        let result = self.run_into(spec, request, &mut response);
        response.take(result)
    }

    fn run_into(
        &self,
        spec: CommandSpec<'_>,
        request: serde_json::Result<Request>,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        let span = self.span(spec.name());
        let result = match request {
            Ok(request) => {
                let budget = self.budget();
                let mut call = Call::new(spec, request, &self.options, budget);
                let result = span.within(|| self.run_call(&mut call, &span, response));
                result.map_err(|error| error.with_spec(&call.spec))
            }
            Err(error) => Err(Error::encode(error).with_spec(&spec)),
        };
        span.end(&result);
        result.map_err(|error| self.locate(error))
    }

    fn run_call(
        &self,
        call: &mut Call<'_>,
        span: &Span,
        response: &mut dyn Response,
    ) -> Result<(), Error> {
        let name = call.spec.name.clone();
        let (name, budget) = (&*name, call.budget);
        let mut waiting = Waiting::new(&budget, call.waits, call.repeat);
        let mut standstill = self.standstill();
        loop {
            if let Err(error) = self.admit(name, &budget) {
                return Err(waiting.after(error));
            }
            let tried = budget.check(Instant::now).and_then(|()| {
                let mut channel = self.take(&budget)?;
                self.check(name)?;
                channel.exchange(call, || self.check(name), &mut waiting.sent, span, response)
            });
            match tried {
                Ok(()) => return Ok(()),
                Err(error) if !call.has_request() => return Err(waiting.after(error)),
                Err(error) => {
                    let end = waiting.for_channel(error, Instant::now())?;
                    let rested = rest(end, standstill.as_mut());
                    rested.map_err(|error| waiting.after(error))?;
                }
            }
        }
    }

    /// Takes the channel, with nothing between the next request and its answer.
    fn acquire(&self, name: &str, budget: &Budget) -> Result<InUse<'_>, Error> {
        let waits = self.options.wait_for_channel;
        let mut waiting = Waiting::new(budget, waits, Repeat::Lost);
        let mut standstill = self.standstill();
        loop {
            self.admit(name, budget)?;
            let tried = budget.check(Instant::now).and_then(|()| {
                let mut channel = self.take(budget)?;
                self.check(name)?;
                // A pipeline does not send again what meets a closed channel.
                channel.driver().expect_anything();
                channel.ensure_synced(budget, waits)?;
                Ok(channel)
            });
            match tried {
                Ok(channel) => return Ok(channel),
                Err(error) => {
                    let end = waiting.for_channel(error, Instant::now())?;
                    let rested = rest(end, standstill.as_mut());
                    rested.map_err(|error| waiting.after(error))?;
                }
            }
        }
    }

    /// The machine that somebody tells of, for a wait that begins now.
    fn standstill(&self) -> Option<Standstill> {
        Standstill::beginning(
            self.shared.machine.as_ref(),
            self.options.machine,
            Instant::now(),
        )
    }

    /// Waits until a command may be sent, if what keeps it back is about to end.
    fn admit(&self, name: &str, budget: &Budget) -> Result<(), Error> {
        if self.shared.policy.refusal(name).is_none() {
            return Ok(());
        }
        loop {
            let seen = self.shared.holds_ended.count();
            match self.shared.policy.refusal(name) {
                None => return Ok(()),
                Some(refusal) if refusal.ends_soon() && Instant::now() < budget.deadline => {
                    self.shared.holds_ended.wait(seen, budget.deadline);
                }
                Some(refusal) => return Err(refusal.into_error()),
            }
        }
    }

    /// Whether a command may be sent.
    #[inline]
    fn check(&self, name: &str) -> Result<(), Error> {
        self.shared.policy.check(name)
    }

    /// Waits for the channel.
    fn take(&self, budget: &Budget) -> Result<InUse<'_>, Error> {
        let taken = self.shared.turns.take(budget.deadline);
        let mut channel = taken.ok_or_else(|| budget.ended_in_queue())?;
        channel.driver().standstill = self.standstill();
        Ok(channel)
    }

    /// Whether somebody waits for the channel.
    fn is_awaited(&self) -> bool {
        self.shared.turns.is_awaited()
    }

    fn budget(&self) -> Budget {
        self.options.budget(Instant::now())
    }

    fn span(&self, name: &str) -> Span {
        Span::new(name, self.shared.address.as_deref())
    }

    fn locate(&self, error: Error) -> Error {
        error.with_address(self.shared.address.as_deref().map(text_of).as_ref())
    }
}

impl AwaitHolds for HoldsEnded {
    fn hold_ended(&self) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

impl HoldsEnded {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until more have ended than were seen, until a moment at most.
    fn wait(&self, seen: u64, deadline: Instant) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *count == seen {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(count, left);
            (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Waits until then. The error tells of a machine that does not run.
fn rest(end: Instant, mut standstill: Option<&mut Standstill>) -> Result<(), Error> {
    loop {
        let now = Instant::now();
        let left = end.saturating_duration_since(now);
        match &mut standstill {
            _ if left.is_zero() => return Ok(()),
            None => sleep(left),
            Some(standstill) => match standstill.is_over(now) {
                Some(power) => return Err(connect_error(ErrorKind::MachineStopped(power))),
                None => sleep(left.min(LOOK)),
            },
        }
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
