//! A fake daemon of libvirt, as far as guest agents need one.

mod channel;
mod domains;
mod events;
mod follow;
mod line;
mod packet;
mod serve;

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::TestAgent;
use crate::lock::lock;

use channel::Channel;
use domains::{Domain, Domains, Port};
pub use domains::{DomainState, LibvirtVersion};
use events::{
    AGENT_CAME, AGENT_WENT, CRASHED, Callbacks, DEFINED, DESTROYED, MIGRATED, NO_AGENT_YET, News,
    PAUSED, RESUMED, STALLED, STARTED, SUSPENDED, UNDEFINED, WOKEN,
};
use line::Line;
use packet::Refusal;

/// How a fake daemon has its clients prove who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibvirtAuth {
    /// They need not.
    #[default]
    None,
    /// By SASL, which it does not really speak.
    Sasl,
    /// By polkit, which lets them in.
    Polkit,
    /// By polkit, which does not.
    PolkitRefuses,
}

/// A fake daemon of libvirt, whose domains have fake agents.
///
/// It speaks libvirt's protocol over a Unix socket as far as a client needs that finds a domain, and sends commands to
/// its agent or opens another port of it. It has the weaknesses of a real one: it hears nothing while five calls of a connection are in flight, an
/// agent's reply that is not JSON makes the agent unusable, and a request or a reply that is too long is lost.
///
/// ```
/// use qga_core::{Client, QgaCommand};
/// use qga_testserver::{LibvirtDaemon, TestAgent};
///
/// #[derive(QgaCommand)]
/// #[qga(name = "guest-ping")]
/// struct Ping;
///
/// # /*
/// #[tokio::test]
/// # */
/// async fn an_agent_is_reached_through_libvirt() {
///     let agent = TestAgent::start().await;
///     let daemon = LibvirtDaemon::start();
///     daemon.domain("vm1", &agent);
///     # /*
///     let client = Client::builder()
///         .scheme_messages("libvirt", qga_libvirt::open)
///         .connect(daemon.address("vm1"))
///         .await
///         .unwrap();
///     client.execute(Ping).await.unwrap();
///     # */
/// }
/// # tokio::runtime::Runtime::new().unwrap().block_on(an_agent_is_reached_through_libvirt());
/// ```
#[derive(Debug)]
pub struct LibvirtDaemon {
    state: Arc<State>,
    folder: TempDir,
    task: Mutex<Option<JoinHandle<()>>>,
    /// Who looks after the machines of the domains' guests.
    followers: Mutex<HashMap<String, AbortHandle>>,
}

/// What all clients of a daemon see.
#[derive(Default)]
struct State {
    domains: Mutex<Domains>,
    auth: Mutex<LibvirtAuth>,
    callbacks: Callbacks,
    /// How many connections there were.
    connections: AtomicUsize,
    /// How many calls there were.
    calls: AtomicUsize,
    /// On one connection.
    most_in_flight: AtomicUsize,
    /// Whether it does nothing about what comes.
    is_hung: watch::Sender<bool>,
    /// Whether it does nothing about calls, but for reading them.
    is_busy: watch::Sender<bool>,
    /// Those of agent commands, in seconds.
    timeouts: Mutex<Vec<i32>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl LibvirtDaemon {
    /// Starts a daemon without domains, on a socket of its own in a temporary folder.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, and outside a tokio runtime with I/O enabled.
    #[must_use]
    pub fn start() -> Self {
        #[allow(clippy::expect_used, reason = "the test cannot go on, and says why")]
        let folder = tempfile::tempdir().expect("a folder for the daemon's socket");
        let daemon = Self {
            state: Arc::default(),
            folder,
            task: Mutex::default(),
            followers: Mutex::default(),
        };
        daemon.resume();
        daemon
    }

    /// The path of its socket.
    #[must_use]
    pub fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("libvirt-sock")
    }

    /// The address of a domain's agent: `libvirt:///system/NAME?socket=PATH`.
    #[must_use]
    pub fn address(&self, domain: &str) -> String {
        format!(
            "libvirt:///system/{domain}?socket={}",
            self.path().display()
        )
    }

    /// The path of its socket for those who may only look.
    #[must_use]
    pub fn read_only_path(&self) -> std::path::PathBuf {
        self.folder.path().join("libvirt-sock-ro")
    }

