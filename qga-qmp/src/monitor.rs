//! A client of a monitor.

use std::sync::Arc;
use std::time::Duration;

use qga_core::parts::{self, ByteStream};
use qga_core::{
    Address, AddressError, CommandSpec, Error, ErrorKind, Execution, QgaCommand, Stage,
};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::events::Events;
use crate::later::later;
use crate::link::{Shared, Waiting};
use crate::protocol::{OutOfBand, Qmp};
use crate::request;
use crate::wire::incoming::Version;
use crate::wire::session::{Band, Progress};

mod builder;

pub use builder::MonitorBuilder;

/// A client of a machine's monitor. Clones share one connection.
///
/// ```no_run
/// use qga_qmp::{Monitor, commands::status::QueryStatus};
///
/// # async fn example() -> Result<(), qga_core::Error> {
/// let monitor = Monitor::connect("unix:/run/vm1/qmp.sock").await?;
/// let status = monitor.execute(QueryStatus).await?;
/// println!("{:?}", status.status);
/// # Ok(())
/// # }
/// ```
///
/// There is no task behind it: whoever waits, for a reply or for an event, reads for all who do. Up to four commands are
/// on their way at once, and QEMU answers them in turn; others wait their turn.
///
/// A connection that was lost is opened anew by the next command, if the monitor was made from an
/// [address](Self::connect) or from a [function](MonitorBuilder::connect_with). No command is sent twice. Events in
/// between are lost, which [`Events`] tells.
#[derive(Clone, Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
    timeout: Duration,
    deadline: Option<Instant>,
    kept_events: usize,
}

