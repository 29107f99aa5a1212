//! Making a guest.

use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use qga_core::{
    Address, AddressError, Client, ClientBuilder, Direction, MachineWatch, MessageTransport,
    Options,
};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Guest, GuestError};

/// Makes a [`Guest`] with timeouts and limits of its own; made by [`Guest::builder`]. It has the settings of a
/// [`ClientBuilder`].
///
/// ```no_run
/// # async fn example() -> Result<(), qga_commands::GuestError> {
/// use qga_commands::{Guest, policy};
/// use std::time::Duration;
///
/// let guest = Guest::builder()
///     .within(Duration::from_secs(60)) // connecting and all that follows
///     .allow(policy::read_only())
///     .connect("unix:/run/vm1/qga.sock")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is connected to until `connect`, `connect_ready`, `connect_with` or `build` is called"]
pub struct GuestBuilder {
    client: ClientBuilder,
    pub(super) within: Option<Duration>,
}

impl GuestBuilder {
    pub(super) fn new() -> Self {
        Self {
            client: Client::builder(),
            within: None,
        }
    }

    /// The client's settings alone.
    pub(crate) fn into_client(self) -> ClientBuilder {
        self.client
    }

    /// What holds for every command; see [`ClientBuilder::options`].
    pub fn options(mut self, options: Options) -> Self {
        self.client = self.client.options(options);
        self
    }

    /// How long connecting may take, 5 seconds unless set; see [`ClientBuilder::connect_timeout`].
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.client = self.client.connect_timeout(timeout);
        self
    }

    /// How long connecting and all commands may take together; see [`ClientBuilder::within`] and
    /// [`Guest::within`].
    pub fn within(mut self, time: Duration) -> Self {
        self.client = self.client.within(time);
        self.within = Some(time);
        self
    }

    /// Commands that may run, and no others; see [`ClientBuilder::allow`].
    pub fn allow<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.client = self.client.allow(names);
        self
    }

    /// Commands that never run; see [`ClientBuilder::deny`].
    pub fn deny<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.client = self.client.deny(names);
        self
    }

    /// How long commands fail at once after the channel could not be opened; see
    /// [`ClientBuilder::pauses`].
    pub fn pauses(mut self, pauses: RangeInclusive<Duration>) -> Self {
        self.client = self.client.pauses(pauses);
        self
    }

    /// Whether to hold a lock on the channel; see [`ClientBuilder::lock`].
    pub fn lock(mut self, lock: bool) -> Self {
        self.client = self.client.lock(lock);
        self
    }

    /// What the host knows of the machine; see [`ClientBuilder::machine`].
    pub fn machine(mut self, source: &impl MachineWatch) -> Self {
        self.client = self.client.machine(source);
        self
    }

    /// Calls `look` with all bytes that go over the channel, secrets included; see [`ClientBuilder::inspect`].
    pub fn inspect(mut self, look: impl Fn(Direction, &[u8]) + Send + Sync + 'static) -> Self {
        self.client = self.client.inspect(look);
        self
    }

    /// How addresses of another scheme are opened; see [`ClientBuilder::scheme`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let folder = agent.path().parent().unwrap().to_owned();
    /// # let name = agent.path().file_name().unwrap().to_str().unwrap();
    /// use qga_commands::Guest;
    /// use tokio::net::UnixStream;
    ///
    /// let guest = Guest::builder()
    ///     .scheme("vm", move |name| UnixStream::connect(folder.join(name)))
    ///     .connect(format!("vm:{name}"))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn scheme<F, O, S>(mut self, name: impl Into<String>, open: F) -> Self
    where
        F: Fn(String) -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.client = self.client.scheme(name, open);
        self
    }

    /// The same for addresses that lead to a transport of whole messages; see [`ClientBuilder::scheme_messages`].
    pub fn scheme_messages<F, O, T>(mut self, name: impl Into<String>, open: F) -> Self
    where
        F: Fn(String) -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        self.client = self.client.scheme_messages(name, open);
        self
    }

    /// Whether an address of the scheme `exec` may be opened, which runs a program on this host; see
    /// [`ClientBuilder::exec_scheme`].
    pub fn exec_scheme(mut self, exec: bool) -> Self {
        self.client = self.client.exec_scheme(exec);
        self
    }

    /// The program that opens addresses of the scheme `ssh`; see [`ClientBuilder::ssh`].
    pub fn ssh<W: Into<String>>(mut self, program: impl IntoIterator<Item = W>) -> Self {
        self.client = self.client.ssh(program);
        self
    }

    /// Connects to a guest's agent; see [`ClientBuilder::connect`].
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect<A>(self, address: A) -> Result<Guest, GuestError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Ok(Guest::new(self.client.connect(address).await?))
    }

    /// Connects through streams that `open` opens; see [`ClientBuilder::connect_with`].
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect_with`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect_with<F, O, S>(self, open: F) -> Result<Guest, GuestError>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        Ok(Guest::new(self.client.connect_with(open).await?))
    }

    /// Connects through exchanges of messages that `open` opens; see [`ClientBuilder::connect_messages`].
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect_messages`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect_messages<F, O, T>(self, open: F) -> Result<Guest, GuestError>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        Ok(Guest::new(self.client.connect_messages(open).await?))
    }

    /// A guest that is connected to by its first command; see [`ClientBuilder::connect_lazy`].
    ///
    /// # Errors
    ///
    /// As [`ClientBuilder::connect_lazy`].
    pub fn connect_lazy<A>(self, address: A) -> Result<Guest, GuestError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Ok(Guest::new(self.client.connect_lazy(address)?))
    }

    /// A guest behind a stream that is already open; see [`ClientBuilder::build`].
    pub fn build(self, stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Guest {
        Guest::new(self.client.build(stream))
    }

    /// A guest behind an exchange of messages that is already open; see [`ClientBuilder::build_messages`].
    pub fn build_messages(self, transport: impl MessageTransport + 'static) -> Guest {
        Guest::new(self.client.build_messages(transport))
    }
}
