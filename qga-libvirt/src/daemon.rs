//! A daemon, and what it tells of its domains.

use std::fmt;
use std::io;
use std::sync::Arc;

use qga_core::Power;
use tokio::task::JoinSet;

use crate::ask;
use crate::domain_watch::{DomainWatch, power};
use crate::events::Events;
use crate::pool::Pool;
use crate::target::{DomainKey, Endpoint, Host, Target};
use crate::wire::agent_port::AgentPort;
use crate::wire::call::{GetState, ListAllDomains, XmlDesc};
use crate::wire::types::Domain as WireDomain;

/// How many domains are asked for at once, so that none of them waits long for its turn.
const MOST_ASKED: usize = 16;

/// A libvirt daemon: its domains, and what happens to them.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let daemon = qga_libvirt::Daemon::open("libvirt:///system").await?;
/// for domain in daemon.domains().await? {
///     println!("{} {:?} {:?}", domain.name, domain.power, domain.agent);
/// }
/// # Ok(())
/// # }
/// ```
///
/// Looking needs no more than libvirt's right to read. Where a user has only that, the daemon's socket for readers is
/// used.
#[derive(Clone)]
pub struct Daemon {
    pool: Arc<Pool>,
}

/// A domain, as a daemon lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Domain {
    /// Its name.
    pub name: String,
    /// Its UUID, in small letters with dashes.
    pub uuid: String,
    /// The address that leads a client to its agent, such as `libvirt:///system/vm1`.
    pub address: String,
    /// Whether it runs.
    pub power: Power,
    /// Its guest agent, as far as the daemon knows.
    pub agent: AgentState,
}

/// What a daemon knows of a domain's guest agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AgentState {
    /// The domain has no channel for one.
    NoChannel,
    /// The guest does not have the port open, so no agent runs there; or the domain is off.
    Disconnected,
    /// The guest has the port open. That it answers is not said with that.
    Connected,
}

impl Daemon {
    /// Opens a daemon by its address: `libvirt:` for the one that is meant where nothing else is said, `libvirt:///system`,
    /// `libvirt:///session`, `libvirt+ssh://HOST/system`, and all of these with `?socket=PATH`.
    ///
    /// # Errors
    ///
    /// - `InvalidInput` if the address makes no sense
    /// - `NotFound` if there is no such daemon
    /// - `ConnectionRefused` if it has stopped
    /// - `PermissionDenied` if this user may not even look
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn open(address: &str) -> io::Result<Self> {
        Self::dial(Endpoint::read(address, &Host::this())?).await
    }

