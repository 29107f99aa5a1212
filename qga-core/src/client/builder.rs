//! Making a client.

use std::io;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, Notify, watch};

use super::channel::Channel;
use super::driver::Driver;
use super::reconnect::Reconnect;
use super::standstill::Heed;
use super::status::Status;
use super::{Client, Shared, now};
use crate::error::{AddressError, Error};
use crate::terms::{Attachments, LockFile, Openings, Options, Pauses, Policy, Settings};
use crate::transport::{
    Address, Carrier, Direction, Endpoint, Inspector, MachineState, MachineWatch, MessageTransport,
    Scheme, Schemes, open, read_address, text_of,
};

/// Makes a [`Client`] with timeouts and limits of its own.
///
/// ```no_run
/// # async fn example() -> Result<(), qga_core::Error> {
/// use qga_core::{Client, Options};
/// use std::time::Duration;
///
/// let client = Client::builder()
///     .connect_timeout(Duration::from_secs(60))
///     .options(Options::new().timeout(Duration::from_secs(10)))
///     .connect("unix:/run/vm1/qga.sock")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClientBuilder {
    pub(super) settings: Settings,
    pub(super) machine: Option<watch::Receiver<MachineState>>,
    pub(super) schemes: Schemes<Scheme>,
}

/// Connects as a new builder does, by code that is there once.
pub(super) fn connect(
    address: Result<Address, Error>,
) -> Pin<Box<dyn Future<Output = Result<Client, Error>> + Send>> {
    Client::builder().open_address(address)
}

impl ClientBuilder {
    /// The timeouts and limits of every command of the client.
    pub fn options(mut self, options: Options) -> Self {
        self.settings.options = options;
        self
    }

    /// How long connecting may take, the agent's answer to the sync included. 5 seconds unless
    /// set.
    ///
    /// After a channel was lost, an agent that does not answer has at least this long before that counts as a
    /// failure.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long connecting and all commands of the client that it makes may take together, counted from when
    /// connecting begins; see [`Client::within`]. Connecting has its [own limit](Self::connect_timeout) as well.
    ///
    /// A handle without this limit has other [options](Options::deadline):
    /// `client.with_options(client.options().deadline(None))`.
    ///
    /// ```no_run
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # async fn example() -> Result<(), qga_core::Error> {
    /// use qga_core::Client;
    /// use std::time::Duration;
    ///
    /// let ten_seconds = Duration::from_secs(10);
    /// let client = Client::builder().within(ten_seconds).connect("unix:/run/vm1/qga.sock").await?;
    /// client.execute(Ping).await?; // within the same ten seconds
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(mut self, time: Duration) -> Self {
        self.settings.within = Some(time);
        self
    }

    /// As [`within`](Self::within), until a moment that is known already.
    pub(crate) fn deadline(mut self, end: Instant) -> Self {
        let options = &mut self.settings.options;
        *options = options.deadline_at_most(end);
        self
    }

