//! Making a client.

use std::io;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;

use super::{Client, Shared};
use crate::attachments::Attachments;
use crate::channel::Channel;
use crate::connect::{AnyConnection, Endpoint, closed, connect_error};
use crate::connection::Terms;
use crate::deadline::after;
use crate::error::ErrorKind;
use crate::gate::{Gate, Policy};
use crate::lock::Lock;
use crate::reconnect::{Pauses, Reconnect, open_and_sync};
use crate::{Address, AddressError, Connection, Error, Options};

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
    pub(super) options: Options,
    pub(super) connect_timeout: Duration,
    pub(super) policy: Policy,
    pub(super) lock: bool,
    pub(super) within: Option<Duration>,
    pub(super) pauses: Pauses,
}

impl ClientBuilder {
    /// What holds for every command of the client.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// How long connecting may take, the agent's answer to the sync included. 5 seconds unless
    /// set.
    ///
    /// It is also how long a channel that was lost is given at least before it counts as failed that its agent
    /// does not answer.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long connecting and all commands of the client that it makes may take together, counted from when
    /// connecting begins; see [`Client::within`]. Connecting has its [own limit](Self::connect_timeout) as well.
    ///
    /// A handle that may be used for longer has other [options](Options::deadline):
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
        self.within = Some(time);
        self
    }

    /// Commands that may run; all others fail with [`ErrorKind::NotAllowed`] and are never sent.
    /// Further calls add to them. The client's own syncs go on.
    ///
    /// The names are compared whole and as they are, and nobody knows them all: one that is misspelt
    /// is no error, and the command that was meant does not run.
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
        let allowed = self.policy.allow.get_or_insert_default();
        allowed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Commands that never run, even [allowed](Self::allow) ones: they fail with
    /// [`ErrorKind::NotAllowed`] and are never sent. Further calls add to them.
    ///
    /// A name that is misspelt denies nothing, nor does a list deny what a later agent learns: where
    /// it matters, say what is [allowed](Self::allow) instead.
    pub fn deny<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        let denied = names.into_iter().map(Into::into);
        self.policy.deny.extend(denied);
        self
    }

    /// How long commands fail at once after the channel, which was lost, could not be brought back twice in a
    /// row: from the start of the range, doubled with each further failure, to its end; 200 milliseconds to 30
    /// seconds unless set. Up to half of a pause is taken off by chance, so that many clients do not
    /// move in step. [`Error::retry_after`] tells how much is left.
    pub fn pauses(mut self, pauses: RangeInclusive<Duration>) -> Self {
        let (first, longest) = pauses.into_inner();
        self.pauses = Pauses { first, longest };
        self
    }

    /// Whether to hold a lock on the file `SOCKET.lock` beside a Unix socket, from before the socket
    /// is opened until the last clone of the client is dropped; not so unless set.
    ///
    /// An agent serves one client at a time, and a second one hears nothing. With the lock it is told
    /// so at once, by [`ErrorKind::Held`] with the number of the process that holds the channel. Only clients that
    /// use the lock see each other. A file that is left behind does no harm: what counts is the lock
    /// on it, and the kernel lifts that when its holder ends. The folder must be writable; the file is
    /// made for this user alone, and a link in its place is refused.
    ///
    /// A client without the path of a Unix socket cannot connect with this
    /// ([`ErrorKind::Lock`]), and [`build`](Self::build) takes no notice of it.
    pub fn lock(mut self, lock: bool) -> Self {
        self.lock = lock;
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
        let address = read_address(address)?;
        self.open(Endpoint::Address(Arc::new(address))).await
    }

    /// Connects through a stream that `open` opens, and through another one each time that the
    /// channel is lost: for a transport that has no address here, such as vsock or a tunnel. A command whose
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
        self.start_clock();
        let address = read_address(address)?;
        let lock = self.lock.then(|| Lock::take(Some(&address))).transpose();
        let lock = lock.map_err(|error| error.with_address(Some(&address)))?;
        let endpoint = Endpoint::Address(Arc::new(address));
        let reconnect = self.reconnect(endpoint);
        Ok(self.client(closed(), Some(reconnect), lock))
    }

    /// A client over a stream that is already open; see [`Client::new`].
    pub fn build(mut self, stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Client {
        self.start_clock();
        self.client(Connection::new(Box::pin(stream)), None, None)
    }

    /// The time for everything counts from now.
    fn start_clock(&mut self) {
        if let Some(end) = self.within.map(after) {
            let earlier = self.options.deadline.filter(|deadline| *deadline < end);
            self.options.deadline = earlier.or(Some(end));
        }
    }

    async fn open(mut self, endpoint: Endpoint) -> Result<Client, Error> {
        self.start_clock();
        let terms = Terms::raw(&self.options.timeout(self.connect_timeout));
        let address = endpoint.address().map(|address| &**address);
        let opened = async {
            terms.check_deadline()?;
            let lock = self.lock.then(|| Lock::take(address)).transpose()?;
            Ok((open_and_sync(&endpoint, &terms).await?, lock))
        };
        match opened.await {
            Ok((connection, lock)) => {
                let reconnect = self.reconnect(endpoint).opened();
                Ok(self.client(connection, Some(reconnect), lock))
            }
            Err(error) => Err(Error::with_address(error, address)),
        }
    }

    fn reconnect(&self, endpoint: Endpoint) -> Reconnect {
        Reconnect::new(endpoint, self.connect_timeout, self.pauses)
    }

    fn client(
        self,
        connection: AnyConnection,
        reconnect: Option<Reconnect>,
        lock: Option<Lock>,
    ) -> Client {
        let address = reconnect.as_ref().and_then(Reconnect::address).cloned();
        let channel = Channel::new(connection, reconnect);
        let state = channel.state();
        Client {
            channel: Arc::new(Mutex::new(channel)),
            shared: Arc::new(Shared {
                address,
                attachments: Attachments::default(),
                gate: Arc::new(Gate::new(self.policy)),
                queued: AtomicUsize::new(0),
                state,
                _lock: lock,
            }),
            options: self.options,
        }
    }
}

fn read_address<A>(address: A) -> Result<Address, Error>
where
    A: TryInto<Address, Error: Into<AddressError>>,
{
    let address = address.try_into();
    address.map_err(|error| connect_error(ErrorKind::Address(error.into())))
}
