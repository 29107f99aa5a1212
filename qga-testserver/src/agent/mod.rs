mod delivery;
mod dispatch;
mod guest;
mod serve;
mod state;

use std::fmt;
use std::panic::Location;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
/// It serves one client at a time, in the order in which they connect: a second client gets no
/// answer until the first has left. It stops when it is dropped, and then checks what the test
/// [`expects`](crate::On::expect) of its stubs.
pub struct TestAgent {
    state: Arc<State>,
    clients: mpsc::UnboundedSender<DuplexStream>,
    task: AbortHandle,
    socket: Option<Socket>,
}

/// After this a test that waits says so.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this much more it fails.
const MOST_PATIENCE: Duration = Duration::from_secs(60 * 60 - 10);
/// How much an in-memory stream holds in each direction before the writer waits.
const STREAM_CAPACITY: usize = 64 << 10;

impl TestAgent {
    /// Starts an agent on a Unix socket of its own in a temporary folder.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, or outside a tokio runtime with I/O enabled.
    #[cfg(unix)]
    #[allow(
        clippy::unused_async,
        reason = "an agent may come to need it, and a test awaits anyway"
    )]
    pub async fn start() -> Self {
        let (socket, listener) = match Socket::open() {
            Ok(open) => open,
            #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
            Err(error) => panic!("cannot open a socket for the test agent: {error}"),
        };
        let mut agent = Self::over(Some(listener));
        agent.socket = Some(socket);
        agent
    }

    /// Starts an agent without a socket, and connects to it.
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
    /// It serves at once, so say what it answers before you let clients connect. A port of 0 is
    /// any free one; [`address`](TestAgent::address) tells which. A socket that a dead server has
    /// left is replaced, and the agent's own is removed when it is dropped.
    ///
    /// # Errors
    ///
    /// `AddrInUse` when a live server listens there or the path is no socket's; another kind when
    /// the socket cannot be made; `InvalidInput` for an address of another form.
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

    /// Connects another client, in memory; it has its turn like any other.
    #[must_use]
    pub fn connect(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(STREAM_CAPACITY);
        // When the task is gone, the client sees the end of its stream.
        drop(self.clients.send(theirs));
        ours
    }

    /// The agent's address: `unix:` and the path of its socket, or `tcp:` with host and port.
    ///
    /// # Panics
    ///
    /// When the agent is in memory and has none.
    #[must_use]
    #[track_caller]
    pub fn address(&self) -> String {
        match &self.socket {
            Some(socket) => socket.address(),
            #[allow(clippy::panic, reason = "a mistake in the test")]
            None => panic!("an agent in memory has no socket: use connect()"),
        }
    }

    /// The path of the agent's socket.
    ///
    /// # Panics
    ///
    /// When the agent is in memory or listens on TCP.
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

    /// Begins a stub for the command of this name, known to the agent or not.
    ///
    /// It is in force once it says what happens. Later stubs win over earlier ones. A stub answers
    /// before the agent looks at the arguments, and after it has looked whether the command is
    /// disabled.
    #[track_caller]
    pub fn on(&self, command: &str) -> On<'_> {
        let place = Location::caller();
        self.on_labelled(command, format!("{place}: {command}"))
    }

    /// Begins a stub that failures name like this.
    pub(crate) fn on_labelled(&self, command: &str, label: String) -> On<'_> {
        On::new(&self.state.stubs, command, label)
    }

    /// Lets something go wrong with replies to requests, whatever these are.
    ///
    /// A [`Fault`](crate::Fault) is for the next reply unless it says otherwise, and such faults queue up. Error
    /// lines for bytes that are no request do not count.
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

    /// Disables a command, as `qemu-ga -b` does: it stays listed, and is refused.
    pub fn disable(&self, command: &str) {
        lock(&self.state.settings)
            .disabled
            .insert(command.to_owned());
    }

    /// Allows only these commands, as `qemu-ga -a` does; what is disabled stays disabled.
    pub fn allow_only(&self, commands: &[&str]) {
        let commands = commands.iter().map(ToString::to_string).collect();
        lock(&self.state.settings).allowed = Some(commands);
    }

    /// Sets the agent, its version and its platform that this one behaves like.
    ///
    /// A guest that has not been edited becomes one of the platform.
    pub fn profile(&self, profile: Profile) {
        lock(&self.state.settings).profile = profile;
        lock(&self.state.machine).become_platform(profile.platform());
    }

    /// Sets what becomes of a request's `id`, whatever the profile says.
    pub fn request_ids(&self, ids: RequestIds) {
        lock(&self.state.settings).ids = Some(ids);
    }

    /// All requests carried out so far, the syncs included, oldest first.
    ///
    /// The agent keeps the latest 100,000 requests, and of large ones the latest 128 MiB or so.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.requests(|_| true)
    }

    /// All requests for one command, oldest first.
    #[must_use]
    pub fn requests_of(&self, command: &str) -> Vec<Request> {
        self.state.requests(|request| request.name == command)
    }

    /// Waits until there are `count` requests for this command, and returns all of them.
    ///
    /// They count as soon as the agent has read them, also when it does not answer. After 10 s of
    /// tokio's time the requests that have arrived are printed to the stream for errors.
    ///
    /// # Panics
    ///
    /// After an hour of tokio's time, so that a test ends whose time is paused; or outside a tokio
    /// runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost with the future.
    #[track_caller]
    pub fn wait_for(&self, command: &str, count: usize) -> impl Future<Output = Vec<Request>> {
        let place = Location::caller();
        async move {
            let told = self.arrivals_by(PATIENCE, command, count).await;
            if let Some(requests) = told {
                return requests;
            }
            self.tell(&self.missing(place, command, count));
            match self.arrivals_by(MOST_PATIENCE, command, count).await {
                Some(requests) => requests,
                #[allow(clippy::panic, reason = "a test that waits for ever tells nobody why")]
                None => panic!("{}", self.missing(place, command, count)),
            }
        }
    }

    /// Answers all requests but syncs as the recorded agent did, which were the same in the same
    /// order; anything else is an error, and a failure of [`verify`](TestAgent::verify).
    ///
    /// A client may read several files and wait for several programs side by side: between two
    /// other requests, only those about the same file or program need to be in their order. See
    /// [`Cassette`] for what else may differ. Stubs still come first.
    pub fn play(&self, cassette: &Cassette) {
        *lock(&self.state.player) = Some(Player::new(cassette, true));
    }

    /// Answers each request but syncs as the recorded agent did for this name and arguments, in
    /// any order and any number of times.
    ///
    /// A request that was recorded several times gets its answers in turn, and then the last one
    /// again. What was recorded after that one can then be asked for again too.
    pub fn play_matching(&self, cassette: &Cassette) {
        *lock(&self.state.player) = Some(Player::new(cassette, false));
    }

    /// Forgets all stubs, faults, requests and the cassette; disabled commands, programs and the
    /// guest stay as they are.
    pub fn reset(&self) {
        *lock(&self.state.player) = None;
        self.state.stubs.clear();
        self.state.faults.clear();
        self.state.forget_requests();
    }

    /// Checks that each stub has been used as often as [`expected`](crate::On::expect), that a
    /// cassette was played to its end, and that no closure of the test has panicked.
    ///
    /// Dropping the agent does the same, unless the thread panics already: then the requests
    /// that arrived are printed to the stream for errors.
    ///
    /// # Panics
    ///
    /// When something was not as expected; the message lists the requests that did arrive.
    #[allow(clippy::panic, reason = "that is how a test fails")]
    #[track_caller]
    pub fn verify(&self) {
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }

    /// The requests for a command, once there are so many; nothing if there are not in time.
    async fn arrivals_by(
        &self,
        patience: Duration,
        command: &str,
        count: usize,
    ) -> Option<Vec<Request>> {
        let arrived = self.state.wait_for(command, count);
        tokio::time::timeout(patience, arrived).await.ok()
    }

    /// That a wait has not ended yet.
    fn missing(&self, place: &Location<'_>, command: &str, count: usize) -> String {
        let so_far = self.requests_of(command).len();
        let arrived = self.state.arrivals();
        format!("{place}: waiting for {count} requests for {command}, {so_far} so far; {arrived}")
    }

    /// Prints something for whoever reads why a test fails.
    #[allow(
        clippy::print_stderr,
        reason = "it belongs to the message of the test that fails"
    )]
    fn tell(&self, story: &str) {
        let at = self.socket.as_ref().map(Socket::address);
        let at = at.map_or(String::new(), |address| format!(" at {address}"));
        eprintln!("the test agent{at}: {story}");
    }

    /// What is not as the test expects, and the requests that have arrived.
    pub(crate) fn failure(&self) -> Option<String> {
        let mut unmet = self.state.complaints();
        unmet.extend(self.state.stubs.unmet());
        if let Some(player) = &*lock(&self.state.player) {
            unmet.extend(player.unmet());
        }
        if unmet.is_empty() {
            return None;
        }
        unmet.push(self.state.arrivals());
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
            self.tell(&self.failure().unwrap_or_else(|| self.state.arrivals()));
        } else {
            self.verify();
        }
    }
}
