//! Many guests as one.
//!
//! ```
//! # #[derive(Clone, qga_core::QgaCommand)]
//! # #[qga(name = "guest-get-host-name", response = serde_json::Value)]
//! # struct GetHostName;
//! use std::time::Duration;
//!
//! use qga_core::Fleet;
//!
//! #[tokio::main]
//! async fn main() {
//!     let addresses = ["unix:/run/vm1/qga.sock", "unix:/run/vm2/qga.sock"];
//! #   let agents = [qga_testserver::TestAgent::start().await, qga_testserver::TestAgent::start().await];
//! #   let addresses = agents.each_ref().map(|agent| agent.address());
//!     let fleet = Fleet::new(addresses).concurrency(64).per_guest(Duration::from_secs(10));
//!     let mut run = fleet.run(|client| async move { client.execute(GetHostName).await });
//!     while let Some(guest) = run.next().await {
//!         match guest.result {
//!             Ok(host) => println!("{}: {host}, in {:.1?}", guest.name, guest.took),
//!             Err(error) => println!("{}: {error}", guest.name),
//!         }
//!     }
//!     println!("{}", run.summary()); // 2 of 2 guests answered
//! #   assert_eq!(run.summary().to_string(), "2 of 2 guests answered");
//! }
//! ```
//!
//! # How it goes on
//!
//! A [`Run`] does everything while it is polled, and starts neither a task nor a thread. At most
//! [`concurrency`](Fleet::concurrency) guests are asked at a time, and the next one is begun when a result was taken.
//! A guest that is dead or hangs takes up a place for at most its own [time](Fleet::per_guest) and holds up nobody
//! else. So if a few guests hang, a run takes longer by about
//!
//! ```text
//! time of a guest x guests that hang / concurrency
//! ```
//!
//! Drop the run to end all of it: its connections are closed, and nothing goes on.
//!
//! # How many guests
//!
//! A guest that waits for its turn costs its name and its address, a few hundred bytes. A connection is there only
//! while a guest is asked, so a run needs as many descriptors as its concurrency, however many guests there are.
//! Clients that a program [keeps](Fleet::clients) have a descriptor each (see `ulimit -n`), and take about 2.5 KB
//! each while they are idle. [`Client::close_idle`] gives the descriptor back until the next command.
//!
//! A run is one task, so it uses one thread at a time. It is at its best in a runtime of one thread, where a thousand
//! agents on one host took 1.5 times as long as with bare sockets, and 1.1 times as long as with bare sockets that
//! synchronize too. The agents themselves are what such a host is busy with. Where work on the replies takes long,
//! give them to other tasks, or give each of several tasks a run over a part of the guests.
//!
//! An agent's socket is there on the host of its machine alone. The guests of other hosts have addresses such as
//! `ssh://hypervisor7/run/vm1/qga.sock`. Where OpenSSH is configured with `ControlMaster auto` and `ControlPersist`, the
//! first session brings one connection for all of a host, which carries as many sessions at a time as the server's
//! `MaxSessions` allows, 10 unless set; ssh makes a connection of its own for each one more. Eight log in to a host at a
//! time. Or let a program run on
//! each host, and give it the addresses of that host.

mod failure;
mod member;
mod run;
mod slots;
mod summary;

use std::sync::Arc;
use std::time::Duration;

use crate::client::{Client, ClientBuilder};
use crate::error::{AddressError, Error};
use crate::transport::Address;

pub use failure::{FailureKind, FleetError};
use member::Member;
pub use run::{GuestResult, Run};
pub use summary::Summary;

/// Many guests, and how they are asked; see the [module](self).
///
/// A fleet is cheap to clone and can [run](Self::run) any number of times.
#[derive(Clone, Debug)]
#[must_use = "nobody is asked until `run` is called and its results are taken"]
pub struct Fleet {
    members: Arc<[Member]>,
    builder: ClientBuilder,
    concurrency: usize,
    per_guest: Duration,
    stop_after: usize,
}

