//! The agent that a test holds: its state, the clients that it serves, and how it answers them.

pub(crate) mod delivery;
mod dispatch;
mod guest;
mod serve;
pub(crate) mod state;

use std::fmt;
use std::panic::Location;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use serve::{Clients, serve};
use state::State;

use crate::cassette::Player;
use crate::lock::lock;
use crate::stub::On;
use crate::wire::listener::Listener;
use crate::wire::socket::Socket;
use crate::{Cassette, FaultPlan, Profile, Request, RequestIds};

/// A fake guest agent that answers like the real one, for one test.
///
/// The agent serves one client at a time, in the order in which they connect: a second client gets
/// no answer until the first has left. When it is dropped, it stops and checks that its stubs were
/// used as often as the test [expects](crate::On::expect).
pub struct TestAgent {
    state: Arc<State>,
    clients: mpsc::UnboundedSender<DuplexStream>,
    task: AbortHandle,
    socket: Option<Socket>,
}

/// Connects clients to an agent in memory.
#[derive(Clone)]
pub(crate) struct Connector(mpsc::UnboundedSender<DuplexStream>);

impl Connector {
    pub(crate) fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(STREAM_CAPACITY);
        // When the task is gone, the client sees the end of its stream.
        drop(self.0.send(theirs));
        ours
    }
}

/// How many bytes an in-memory stream holds in each direction before the writer must wait.
const STREAM_CAPACITY: usize = 64 << 10;