    /// Adds a domain that runs, with this agent; or gives a domain another agent, as after a reboot.
    ///
    /// The domain follows the machine of its agent's guest: when that is shut down, reboots or is paused, so does the
    /// domain, and the daemon tells of it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn domain(&self, name: &str, agent: &TestAgent) {
        let connector = agent.connector();
        self.put(name, Some(Port::new(Line::new(connector.connect()))));
        let follow = follow::follow(
            Arc::downgrade(&self.state),
            uuid(name),
            agent.machine(),
            connector,
        );
        let task = tokio::spawn(follow);
        if let Some(before) = lock(&self.followers).insert(name.to_owned(), task.abort_handle()) {
            before.abort();
        }
    }

    /// Adds a domain that runs and has no channel for an agent.
    pub fn domain_without_channel(&self, name: &str) {
        self.put(name, None);
    }

    /// Adds another port to a domain, by which this agent is reached, and which clients open as a stream of bytes. A domain
    /// that is not there yet is added, without a channel for libvirt's own agent.
    ///
    /// As a real daemon, it keeps five packets of a client that the guest has not read, and hears nothing more from that
    /// client then, not even that it goes.
    pub fn channel(&self, name: &str, port: &str, agent: &TestAgent) {
        let channel = Channel::new(port, agent.connect());
        let find = |domain: &Domain| domain.name == name;
        let is_missing = lock(&self.state.domains).find(find).is_err();
        if is_missing {
            self.put(name, None);
        }
        if let Ok(domain) = lock(&self.state.domains).find(find) {
            domain.channels.retain(|other| other.name != port);
            domain.channels.push(channel);
        }
    }

    /// The address of another port of a domain: `libvirt-channel:///system/NAME/PORT?socket=PATH`.
    #[must_use]
    pub fn channel_address(&self, domain: &str, port: &str) -> String {
        let socket = self.path();
        format!(
            "libvirt-channel:///system/{domain}/{port}?socket={}",
            socket.display()
        )
    }

    fn put(&self, name: &str, port: Option<Port>) {
        let mut domains = lock(&self.state.domains);
        if let Ok(domain) = domains.find(|domain| domain.name == name) {
            domain.port = port;
            self.state.callbacks.tell(domain, [AGENT_WENT, AGENT_CAME]);
            return;
        }
        let domain = Domain {
            name: name.to_owned(),
            uuid: uuid(name),
            state: DomainState::Running,
            port,
            channels: Vec::new(),
        };
        let callbacks = &self.state.callbacks;
        callbacks.tell(&domain, [DEFINED, STARTED]);
        if domain.port.is_some() {
            callbacks.tell(&domain, [AGENT_CAME]);
        }
        domains.all.push(domain);
    }

    /// The UUID of a domain, which follows from its name.
    #[must_use]
    pub fn uuid(&self, domain: &str) -> String {
        let number = u128::from_be_bytes(uuid(domain));
        let digits = format!("{number:032x}");
        let ends = [0, 8, 12, 16, 20, 32];
        let parts = ends.windows(2).filter_map(|ends| match ends {
            [start, end] => digits.get(*start..*end),
            _ => None,
        });
        parts.collect::<Vec<_>>().join("-")
    }

    /// Removes a domain, if it is there.
    pub fn undefine(&self, name: &str) {
        let mut domains = lock(&self.state.domains);
        if let Ok(domain) = domains.find(|domain| domain.name == name) {
            self.state.callbacks.tell(domain, [UNDEFINED]);
        }
        domains.all.retain(|domain| domain.name != name);
    }

    /// Starts, pauses or stops a domain, if it is there, and tells of it. To stop one is to destroy it: its guest is not
    /// asked.
    pub fn set_state(&self, name: &str, state: DomainState) {
        if let Ok(domain) = lock(&self.state.domains).find(|domain| domain.name == name) {
            self.state.set_state(domain, state, DESTROYED);
        }
    }

    /// Has a domain's guest open or close the port of its agent, if it has one, and tells of it.
    pub fn set_port_open(&self, name: &str, is_open: bool) {
        if let Ok(domain) = lock(&self.state.domains).find(|domain| domain.name == name) {
            self.state.set_port_open(domain, is_open);
        }
    }

    /// Tells that a domain was reset, as by its guest's reboot.
    pub fn tell_reset(&self, name: &str) {
        if let Ok(domain) = lock(&self.state.domains).find(|domain| domain.name == name) {
            self.state.callbacks.tell(domain, [News::Reboot]);
        }
    }

    /// Tells all who have registered for events something that makes no sense, as a daemon that is broken may.
    pub fn tell_nonsense(&self) {
        self.state.callbacks.tell_nonsense();
    }

    /// How many events clients have registered for.
    #[must_use]
    pub fn callbacks(&self) -> usize {
        self.state.callbacks.count()
    }

    /// How many calls clients have made.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.state.calls.load(Ordering::Relaxed)
    }

    /// Lets it behave like this version.
    pub fn version(&self, version: LibvirtVersion) {
        lock(&self.state.domains).version = version;
    }

    /// Has it ask its next clients to prove who they are.
    pub fn auth(&self, auth: LibvirtAuth) {
        *lock(&self.state.auth) = auth;
    }

    /// Lets the next agent command fail with this error and not reach the agent. Further calls add to that.
    pub fn fail(&self, code: i32, domain: i32, detail: &str) {
        let failure = Refusal::new(code, domain, detail);
        lock(&self.state.domains).failures.push_back(failure);
    }

    /// Lets the next question about domains, such as that for a domain's state, fail with this error. Further calls add to
    /// that.
    pub fn fail_question(&self, code: i32, domain: i32, detail: &str) {
        let failure = Refusal::new(code, domain, detail);
        lock(&self.state.domains).refusals.push_back(failure);
    }

    /// How many clients have connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// How many calls of one connection were in flight at once, at most.
    #[must_use]
    pub fn most_in_flight(&self) -> usize {
        self.state.most_in_flight.load(Ordering::Relaxed)
    }

    /// The timeouts that agent commands had, in seconds.
    #[must_use]
    pub fn timeouts(&self) -> Vec<i32> {
        lock(&self.state.timeouts).clone()
    }

    /// Has it stop serving its clients, or go on with that, as after `SIGSTOP` and `SIGCONT`.
    pub fn set_hung(&self, is_hung: bool) {
        self.state.is_hung.send_replace(is_hung);
    }

    /// Has all its workers hang, or go on: it takes calls and answers pings, and carries out nothing meanwhile.
    pub fn set_busy(&self, is_busy: bool) {
        self.state.is_busy.send_replace(is_busy);
    }

    /// Ends the daemon and all its connections, as `SIGKILL` does: its socket stays, and nobody listens.
    pub async fn kill(&self) {
        let task = lock(&self.task).take();
        if let Some(task) = task {
            task.abort();
            // It ends in no other way.
            drop(task.await);
        }
    }

    /// Starts it again after [`kill`](Self::kill). Its domains are the same.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, and outside a tokio runtime with I/O enabled.
    pub fn resume(&self) {
        let listeners = [self.path(), self.read_only_path()].map(|path| {
            drop(std::fs::remove_file(&path));
            listen(&path)
        });
        let task = tokio::spawn(accept(listeners, self.state.clone()));
        if let Some(before) = lock(&self.task).replace(task) {
            before.abort();
        }
    }
}