    /// Commands that may run; all others fail with [`ErrorKind::NotAllowed`](crate::ErrorKind::NotAllowed) and are never sent.
    /// Further calls add to them. The client's own syncs go on.
    ///
    /// Names are compared exactly. A misspelt name is not an error, since nobody knows all names; the command that
    /// was meant does not run then.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qga_core::Error> {
    /// let client = qga_core::Client::builder()
    ///     .allow(["guest-ping", "guest-info"])
    ///     .connect("unix:/run/vm1/qga.sock")
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allow<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.lists.allow(names);
        self
    }

    /// Commands that never run, even [allowed](Self::allow) ones: they fail with
    /// [`ErrorKind::NotAllowed`](crate::ErrorKind::NotAllowed) and are never sent. Further calls add to them.
    ///
    /// A misspelt name denies nothing, and a list does not deny the commands of later agents. Where it matters, list
    /// what is [allowed](Self::allow) instead.
    pub fn deny<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.settings.lists.deny(names);
        self
    }

    /// How long commands fail at once after a lost channel could not be brought back twice in a row. The first pause
    /// is the start of the range, each further failure doubles it, and the end of the range is the longest; 200
    /// milliseconds to 30 seconds unless set. Up to half of a pause is taken off by chance, so that many clients do not
    /// move in step. [`Error::retry_after`] tells how much is left.
    pub fn pauses(mut self, pauses: RangeInclusive<Duration>) -> Self {
        self.settings.pauses = Pauses::from(pauses);
        self
    }

    /// Whether to hold a lock on the file `SOCKET.lock` beside a Unix socket, from before the socket
    /// is opened until the last clone of the client is dropped. It is not held unless set.
    ///
    /// An agent serves one client at a time, and a second one hears nothing. With the lock it is told
    /// so at once, by [`ErrorKind::Held`](crate::ErrorKind::Held) with the number of the process that holds the channel. Only clients that
    /// use the lock see each other. A file that is left behind does no harm: what counts is the lock
    /// on it, and the kernel lifts that when its holder ends. The folder must be writable; the file is
    /// made for this user alone, and a link in its place is refused.
    ///
    /// A serial device is locked whenever it is open, whatever is set here. A client whose channel is no Unix socket cannot connect with this
    /// ([`ErrorKind::Lock`](crate::ErrorKind::Lock)), and one that is [built](Self::build) over an open stream refuses all commands
    /// ([`ErrorKind::NotAllowed`](crate::ErrorKind::NotAllowed)).
    pub fn lock(mut self, lock: bool) -> Self {
        self.settings.lock = lock;
        self
    }

    /// What the host knows of the machine, from a source such as the events of libvirt or of QEMU's monitor. Commands
    /// that [wait](Options::wait_for_channel) for a channel that was lost then go on as soon as the guest has opened
    /// its agent's port, and [pauses](Self::pauses) end; commands whose answer does not come end when the machine has not
    /// run [for a while](Options::machine_timeout); and `qga_commands::Guest` proves by it what became of a guest
    /// that was told to go.
    ///
    /// See [`MachineWatch`].
    pub fn machine(mut self, source: &impl MachineWatch) -> Self {
        self.machine = Some(source.watch());
        self
    }

    /// How addresses of a scheme are opened that this crate does not know, as streams of bytes. `open` is given what
    /// stands behind the first colon, each time that the channel is opened.
    ///
    /// A name that does not consist of small letters, digits, `+`, `.` and `-`, and one of a scheme that this crate
    /// knows, is an error when the client connects.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let folder = agent.path().parent().unwrap().to_owned();
    /// # let name = agent.path().file_name().unwrap().to_str().unwrap();
    /// use qga_core::Client;
    /// use tokio::net::UnixStream;
    ///
    /// let client = Client::builder()
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
        let open = Arc::new(move |rest| open::bytes(open(rest)));
        self.schemes.add(name.into(), open);
        self
    }

    /// The same for addresses that lead to a transport of whole messages.
    ///
    /// ```no_run
    /// # struct DomainAgent;
    /// # impl DomainAgent { async fn open(name: String) -> std::io::Result<Self> { Ok(Self) } }
    /// # impl qga_core::MessageTransport for DomainAgent {
    /// #     fn call<'a>(&'a mut self, _: &'a [u8], _: std::time::Instant) -> qga_core::Answering<'a> {
    /// #         Box::pin(async { Err(qga_core::TransportError::closed(None)) })
    /// #     }
    /// # }
    /// # async fn example() -> Result<(), qga_core::Error> {
    /// let client = qga_core::Client::builder()
    ///     .scheme_messages("domain", DomainAgent::open)
    ///     .connect("domain:vm1")
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn scheme_messages<F, O, T>(mut self, name: impl Into<String>, open: F) -> Self
    where
        F: Fn(String) -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        let open = Arc::new(move |rest| open::messages(open(rest)));
        self.schemes.add(name.into(), open);
        self
    }

    /// Whether an address of the scheme `exec` may be opened, which runs a program on this host. It may not unless
    /// set, since an address often comes from a file that somebody else has written.
    ///
    /// The program's standard input and output, which are a socket, are the channel. The last that it wrote to its
    /// standard error, and its exit status, are part of the client's errors. When the client is dropped it is killed,
    /// with the programs that it has started in its process group; that it has ended is taken note of when the next
    /// one starts or is dropped. If this process is killed, the program's input ends.
    ///
    /// The text is split as a shell splits words, in which `#` begins a comment. Nothing else that a shell does is
    /// done: for pipes, variables and `~`, name a shell, as in `exec:sh -c 'one | two'`.
    pub fn exec_scheme(mut self, exec: bool) -> Self {
        self.settings.programs.exec = exec;
        self
    }

    /// The program that opens addresses of the scheme `ssh`, and arguments that come before all others; `ssh` of the
    /// `PATH` unless set. It must take OpenSSH's options.
    ///
    /// ```
    /// # let builder = qga_core::Client::builder();
    /// let builder = builder.ssh(["ssh", "-F", "/etc/hypervisors.conf"]);
    /// ```
    pub fn ssh<W: Into<String>>(mut self, program: impl IntoIterator<Item = W>) -> Self {
        self.settings.programs.set_ssh(program);
        self
    }

    /// Calls `look` with all bytes that go over the channel, in either direction and as they come, for whoever wants to
    /// see what a client and an agent say to each other. A line may come in parts.
    ///
    /// They hold what the commands hold, secrets included: a password that is set, the content of a file.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// use qga_core::{Client, Direction};
    ///
    /// let client = Client::builder()
    ///     .inspect(|direction, bytes| match direction {
    ///         Direction::Sent => eprint!("> {}", bytes.escape_ascii()),
    ///         Direction::Received => eprint!("< {}", bytes.escape_ascii()),
    ///     })
    ///     .connect(address)
    ///     .await?;
    /// client.execute(Ping).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn inspect(mut self, look: impl Fn(Direction, &[u8]) + Send + Sync + 'static) -> Self {
        self.settings.inspector = Inspector::new(look);
        self
    }

    /// Connects; see [`Client::connect`].
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect<A>(self, address: A) -> Result<Client, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        self.open_address(read_address(address)).await
    }

    /// Connects through a stream that `open` opens, and through another one each time that the
    /// channel is lost: for a transport that has no [address](Address) here. A command whose
    /// time is up leaves an opening that is not done to the next command.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let path = agent.path().to_owned();
    /// use qga_core::Client;
    /// use tokio::net::UnixStream;
    ///
    /// let client = Client::builder()
    ///     .connect_with(move || UnixStream::connect(path.clone()))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the stream cannot be opened, or the agent does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect_with<F, O, S>(self, open: F) -> Result<Client, Error>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        self.open(Endpoint::custom(open)).await
    }

    /// A client that connects with its first command, for an agent that may not be there yet.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// use qga_core::{Client, Options};
    /// use std::time::Duration;
    ///
    /// let patient = Options::new()
    ///     .timeout(Duration::from_secs(60))
    ///     .wait_for_channel(true);
    /// let client = Client::builder()
    ///     .options(patient)
    ///     .connect_lazy(address)?; // "unix:/run/vm1/qga.sock"
    /// client.execute(Ping).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the address cannot be read, and when the [lock](Self::lock) cannot be taken, for which the
    /// socket must be there.
    pub fn connect_lazy<A>(mut self, address: A) -> Result<Client, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        self.settings.start_clock(now());
        let endpoint = self.endpoint(read_address(address)?)?;
        let address = endpoint.address().map(|address| &**address);
        let lock = self
            .settings
            .lock
            .then(|| LockFile::take(address))
            .transpose();
        let lock = lock.map_err(|error| error.with_address(address.map(text_of).as_ref()))?;
        let reconnect = self.reconnect(endpoint);
        Ok(self.client(Driver::closed(), Some(reconnect), lock))
    }

    /// A client over a stream that is already open; see [`Client::new`].
    pub fn build(self, stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Client {
        self.build_carrier(Carrier::bytes(stream))
    }

    /// A client over a transport of whole messages that is already open.
    pub fn build_messages(self, transport: impl MessageTransport + 'static) -> Client {
        self.build_carrier(Carrier::messages(transport))
    }

    /// Connects through a transport of whole messages that `open` opens, and through another one each
    /// time that it is lost. Whether an agent answers shows with the first command.
    ///
    /// # Errors
    ///
    /// When the transport cannot be opened.
    ///
    /// # Cancel safety
    ///
    /// As [`Client::connect`].
    pub async fn connect_messages<F, O, T>(self, open: F) -> Result<Client, Error>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        self.open(Endpoint::messages(open)).await
    }

    fn open_address(
        self,
        address: Result<Address, Error>,
    ) -> Pin<Box<dyn Future<Output = Result<Client, Error>> + Send>> {
        Box::pin(async {
            let endpoint = self.endpoint(address?)?;
            self.open_here(endpoint).await
        })
    }

    /// Does so in a box, which is gone afterwards: a task has room for the largest future that it awaits for as
    /// long as it lives.
    fn open(
        self,
        endpoint: Endpoint,
    ) -> Pin<Box<dyn Future<Output = Result<Client, Error>> + Send>> {
        Box::pin(self.open_here(endpoint))
    }

    async fn open_here(mut self, endpoint: Endpoint) -> Result<Client, Error> {
        self.settings.start_clock(now());
        let budget = self.settings.connect_budget(now());
        let mut reconnect = self.reconnect(endpoint);
        let opened = async {
            budget.check(now)?;
            let address = reconnect.address().map(|address| &**address);
            let lock = self
                .settings
                .lock
                .then(|| LockFile::take(address))
                .transpose()?;
            let heed = Heed::new(self.machine.as_ref(), self.settings.options.machine);
            Ok((reconnect.open_and_sync(&budget, heed).await?, lock))
        };
        match opened.await {
            Ok((driver, lock)) => Ok(self.client(driver, Some(reconnect), lock)),
            Err(error) => {
                let address = reconnect.address().map(|address| text_of(address));
                Err(Error::with_address(error, address.as_ref()))
            }
        }
    }

    fn build_carrier(mut self, carrier: Carrier) -> Client {
        self.settings.start_clock(now());
        self.settings.without_socket();
        let carrier = self.settings.inspector.attach(carrier);
        self.client(Driver::new(carrier), None, None)
    }

    fn endpoint(&self, address: Address) -> Result<Endpoint, Error> {
        Endpoint::new(address, &self.schemes, &self.settings.programs)
    }

    fn reconnect(&self, endpoint: Endpoint) -> Reconnect {
        let openings = self.machine.clone().map(Openings::new);
        let endpoint = endpoint.inspected(self.settings.inspector.clone());
        Reconnect::new(endpoint, self.settings.recovery(), openings)
    }

    fn client(
        self,
        driver: Driver,
        reconnect: Option<Reconnect>,
        lock: Option<LockFile>,
    ) -> Client {
        let address = reconnect.as_ref().and_then(Reconnect::address).cloned();
        let status = Arc::new(Status::new(now()));
        let channel = Channel::new(driver, reconnect, status.clone());
        let hold_ended = Arc::new(Notify::new());
        Client {
            channel: Arc::new(Mutex::new(channel)),
            shared: Arc::new(Shared {
                address,
                attachments: Attachments::default(),
                policy: Arc::new(Policy::new(self.settings.lists, hold_ended.clone())),
                hold_ended,
                queued: AtomicUsize::new(0),
                status,
                machine: self.machine,
                _lock: lock,
            }),
            options: self.settings.options,
            contact: None,
        }
    }
}