    /// The daemon of a domain, by the address of the domain's agent, and the domain itself. The agent is not reached.
    ///
    /// ```no_run
    /// # async fn example() -> std::io::Result<()> {
    /// let (daemon, domain) = qga_libvirt::Daemon::of("libvirt:vm1").await?;
    /// let mut events = daemon.events().await?;
    /// while let Ok(event) = events.next().await {
    ///     if event.uuid == domain.uuid {
    ///         println!("{:?}", event.kind);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and `NotFound` if there is no such domain.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn of(address: &str) -> io::Result<(Self, Domain)> {
        let target = Target::read_address(address, &Host::this())?;
        let daemon = Self::dial(target.daemon).await?;
        let domain = ask::domain(&daemon.pool, &target.domain).await?;
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the domain has gone just now");
        let domain = describe(&daemon.pool, domain).await?.ok_or_else(gone)?;
        Ok((daemon, domain))
    }

    /// The daemons of this host that this user may look at: the system's and this user's own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn local() -> Vec<Self> {
        let mut found = Vec::new();
        for endpoint in Endpoint::local(&Host::this()) {
            found.extend(Self::dial(endpoint).await.ok());
        }
        found
    }

    async fn dial(endpoint: Endpoint) -> io::Result<Self> {
        let pool = Pool::of(endpoint.clone());
        match ask::reach(&pool).await {
            Ok(()) => Ok(Self { pool }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let readers = Pool::of(endpoint.read_only());
                // What is wrong is said of the socket that was meant.
                ask::reach(&readers).await.map_err(|_| error)?;
                Ok(Self { pool: readers })
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn machine_at(target: Target) -> io::Result<DomainWatch> {
        let daemon = Self::dial(target.daemon).await?;
        DomainWatch::of(&daemon.pool, &target.domain).await
    }

    /// Whether this user may only look. Its domains' agents cannot be reached then.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.pool.daemon().is_read_only
    }

    /// All its domains, in the order of their names.
    ///
    /// # Errors
    ///
    /// When the daemon has stopped, or does not answer for 30 seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn domains(&self) -> io::Result<Vec<Domain>> {
        let listed = ask::ask(&self.pool, &ListAllDomains).await;
        let mut asking = JoinSet::new();
        let mut listed = listed.map_err(io::Error::from)?.into_iter();
        let mut domains = Vec::new();
        loop {
            for domain in listed.by_ref().take(MOST_ASKED - asking.len()) {
                let pool = self.pool.clone();
                asking.spawn(async move { describe(&pool, domain).await });
            }
            let Some(described) = asking.join_next().await else {
                break;
            };
            domains.extend(described.map_err(io::Error::other)??);
        }
        domains
            .sort_by(|one: &Domain, other| (&one.name, &one.uuid).cmp(&(&other.name, &other.uuid)));
        Ok(domains)
    }

    /// What happens to its domains from now on.
    ///
    /// ```no_run
    /// # async fn example(daemon: qga_libvirt::Daemon) -> std::io::Result<()> {
    /// let mut events = daemon.events().await?;
    /// while let Ok(event) = events.next().await {
    ///     println!("{}: {:?}", event.name, event.kind);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the daemon has stopped, or does not answer for 30 seconds.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn events(&self) -> io::Result<Events> {
        Events::of(&self.pool).await
    }

    /// What the daemon knows of a domain's machine, from now on, by the domain's name or UUID. Given to a
    /// [client](qga_core::ClientBuilder::machine), it lets the outcome of a shutdown or a reboot be proven, and a client
    /// that waits for its agent knows when it has come.
    ///
    /// ```no_run
    /// # async fn example(daemon: qga_libvirt::Daemon) -> Result<(), Box<dyn std::error::Error>> {
    /// let machine = daemon.machine("vm1").await?;
    /// let client = qga_core::Client::builder()
    ///     .scheme_messages("libvirt", qga_libvirt::open)
    ///     .machine(&machine)
    ///     .connect("libvirt:vm1")
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// - `InvalidInput` if no domain can be called so
    /// - `NotFound` if there is no such domain
    /// - when the daemon has stopped, or does not answer for 30 seconds
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn machine(&self, domain: &str) -> io::Result<DomainWatch> {
        DomainWatch::of(&self.pool, &DomainKey::read(domain)?).await
    }
}

impl fmt::Debug for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Daemon").field(self.pool.daemon()).finish()
    }
}

/// Says which daemon it is.
impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pool.daemon().fmt(f)
    }
}

/// How a domain is; `None` if it has gone since.
async fn describe(pool: &Pool, domain: WireDomain) -> io::Result<Option<Domain>> {
    let Some((state, reason)) = ask::unless_gone(ask::ask(pool, &GetState(&domain)).await)? else {
        return Ok(None);
    };
    let Some(xml) = ask::unless_gone(ask::ask(pool, &XmlDesc(&domain)).await)? else {
        return Ok(None);
    };
    Ok(Some(Domain {
        power: power(state, reason),
        agent: match AgentPort::of(&xml) {
            AgentPort::Missing => AgentState::NoChannel,
            AgentPort::Closed => AgentState::Disconnected,
            AgentPort::Open => AgentState::Connected,
        },
        uuid: domain.uuid.to_string(),
        address: pool
            .daemon()
            .address_of(&DomainKey::of(&domain.name, domain.uuid), &Host::this()),
        name: domain.name,
    }))
}
