//! Making a client.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::channel::{Channel, Reconnect};
use super::driver::Driver;
use super::{Client, Stream};
use crate::error::{AddressError, Error};
use crate::terms::{LockFile, Options, Pauses, Settings, Standstill};
use crate::transport::{
    Address, BlockingEndpoint, BlockingScheme, Direction, Inspector, MachineState, MachineWatch,
    Schemes, read_address, text_of,
};

/// Makes a [`Client`] with timeouts and limits of its own; made by [`Client::builder`]. It has the settings of a
/// [`qga_core::ClientBuilder`](crate::ClientBuilder).
///
/// ```no_run
/// # fn main() -> Result<(), qga_core::Error> {
/// use qga_core::{Options, blocking::Client};
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .connect_timeout(Duration::from_secs(60))
///     .options(Options::new().timeout(Duration::from_secs(10)))
///     .connect("unix:/run/vm1/qga.sock")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is connected to until `connect` or another method that makes a client is called"]
pub struct ClientBuilder {
    settings: Settings,
    machine: Option<watch::Receiver<MachineState>>,
    schemes: Schemes<BlockingScheme>,
}

impl ClientBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::new(),
            machine: None,
            schemes: Schemes::new(),
        }
    }

    /// The timeouts and limits of every command of the client.
    pub fn options(mut self, options: Options) -> Self {
        self.settings.options = options;
        self
    }

    /// How long connecting may take, 5 seconds unless set; see
    /// [`connect_timeout`](crate::ClientBuilder::connect_timeout).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long connecting and all commands may take together; see [`within`](crate::ClientBuilder::within).
    pub fn within(mut self, time: Duration) -> Self {
        self.settings.within = Some(time);
        self
    }

    /// Commands that may run, and no others; see [`allow`](crate::ClientBuilder::allow).
    pub fn allow<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.lists.allow(names);
        self
    }

    /// Commands that never run; see [`deny`](crate::ClientBuilder::deny).
    pub fn deny<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.lists.deny(names);
        self
    }

    /// How long commands fail at once after the channel could not be opened; see
    /// [`pauses`](crate::ClientBuilder::pauses).
    pub fn pauses(mut self, pauses: RangeInclusive<Duration>) -> Self {
        self.settings.pauses = Pauses::from(pauses);
        self
    }

    /// Whether to hold a lock on the channel; see [`lock`](crate::ClientBuilder::lock).
    pub fn lock(mut self, lock: bool) -> Self {
        self.settings.lock = lock;
        self
    }

    /// What the host knows of the machine. A command whose answer does not come, or that waits for a lost channel, ends
    /// then once the machine has not run [for a while](Options::machine_timeout). To open a channel takes its own time.
    pub fn machine(mut self, source: &impl MachineWatch) -> Self {
        self.machine = Some(source.watch());
        self
    }

    /// How addresses of a scheme are opened that this crate does not know; see
    /// [`scheme`](crate::ClientBuilder::scheme).
    pub fn scheme<S: Stream + 'static>(
        mut self,
        name: impl Into<String>,
        open: impl Fn(&str) -> io::Result<S> + Send + Sync + 'static,
    ) -> Self {
        let open = Arc::new(move |rest: &str| {
            open(rest).map(|stream| Box::new(stream) as Box<dyn Stream>)
        });
        self.schemes.add(name.into(), open);
        self
    }

    /// Whether an address of the scheme `exec` may be opened, which runs a program on this host; see
    /// [`exec_scheme`](crate::ClientBuilder::exec_scheme).
    pub fn exec_scheme(mut self, exec: bool) -> Self {
        self.settings.programs.exec = exec;
        self
    }

    /// The program that opens addresses of the scheme `ssh`; see [`ssh`](crate::ClientBuilder::ssh).
    pub fn ssh<W: Into<String>>(mut self, program: impl IntoIterator<Item = W>) -> Self {
        self.settings.programs.set_ssh(program);
        self
    }

    /// Connects; see [`Client::connect`].
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect<A>(self, address: A) -> Result<Client, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let endpoint = self.endpoint(read_address(address)?)?;
        self.open(endpoint)
    }

    /// Connects through a stream that `open` opens, and through another one each time that the channel is lost.
    /// How long `open` may take is its own affair.
    ///
    /// # Errors
    ///
    /// When the stream cannot be opened, or the agent does not answer.
    pub fn connect_with<S: Stream + 'static>(
        self,
        open: impl Fn() -> io::Result<S> + Send + Sync + 'static,
    ) -> Result<Client, Error> {
        self.open(BlockingEndpoint::custom(open))
    }

    /// A client that connects with its first command, for an agent that may not be there yet.
    ///
    /// # Errors
    ///
    /// When the address cannot be read, and when the [lock](Self::lock) cannot be taken, for which the socket must
    /// be there.
    pub fn connect_lazy<A>(mut self, address: A) -> Result<Client, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        self.settings.start_clock(Instant::now());
        let endpoint = self.endpoint(read_address(address)?)?;
        let address = endpoint.address().map(|address| &**address);
        let lock = self.lock_file(address);
        let lock = lock.map_err(|error| error.with_address(address.map(text_of).as_ref()))?;
        let reconnect = self.reconnect(endpoint);
        Ok(self.client(Driver::closed(), Some(reconnect), lock))
    }

    /// Calls `look` with all bytes that go over the channel; see [`inspect`](crate::ClientBuilder::inspect).
    pub fn inspect(mut self, look: impl Fn(Direction, &[u8]) + Send + Sync + 'static) -> Self {
        self.settings.inspector = Inspector::new(look);
        self
    }

    /// A client over a stream that is already open; see [`Client::new`].
    pub fn build(mut self, stream: impl Stream + 'static) -> Client {
        self.settings.start_clock(Instant::now());
        self.settings.without_socket();
        let stream = self.settings.inspector.attach_blocking(Box::new(stream));
        self.client(Driver::handed(stream), None, None)
    }

    fn open(mut self, endpoint: BlockingEndpoint) -> Result<Client, Error> {
        self.settings.start_clock(Instant::now());
        let budget = self.settings.connect_budget(Instant::now());
        let mut reconnect = self.reconnect(endpoint);
        let mut open = || {
            budget.check(Instant::now)?;
            let address = reconnect.endpoint.address().map(|address| &**address);
            let lock = self.lock_file(address)?;
            let machine = self.machine.as_ref();
            let patience = self.settings.options.machine;
            let standstill = Standstill::beginning(machine, patience, Instant::now());
            Ok((reconnect.open_and_sync(&budget, standstill)?, lock))
        };
        match open() {
            Ok((driver, lock)) => Ok(self.client(driver, Some(reconnect), lock)),
            Err(error) => {
                let address = reconnect.endpoint.address();
                let address = address.map(|address| text_of(address));
                Err(Error::with_address(error, address.as_ref()))
            }
        }
    }

    fn endpoint(&self, address: Address) -> Result<BlockingEndpoint, Error> {
        BlockingEndpoint::new(address, &self.schemes, &self.settings.programs)
    }

    fn lock_file(&self, address: Option<&Address>) -> Result<Option<LockFile>, Error> {
        let lock = self.settings.lock;
        lock.then(|| LockFile::take(address)).transpose()
    }

    fn reconnect(&self, endpoint: BlockingEndpoint) -> Reconnect {
        Reconnect {
            endpoint: endpoint.inspected(self.settings.inspector.clone()),
            recovery: self.settings.recovery(),
        }
    }

    fn client(
        self,
        driver: Driver,
        reconnect: Option<Reconnect>,
        lock: Option<LockFile>,
    ) -> Client {
        let address = reconnect
            .as_ref()
            .and_then(|reconnect| reconnect.endpoint.address());
        let address = address.cloned();
        let channel = Channel::new(driver, reconnect);
        Client::of(channel, address, self.settings, self.machine, lock)
    }
}
