//! Many guests as one.
//!
//! ```
//! use std::time::Duration;
//!
//! use qga_commands::Fleet;
//!
//! #[tokio::main]
//! async fn main() {
//!     let guests = [("vm1", "unix:/run/vm1/qga.sock"), ("vm2", "unix:/run/vm2/qga.sock")];
//! #   let agents = [qga_testserver::TestAgent::start().await, qga_testserver::TestAgent::start().await];
//! #   agents.each_ref().map(|agent| agent.program("uname").stdout("6.12.43\n").exit(0));
//! #   let guests = agents.each_ref().map(|agent| ("vm1", agent.address()));
//!     let fleet = Fleet::named(guests).per_guest(Duration::from_secs(10));
//!     let mut run = fleet.exec("uname", ["-r"]);
//!     while let Some(guest) = run.next().await {
//!         match guest.result {
//!             Ok(output) => print!("{}: {}", guest.name, output.stdout_lossy()),
//!             Err(error) => println!("{}: {error}", guest.name),
//!         }
//!     }
//!     println!("{}", run.summary()); // 2 of 2 guests answered
//! #   assert_eq!(run.summary().to_string(), "2 of 2 guests answered");
//! }
//! ```
//!
//! How a run goes on, and how many guests one program can ask, is described in [`qga_core::fleet`].

use std::sync::Arc;
use std::time::Duration;

use qga_core::{Address, AddressError, Client};

use crate::guest::process::Output;
use crate::guest::{GuestBuilder, GuestFacts};
use crate::{Guest, GuestError};

pub use qga_core::fleet::{FailureKind, FleetError, GuestResult, Run, Summary};

/// Many guests, and how they are asked; see the [module](self). It is a [`qga_core::Fleet`] of [`Guest`]s.
#[derive(Clone, Debug)]
#[must_use = "nobody is asked until results are taken from a run"]
pub struct Fleet(qga_core::Fleet);