impl TestAgent {
    /// Starts an agent that listens on a Unix socket of its own in a temporary folder.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, and outside a tokio runtime with I/O enabled.
    #[cfg(unix)]
    #[allow(
        clippy::unused_async,
        reason = "an agent may come to need it, and a test awaits anyway"
    )]
    pub async fn start() -> Self {
        let (socket, listener) = match Socket::open("qga.sock") {
            Ok(open) => open,
            #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
            Err(error) => panic!("cannot open a socket for the test agent: {error}"),
        };
        let mut agent = Self::over(Some(listener));
        agent.socket = Some(socket);
        agent
    }

    /// Starts an agent without a socket, and returns it with a client's end of a connection to it.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    #[must_use]
    pub fn in_memory() -> (Self, DuplexStream) {
        let agent = Self::over(None);
        let stream = agent.connect();
        (agent, stream)
    }

    /// Starts an agent that listens on `unix:PATH` or `tcp:HOST:PORT`.
    ///
    /// The agent serves clients at once, so tell it what to answer before you let them connect. Port 0
    /// stands for any free port; [`address`](TestAgent::address) returns the one that was taken. If a
    /// server that no longer runs has left its socket at the path, the agent replaces it. The agent
    /// removes its own socket when it is dropped.
    ///
    /// # Errors
    ///
    /// The error is `AddrInUse` when another server listens there or the path leads to something that
    /// is not a socket, `InvalidInput` when the address has another form, and of another kind when the
    /// socket cannot be made.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O enabled.
    pub async fn listen(address: &str) -> std::io::Result<Self> {
        let (socket, listener) = Socket::listen(address).await?;
        let mut agent = Self::over(Some(listener));
        agent.socket = Some(socket);
        Ok(agent)
    }

    fn over(listener: Option<Listener>) -> Self {
        let state = Arc::new(State::default());
        let (sender, receiver) = mpsc::unbounded_channel();
        let clients = Clients {
            listener,
            waiting: receiver,
        };
        let task = tokio::spawn(serve(clients, Arc::clone(&state))).abort_handle();
        Self {
            state,
            clients: sender,
            task,
            socket: None,
        }
    }

    /// Connects another client in memory. It waits for its turn like any other client.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        self.connector().connect()
    }

    /// What connects clients later.
    pub(crate) fn connector(&self) -> Connector {
        Connector(self.clients.clone())
    }

    /// What the agent's parts share.
    pub(crate) fn state(&self) -> Arc<State> {
        Arc::clone(&self.state)
    }

    /// The agent's address, if it is not in memory.
    pub(crate) fn address_if_any(&self) -> Option<String> {
        self.socket.as_ref().map(Socket::address)
    }

    /// Returns the agent's address: `unix:` and the path of its socket, or `tcp:` and its host and port.
    ///
    /// # Panics
    ///
    /// When the agent was started in memory and has no address.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> String {
        match &self.socket {
            Some(socket) => socket.address(),
            #[allow(clippy::panic, reason = "a mistake in the test")]
            None => panic!("an agent in memory has no socket: use connect()"),
        }
    }

    /// Returns the path of the agent's socket.
    ///
    /// # Panics
    ///
    /// When the agent was started in memory or listens on TCP.
    #[cfg(unix)]
    #[must_use]
    #[track_caller]
    pub fn path(&self) -> &Path {
        match self.socket.as_ref().and_then(Socket::path) {
            Some(path) => path,
            #[allow(clippy::panic, reason = "a mistake in the test")]
            None => panic!("the agent has no Unix socket: use connect() or address()"),
        }
    }

    /// Begins a stub: what the agent does with requests for this command, whether it knows it or not.
    ///
    /// The stub takes effect with the last call on it, which says what happens to such a request. A
    /// later stub wins over an earlier one. A disabled command is refused before a stub sees the
    /// request; the arguments are checked only if no stub has answered.
    #[track_caller]
    pub fn on(&self, command: &str) -> On<'_> {
        let place = Location::caller();
        self.on_labelled(command, format!("{place}: {command}"))
    }

    /// Begins a stub that messages about a failed test call by this label.
    pub(crate) fn on_labelled(&self, command: &str, label: String) -> On<'_> {
        On::new(&self.state.stubs, command, label)
    }

    /// Spoils replies, whatever commands they are for.
    ///
    /// A [`Fault`](crate::Fault) is for the next reply unless one of its methods says otherwise. Several
    /// such faults wait in a queue, one for each reply. Only replies to requests count, not the error
    /// lines with which the agent answers bytes that are not a request.
    ///
    /// ```
    /// # use qga_testserver::Fault;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (agent, _stream) = qga_testserver::TestAgent::in_memory();
    /// agent.fault(Fault::no_answer());
    /// agent.fault(Fault::close_before().on_reply(3));
    /// # }
    /// ```
    pub fn fault(&self, fault: impl Into<FaultPlan>) {
        self.state.faults.add(fault.into());
    }

    /// Disables a command, as `qemu-ga -b` does: `guest-info` still lists it, and the agent refuses it.
    pub fn disable(&self, command: &str) {
        lock(&self.state.settings)
            .disabled
            .insert(command.to_owned());
    }

    /// Allows only these commands, as `qemu-ga -a` does. A command that was disabled stays disabled.
    pub fn allow_only(&self, commands: &[&str]) {
        let commands = commands.iter().map(ToString::to_string).collect();
        lock(&self.state.settings).allowed = Some(commands);
    }

    /// Sets which version of the agent, on which platform, this one behaves like.
    ///
    /// Unless the test has changed the guest, it becomes a guest of that platform.
    pub fn profile(&self, profile: Profile) {
        lock(&self.state.settings).profile = profile;
        lock(&self.state.machine).become_platform(profile.platform());
    }

    /// Sets what the agent does with a request's `id`. This takes precedence over the profile.
    pub fn request_ids(&self, ids: RequestIds) {
        lock(&self.state.settings).ids = Some(ids);
    }

    /// Lets what a client leaves unread go to the next client, as behind a virtio port: the rest of a reply, and replies
    /// that were not ready yet when it left. Otherwise they are lost with its connection.
    ///
    /// ```
    /// # use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    /// # use qga_testserver::{Fault, TestAgent};
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let (agent, mut first) = TestAgent::in_memory();
    /// agent.hand_on_replies();
    /// agent.fault(Fault::delay(std::time::Duration::from_secs(1)));
    /// first.write_all(b"{\"execute\": \"guest-fsfreeze-freeze\"}\n").await.unwrap();
    /// agent.wait_for("guest-fsfreeze-freeze", 1).await;
    /// drop(first);
    ///
    /// let mut late = String::new();
    /// BufReader::new(agent.connect()).read_line(&mut late).await.unwrap();
    /// assert!(late.starts_with("{\"return\": "), "{late}");
    /// # }
    /// ```
    pub fn hand_on_replies(&self) {
        lock(&self.state.settings).hands_on_replies = true;
    }

    /// Returns all requests that the agent has carried out so far, syncs included, the oldest first.
    ///
    /// The agent keeps the latest 100,000 requests, or fewer if they take more than about 128 MiB.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.arrivals.requests(|_| true)
    }

    /// Returns all requests for one command, the oldest first.
    #[must_use]
    pub fn requests_of(&self, command: &str) -> Vec<Request> {
        self.state.arrivals.requests_of(command)
    }

    /// Waits until `count` requests for this command have arrived, and returns all of them.
    ///
    /// A request counts as soon as the agent has read it, also if it does not answer it. After 10 s of
    /// tokio's time the requests that have arrived so far are printed to stderr.
    ///
    /// # Panics
    ///
    /// When the requests have not arrived after an hour of tokio's time, so that a test with paused
    /// time ends; and outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn wait_for(&self, command: &str, count: usize) -> impl Future<Output = Vec<Request>> {
        let place = Location::caller();
        let arrivals = &self.state.arrivals;
        arrivals.wait_for(place, command, count, |story| self.tell(story))
    }

    /// Plays a cassette: the agent answers all requests but syncs as the recorded agent did, as long as
    /// they come in the recorded order.
    ///
    /// Any other request gets an error, and [`verify`](TestAgent::verify) then fails. A client may read
    /// several files and wait for several programs side by side: between two other requests, only
    /// requests about the same file or program must come in the recorded order. See [`Cassette`] for
    /// what else may differ. A stub still wins over the cassette.
    pub fn play(&self, cassette: &Cassette) {
        *lock(&self.state.player) = Some(Player::new(cassette, true));
    }

    /// Plays a cassette in any order: the agent answers each request but syncs as the recorded agent
    /// answered the same command with the same arguments, any number of times.
    ///
    /// A request that was recorded several times gets the recorded answers one after the other, and
    /// after that the last one again. Requests that were recorded after that one can then be repeated
    /// too.
    pub fn play_matching(&self, cassette: &Cassette) {
        *lock(&self.state.player) = Some(Player::new(cassette, false));
    }

    /// Forgets all stubs, faults and requests, and the cassette. Disabled commands, programs and the
    /// guest stay as they are.
    pub fn reset(&self) {
        *lock(&self.state.player) = None;
        self.state.stubs.clear();
        self.state.faults.clear();
        self.state.arrivals.forget();
        self.state.complaints.forget();
    }

    /// Checks that each stub was used as often as [expected](crate::On::expect), that a cassette was
    /// played to its end, and that no closure of the test has panicked.
    ///
    /// Dropping the agent does the same, unless the thread is already panicking: then it only prints
    /// the requests that have arrived to stderr.
    ///
    /// # Panics
    ///
    /// When one of these is not so. The message lists the requests that have arrived.
    #[allow(clippy::panic, reason = "that is how a test fails")]
    #[track_caller]
    pub fn verify(&self) {
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }

    /// Prints something for the person who reads why a test has failed.
    #[allow(
        clippy::print_stderr,
        reason = "it belongs to the message of the test that fails"
    )]
    fn tell(&self, story: &str) {
        let at = self.socket.as_ref().map(Socket::address);
        let at = at.map_or(String::new(), |address| format!(" at {address}"));
        eprintln!("the test agent{at}: {story}");
    }

    /// Says what is not as the test expects, and which requests have arrived.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut unmet = self.state.complaints.all();
        unmet.extend(self.state.stubs.unmet());
        if let Some(player) = &*lock(&self.state.player) {
            unmet.extend(player.unmet());
        }
        if unmet.is_empty() {
            return None;
        }
        unmet.push(self.state.arrivals.summary());
        Some(unmet.join("\n"))
    }
}

impl fmt::Debug for TestAgent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestAgent")
            .field("address", &self.socket.as_ref().map(Socket::address))
            .field("stubs", &self.state.stubs)
            .field("requests", &self.requests().len())
            .finish_non_exhaustive()
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        self.task.abort();
        lock(&self.state.machine).end();
        if std::thread::panicking() {
            self.tell(
                &self
                    .failure()
                    .unwrap_or_else(|| self.state.arrivals.summary()),
            );
        } else {
            self.verify();
        }
    }
}