impl Drop for LibvirtDaemon {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
        for (_, follower) in lock(&self.followers).drain() {
            follower.abort();
        }
    }
}

fn listen(path: &Path) -> UnixListener {
    #[allow(clippy::expect_used, reason = "the test cannot go on, and says why")]
    UnixListener::bind(path).expect("a socket for the daemon")
}

/// All connections end with this task.
async fn accept([full, read_only]: [UnixListener; 2], state: Arc<State>) {
    let mut clients = JoinSet::new();
    loop {
        let (accepted, is_read_only) = tokio::select! {
            accepted = full.accept() => (accepted, false),
            accepted = read_only.accept() => (accepted, true),
        };
        let Ok((stream, _)) = accepted else { return };
        let number = state.connections.fetch_add(1, Ordering::Relaxed);
        clients.spawn(serve::serve(stream, state.clone(), number, is_read_only));
        while clients.try_join_next().is_some() {}
    }
}

impl State {
    fn set_state(&self, domain: &mut Domain, state: DomainState, stopped: [News; 2]) {
        let before = std::mem::replace(&mut domain.state, state);
        let is_port_open = domain.port.as_ref().is_some_and(|port| port.is_open);
        match (before, state) {
            (before, state) if before == state => {}
            (_, DomainState::Off) => {
                domain.channels.iter().for_each(Channel::stop);
                self.callbacks.tell(domain, stopped);
            }
            (_, DomainState::Migrated) => self.callbacks.tell(domain, [MIGRATED]),
            (_, DomainState::Paused) => self.callbacks.tell(domain, [PAUSED]),
            (_, DomainState::Stalled) => self.callbacks.tell(domain, [STALLED]),
            (_, DomainState::Suspended) => self.callbacks.tell(domain, [SUSPENDED]),
            (_, DomainState::Crashed) => self.callbacks.tell(domain, [CRASHED]),
            (before, DomainState::Running) if before.is_off() => {
                self.callbacks
                    .tell(domain, [NO_AGENT_YET, RESUMED, STARTED]);
                if is_port_open {
                    self.callbacks.tell(domain, [AGENT_CAME]);
                }
            }
            (DomainState::Suspended, DomainState::Running) => {
                self.callbacks.tell(domain, [WOKEN]);
            }
            (_, DomainState::Running) => self.callbacks.tell(domain, [RESUMED]),
        }
    }

    fn set_port_open(&self, domain: &mut Domain, is_open: bool) {
        let Some(port) = &mut domain.port else { return };
        if std::mem::replace(&mut port.is_open, is_open) != is_open {
            let news = if is_open { AGENT_CAME } else { AGENT_WENT };
            self.callbacks.tell(domain, [news]);
        }
    }
}

/// A UUID that follows from a name.
fn uuid(name: &str) -> [u8; 16] {
    let mut uuid = *b"fake libvirt's \0";
    for (place, byte) in name.bytes().enumerate() {
        if let Some(digit) = uuid.get_mut(place % 16) {
            *digit = digit.wrapping_mul(31).wrapping_add(byte);
        }
    }
    uuid
}