impl Fleet {
    /// The guests at these addresses; see [`qga_core::Fleet::new`].
    pub fn new<A>(addresses: impl IntoIterator<Item = A>) -> Self
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self(qga_core::Fleet::new(addresses))
    }

    /// Guests with a name and an address; see [`qga_core::Fleet::named`].
    pub fn named<N, A>(guests: impl IntoIterator<Item = (N, A)>) -> Self
    where
        N: Into<Arc<str>>,
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        Self(qga_core::Fleet::named(guests))
    }

    /// Guests that the program has already, each with a name; see [`qga_core::Fleet::clients`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let address = agent.address();
    /// use qga_commands::{Fleet, Guest};
    ///
    /// let guest = Guest::connect(address).await?; // "unix:/run/vm1/qga.sock"
    /// let mut run = Fleet::guests([("vm1", guest)]).facts();
    /// while let Some(guest) = run.next().await {
    ///     println!("{} is called {:?}", guest.name, guest.result?.host_name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn guests<N: Into<Arc<str>>>(guests: impl IntoIterator<Item = (N, Guest)>) -> Self {
        let guests = guests.into_iter();
        let clients = guests.map(|(name, guest)| (name, guest.client().clone()));
        Self(qga_core::Fleet::clients(clients))
    }

    /// The settings of the guests that are connected to addresses, such as what they may be sent.
    ///
    /// ```
    /// use qga_commands::{Fleet, Guest, policy};
    ///
    /// let careful = Guest::builder().allow(policy::read_only());
    /// let fleet = Fleet::new(["unix:/run/vm1/qga.sock"]).builder(careful);
    /// ```
    pub fn builder(self, builder: GuestBuilder) -> Self {
        Self(self.0.builder(builder.into_client()))
    }

    /// How many guests are asked at a time: 64 unless set; see [`qga_core::Fleet::concurrency`].
    pub fn concurrency(self, guests: usize) -> Self {
        Self(self.0.concurrency(guests))
    }

    /// How long one guest may take in all, 30 seconds unless set; see [`qga_core::Fleet::per_guest`].
    pub fn per_guest(self, time: Duration) -> Self {
        Self(self.0.per_guest(time))
    }

    /// Begins no further guest once so many have failed; see [`qga_core::Fleet::stop_after`].
    pub fn stop_after(self, failures: usize) -> Self {
        Self(self.0.stop_after(failures))
    }

    /// How many guests there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no guest.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does something with each guest, whose commands have the guest's [time](Self::per_guest) in all. Nothing is
    /// done until the [`Run`] is asked for a result.
    ///
    /// `work` may fail with a [`GuestError`]; to return other errors, return them inside of the `Ok`, or see
    /// [`run_with`](Self::run_with). It may borrow what lives longer than the run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let addresses = [agent.address()];
    /// use qga_commands::Fleet;
    ///
    /// let fleet = Fleet::new(addresses); // ["unix:/run/vm1/qga.sock"]
    /// let mut run = fleet.run(|guest| async move {
    ///     let host = guest.host_name().await?;
    ///     let motd = guest.read("/etc/motd").await.unwrap_or_default();
    ///     Ok((host, motd.len()))
    /// });
    /// while let Some(guest) = run.next().await {
    ///     let (host, bytes) = guest.result?;
    ///     println!("{host} greets with {bytes} bytes");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<'a, T, W, F>(&self, work: W) -> Run<'a, T, GuestError>
    where
        W: Fn(Guest) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, GuestError>> + Send + 'a,
    {
        self.run_with(work)
    }

    /// As [`run`](Self::run), for work that fails with an error of its own; see [`qga_core::Fleet::run_with`].
    pub fn run_with<'a, T, E, W, F>(&self, work: W) -> Run<'a, T, E>
    where
        E: FleetError,
        W: Fn(Guest) -> F + Send + Sync + 'a,
        F: Future<Output = Result<T, E>> + Send + 'a,
    {
        self.0
            .run_with(move |client: Client| work(Guest::new(client)))
    }

    /// Runs a program in each guest and captures its output. It is no error if the program itself fails: see
    /// [`Output::status`].
    ///
    /// A program that has not ended in the guest's [time](Self::per_guest), or when the run is dropped, goes on. One
    /// that is to be [killed](crate::guest::process::Command::kill_on_drop) then, or has other settings, is for
    /// [`run`](Self::run):
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # agent.program("apt-get").exit(0);
    /// # let addresses = [agent.address()];
    /// use qga_commands::Fleet;
    ///
    /// let fleet = Fleet::new(addresses); // ["unix:/run/vm1/qga.sock"]
    /// let mut run = fleet.run(|guest| async move {
    ///     guest.command("apt-get").arg("update").kill_on_drop(true).output().await
    /// });
    /// while let Some(guest) = run.next().await {
    ///     println!("{}: {}", guest.name, guest.result?.status);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn exec<'a>(
        &self,
        program: impl Into<String>,
        args: impl IntoIterator<Item = impl Into<String>>,
    ) -> Run<'a, Output, GuestError> {
        let program = program.into();
        let args: Arc<[String]> = args.into_iter().map(Into::into).collect();
        self.run(move |guest| {
            let mut command = guest.command(program.clone());
            command.args(args.iter().cloned());
            async move { command.output().await }
        })
    }

    /// Asks each guest what people list of guests; see [`Guest::facts`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let addresses = [agent.address()];
    /// use qga_commands::Fleet;
    ///
    /// let mut run = Fleet::new(addresses).facts(); // ["unix:/run/vm1/qga.sock"]
    /// while let Some(guest) = run.next().await {
    ///     match guest.result {
    ///         Ok(facts) => println!("{}: {:?}", guest.name, facts.os.and_then(|os| os.pretty_name)),
    ///         Err(error) => println!("{}: {error}", guest.name),
    ///     }
    /// }
    /// # assert_eq!(run.summary().answered(), 1);
    /// # }
    /// ```
    pub fn facts<'a>(&self) -> Run<'a, GuestFacts, GuestError> {
        self.run(|guest| async move { guest.facts().await })
    }
}

impl FleetError for GuestError {
    fn failure_kind(&self) -> FailureKind {
        match self {
            Self::Address(_) => FailureKind::BadAddress,
            _ if self.is_timeout() => FailureKind::Timeout,
            _ if self.is_command_not_found() || self.is_frozen() => FailureKind::Refused,
            Self::Path { .. } => FailureKind::AgentError,
            _ => self
                .command_error()
                .map_or(FailureKind::Other, FleetError::failure_kind),
        }
    }
}