impl Fleet {
    /// The guests at these addresses, each of which is named by its address. An address that cannot be read is a
    /// failure of that guest when its turn comes.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use qga_core::Fleet;
    ///
    /// let addresses = ["unix:/run/vm1/qga.sock", "tcp:192.0.2.7:1234"];
    /// let fleet = Fleet::new(addresses).concurrency(8).per_guest(Duration::from_secs(10));
    /// ```
    pub fn new<A>(addresses: impl IntoIterator<Item = A>) -> Self
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self::of(addresses.into_iter().map(Member::at))
    }

    /// Guests with a name and an address. Several may have the same name; [`GuestResult::index`] tells them apart.
    ///
    /// ```
    /// use qga_core::Fleet;
    ///
    /// let fleet = Fleet::named([("vm1", "unix:/run/vm1/qga.sock"), ("vm2", "tcp:192.0.2.7:1234")]);
    /// assert_eq!(fleet.len(), 2);
    /// ```
    pub fn named<N, A>(guests: impl IntoIterator<Item = (N, A)>) -> Self
    where
        N: Into<Arc<str>>,
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let guests = guests.into_iter();
        Self::of(guests.map(|(name, address)| Member::named(name.into(), address)))
    }

    /// Guests that are reached through clients which the program has already, each with a name. Their channels stay
    /// open after a run.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (_agent, stream) = qga_testserver::TestAgent::in_memory();
    /// use qga_core::{Client, Fleet};
    ///
    /// let client = Client::new(stream);
    /// let fleet = Fleet::clients([("vm1", client)]);
    /// let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    /// assert!(run.next().await.unwrap().result.is_ok());
    /// # }
    /// ```
    pub fn clients<N: Into<Arc<str>>>(guests: impl IntoIterator<Item = (N, Client)>) -> Self {
        let guests = guests.into_iter();
        Self::of(guests.map(|(name, client)| Member::of(name.into(), client)))
    }

    fn of(members: impl Iterator<Item = Member>) -> Self {
        Self {
            members: members.collect(),
            builder: Client::builder(),
            concurrency: 64,
            per_guest: Duration::from_secs(30),
            stop_after: usize::MAX,
        }
    }

    /// The settings of the clients that are connected to addresses, such as what they may send.
    ///
    /// ```
    /// use qga_core::{Client, Fleet};
    ///
    /// let careful = Client::builder().allow(["guest-ping", "guest-get-osinfo"]).lock(true);
    /// let fleet = Fleet::new(["unix:/run/vm1/qga.sock"]).builder(careful);
    /// ```
    pub fn builder(mut self, builder: ClientBuilder) -> Self {
        self.builder = builder;
        self
    }

    /// How many guests are asked at a time: 64 unless set, and at least 1.
    pub fn concurrency(mut self, guests: usize) -> Self {
        self.concurrency = guests.max(1);
        self
    }

    /// How long one guest may take in all, for connecting and all that is done with it, counted from when it is
    /// begun; 30 seconds unless set. Connecting has a time of its own within that, which the
    /// [builder](Self::builder) sets: 5 seconds unless set.
    ///
    /// A command that is under way at the end fails with [`ErrorKind::Deadline`](crate::ErrorKind::Deadline). Work
    /// that goes on without a command, or after its command has failed, is dropped 0.1 seconds later, and its error
    /// has the stage [`Work`](crate::Stage::Work).
    pub fn per_guest(mut self, time: Duration) -> Self {
        self.per_guest = time;
        self
    }

    /// Begins no further guest once so many have failed, at least 1. Those that were begun before go on, so there
    /// may be more failures. [`Summary::not_asked`] tells how many guests were left out.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-ping")]
    /// # struct Ping;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use qga_core::Fleet;
    ///
    /// let gone = ["/no/such/vm1.sock", "/no/such/vm2.sock", "/no/such/vm3.sock"];
    /// let fleet = Fleet::new(gone).concurrency(1).stop_after(2);
    /// let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    /// while let Some(guest) = run.next().await {
    ///     println!("{}", guest.result.unwrap_err());
    /// }
    /// let summary = run.summary().to_string();
    /// assert_eq!(summary, "0 of 3 guests answered; 2 failed: 2 not reached; 1 was not asked");
    /// # }
    /// ```
    pub fn stop_after(mut self, failures: usize) -> Self {
        self.stop_after = failures.max(1);
        self
    }

    /// How many guests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there is no guest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Does something with each guest, through a client whose commands have the guest's
    /// [time](Self::per_guest) in all. Nothing is done until the [`Run`] is asked for a result.
    ///
    /// `work` may fail with the error of a command; to return other errors, return them inside of the `Ok`, or see
    /// [`run_with`](Self::run_with). It may borrow what lives longer than the run.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-get-host-name", response = serde_json::Value)]
    /// # struct GetHostName;
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-get-time", response = i64)]
    /// # struct GetTime;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_core::Error> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// use qga_core::Fleet;
    ///
    /// let fleet = Fleet::new([address]); // "unix:/run/vm1/qga.sock"
    /// let mut run = fleet.run(|client| async move {
    ///     let host = client.execute(GetHostName).await?;
    ///     let time = client.execute(GetTime).await?;
    ///     Ok((host, time))
    /// });
    /// while let Some(guest) = run.next().await {
    ///     let (host, time) = guest.result?;
    ///     println!("{host} {time}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<'a, T, W, F>(&self, work: W) -> Run<'a, T>
    where
        W: Fn(Client) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, Error>> + Send + 'a,
    {
        self.run_with(work)
    }

    /// As [`run`](Self::run), for work that fails with an error of its own.
    ///
    /// ```
    /// # #[derive(qga_core::QgaCommand)]
    /// # #[qga(name = "guest-get-time", response = i64)]
    /// # struct GetTime;
    /// use qga_core::fleet::{FailureKind, FleetError};
    /// use qga_core::{Error, Fleet};
    ///
    /// enum ClockError {
    ///     Command(Error),
    ///     Wrong(i64),
    /// }
    ///
    /// impl From<Error> for ClockError {
    ///     fn from(error: Error) -> Self {
    ///         Self::Command(error)
    ///     }
    /// }
    ///
    /// impl FleetError for ClockError {
    ///     fn failure_kind(&self) -> FailureKind {
    ///         match self {
    ///             Self::Command(error) => error.failure_kind(),
    ///             Self::Wrong(_) => FailureKind::Other,
    ///         }
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # agent.on("guest-get-time").reply(7);
    /// # let address = agent.address();
    /// let fleet = Fleet::new([address]); // "unix:/run/vm1/qga.sock"
    /// let mut run = fleet.run_with(|client| async move {
    ///     match client.execute(GetTime).await? {
    ///         time if time < 1_000_000_000 => Err(ClockError::Wrong(time)),
    ///         _ => Ok(()),
    ///     }
    /// });
    /// while let Some(guest) = run.next().await {
    ///     if let Err(ClockError::Wrong(time)) = guest.result {
    ///         println!("{}: {time}", guest.name);
    ///     }
    /// }
    /// assert_eq!(run.summary().failed(FailureKind::Other), 1);
    /// # }
    /// ```
    pub fn run_with<'a, T, E, W, F>(&self, work: W) -> Run<'a, T, E>
    where
        E: FleetError,
        W: Fn(Client) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
    {
        Run::new(self, work)
    }
}