impl Monitor {
    /// Connects to the monitor at an address, by the [settings](MonitorBuilder) that hold unless set otherwise.
    ///
    /// # Errors
    ///
    /// In [`Stage::Connect`] if the address cannot be read, or if there is nobody who listens: QEMU does not run. In
    /// [`Stage::Negotiate`] with [`is_held`](Error::is_held) if the connection stands and nobody greets: a monitor serves
    /// one client at a time, and another one is there. A QEMU that was stopped (`SIGSTOP`) looks the same.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn connect<A>(address: A) -> Result<Self, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self::builder().connect(address).await
    }

    /// A client over a stream that is open already. Once it has ended, nothing opens it again.
    pub fn new(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Self {
        Self::builder().build(stream)
    }

    /// Settings for another client.
    pub fn builder() -> MonitorBuilder {
        MonitorBuilder::new()
    }

    /// Sends a command and waits for its reply.
    ///
    /// # Errors
    ///
    /// When the reply does not come in [time](MonitorBuilder::timeout), QEMU answers with an error, or the connection
    /// cannot be opened or ends. [`Error::execution`] tells whether the command may have run.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the command is not sent, or it runs and its reply is passed over. Others are not
    /// disturbed.
    pub async fn execute<C: QgaCommand<Qmp>>(&self, command: C) -> Result<C::Response, Error> {
        self.typed(command, Band::In).await
    }

    /// Sends a command past those that QEMU is still busy with, such as a `snapshot-save` that takes long.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute), and from QEMU if this monitor has not offered it.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_oob<C: OutOfBand>(&self, command: C) -> Result<C::Response, Error> {
        self.typed(command, Band::Out).await
    }

    /// Sends a command that is known by its name, and returns what was returned.
    ///
    /// ```no_run
    /// # async fn example(monitor: qga_qmp::Monitor) -> Result<(), qga_core::Error> {
    /// let kvm = monitor.execute_raw("query-kvm", None).await?;
    /// println!("{}", kvm["enabled"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_raw(
        &self,
        command: impl Into<CommandSpec<'_>>,
        arguments: Option<Value>,
    ) -> Result<Value, Error> {
        self.raw(command.into(), arguments, Band::In).await
    }

    /// The same, past those that QEMU is still busy with. Of QEMU's commands, `yank`, `query-yank`, `migrate-pause` and
    /// `migrate-recover` may be sent so.
    ///
    /// # Errors
    ///
    /// As [`execute_oob`](Self::execute_oob).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute).
    pub async fn execute_raw_oob(
        &self,
        command: impl Into<CommandSpec<'_>>,
        arguments: Option<Value>,
    ) -> Result<Value, Error> {
        self.raw(command.into(), arguments, Band::Out).await
    }

    /// What happens to the machine from now on. Each subscriber has events of its own.
    ///
    /// Events are read while somebody waits, for one of them or for a reply. What QEMU tells meanwhile stays in QEMU, so a
    /// program that has asked for events once should listen, or drop them.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(self.shared.clone(), self.kept_events)
    }

    /// Waits until the connection stands, and opens it where it does not.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is lost.
    pub async fn connected(&self) -> Result<(), Error> {
        let waiting = self.shared.begin(None);
        match std::future::poll_fn(|cx| waiting.poll(cx)).await {
            Ok(_) => Ok(()),
            Err((cause, _)) => {
                Err(cause.told_to(None, Progress::Queued, self.shared.address.as_ref()))
            }
        }
    }

    /// The version of QEMU, once it has greeted.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.shared.version()
    }

    /// The address as text, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        self.shared.address.as_deref()
    }

    /// A handle whose commands have so much time each.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        Self {
            timeout,
            ..self.clone()
        }
    }

    /// A handle whose commands have so much time all together, from now on.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        let deadline = Instant::now().checked_add(time);
        Self {
            deadline: deadline.min(self.deadline).or(deadline).or(self.deadline),
            ..self.clone()
        }
    }

    /// A handle whose commands have the time of one, all together.
    pub(crate) fn in_one_time(&self) -> Self {
        self.within(self.timeout)
    }

    /// Whether there is no other connection once this one has ended.
    pub(crate) fn is_single(&self) -> bool {
        self.shared.is_single()
    }

    /// Whether both handles share one connection.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    async fn typed<C: QgaCommand<Qmp>>(
        &self,
        command: C,
        band: Band,
    ) -> Result<C::Response, Error> {
        let spec = command.spec();
        let of_this = |error| self.of_command(&error, &spec);
        let arguments = parts::encode(&command).map_err(of_this)?;
        let value = self.call(&spec, arguments.as_deref(), band).await?;
        parts::decode::<Qmp, C>(value.get()).map_err(of_this)
    }

    async fn raw(
        &self,
        spec: CommandSpec<'_>,
        arguments: Option<Value>,
        band: Band,
    ) -> Result<Value, Error> {
        let encode = |arguments: &Value| parts::encode_arguments(arguments, &spec);
        let arguments = arguments.as_ref().map(encode).transpose();
        let arguments = arguments.map_err(|error| self.of_command(&error, &spec))?;
        let value = self.call(&spec, arguments.as_deref(), band).await?;
        parts::decode_value(value.get(), &spec).map_err(|error| self.of_command(&error, &spec))
    }

    async fn call(
        &self,
        spec: &CommandSpec<'_>,
        arguments: Option<&str>,
        band: Band,
    ) -> Result<Box<RawValue>, Error> {
        let begun = Instant::now();
        let time = self.time_from(begun);
        if time.is_zero() {
            let kind = ErrorKind::Deadline(time);
            return Err(self.error(spec, Stage::Queue, Execution::NotRun, kind));
        }
        let request = |id| request::encode(spec.name(), arguments, id, band);
        let waiting = self.shared.begin(Some((band, &request)));
        let reply = std::future::poll_fn(|cx| waiting.poll(cx));
        match timeout_at(later(begun, time), reply).await {
            Ok(Ok(value)) => Ok(value.unwrap_or_else(request::nothing)),
            Ok(Err((cause, progress))) => {
                Err(cause.told_to(Some(spec), progress, self.shared.address.as_ref()))
            }
            Err(_) => Err(self.late(spec, &waiting, time)),
        }
    }

    /// The time that a command has.
    fn time_from(&self, now: Instant) -> Duration {
        let left = self
            .deadline
            .map(|deadline| deadline.saturating_duration_since(now));
        left.map_or(self.timeout, |left| left.min(self.timeout))
    }

    fn late(&self, spec: &CommandSpec<'_>, waiting: &Waiting, time: Duration) -> Error {
        let (stage, progress) = waiting.stage();
        let execution = match progress {
            Progress::Queued => Execution::NotRun,
            Progress::Writing | Progress::Written => Execution::MaybeRun,
        };
        let kind = if time < self.timeout {
            ErrorKind::Deadline(time)
        } else {
            ErrorKind::Timeout(time)
        };
        self.error(spec, stage, execution, kind)
    }

    fn error(
        &self,
        spec: &CommandSpec<'_>,
        stage: Stage,
        execution: Execution,
        kind: ErrorKind,
    ) -> Error {
        parts::error(
            stage,
            execution,
            kind,
            Some(spec),
            self.shared.address.as_ref(),
        )
    }

    fn of_command(&self, error: &Error, spec: &CommandSpec<'_>) -> Error {
        let address = self.shared.address.as_ref();
        parts::error_again(error, error.execution(), Some(spec), address)
    }

    /// A client over a stream of any kind.
    fn over(shared: Shared, builder: &MonitorBuilder) -> Self {
        Self {
            shared: Arc::new(shared),
            timeout: builder.timeout,
            deadline: None,
            kept_events: builder.kept_events,
        }
    }
}

/// What opens a stream, as one for any kind of stream.
fn any_stream(stream: impl AsyncRead + AsyncWrite + Send + 'static) -> ByteStream {
    ByteStream::new(stream)
}
