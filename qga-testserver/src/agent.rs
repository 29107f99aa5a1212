#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;

use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::serve::{Clients, serve};
#[cfg(unix)]
use crate::socket::Socket;
use crate::state::{State, lock};
use crate::stub::On;
use crate::{Fault, NextFault, Profile, Request, RequestIds};

/// A fake guest agent that answers like the real one, for one test.
///
/// It serves one client at a time, in the order in which they connect: a second client gets no
/// answer until the first has left. It stops when it is dropped, and then checks what
/// [`times`](crate::Stub::times) said of its stubs.
#[derive(Debug)]
pub struct TestAgent {
    state: Arc<State>,
    clients: mpsc::UnboundedSender<DuplexStream>,
    task: AbortHandle,
    #[cfg(unix)]
    socket: Option<Socket>,
}

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
        let mut agent = Self::over(|waiting| Clients {
            listener: Some(listener),
            waiting,
        });
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
        let agent = Self::over(|waiting| Clients {
            #[cfg(unix)]
            listener: None,
            waiting,
        });
        let stream = agent.connect();
        (agent, stream)
    }

    fn over(clients: impl FnOnce(mpsc::UnboundedReceiver<DuplexStream>) -> Clients) -> Self {
        let state = Arc::new(State::default());
        let (sender, receiver) = mpsc::unbounded_channel();
        let task = tokio::spawn(serve(clients(receiver), Arc::clone(&state))).abort_handle();
        Self {
            state,
            clients: sender,
            task,
            #[cfg(unix)]
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

    /// The agent's address: `unix:` and the path of its socket.
    ///
    /// # Panics
    ///
    /// When the agent is in memory and has none.
    #[cfg(unix)]
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:{}", self.path().display())
    }

    /// The path of the agent's socket.
    ///
    /// # Panics
    ///
    /// When the agent is in memory and has none.
    #[cfg(unix)]
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.socket {
            Some(socket) => socket.path(),
            #[allow(clippy::panic, reason = "a mistake in the test")]
            None => panic!("an agent in memory has no socket: use connect()"),
        }
    }

    /// Begins a stub for the command of this name, known to the agent or not.
    ///
    /// Later stubs win over earlier ones. A stub answers before the agent looks at the arguments,
    /// and after it has looked whether the command is disabled.
    pub fn on(&self, command: &str) -> On<'_> {
        On::new(&self.state.stubs, command)
    }

    /// Lets something go wrong with the next reply to a request, whatever it is.
    ///
    /// Faults queue up: each is for one reply unless [`NextFault::times`] or
    /// [`NextFault::always`] says otherwise. Error lines for bytes that are no request do not count.
    #[allow(clippy::must_use_candidate, reason = "the fault is in force at once")]
    pub fn fault(&self, fault: Fault) -> NextFault {
        self.state.faults.add(fault)
    }

    /// Disables a command, as `qemu-ga -b` does: it stays listed, and is refused.
    pub fn disable(&self, command: &str) {
        lock(&self.state.settings)
            .disabled
            .insert(command.to_owned());
    }

    /// Sets the QEMU version that the agent behaves like.
    pub fn profile(&self, profile: Profile) {
        lock(&self.state.settings).profile = profile;
    }

    /// Sets what becomes of a request's `id`.
    pub fn request_ids(&self, ids: RequestIds) {
        lock(&self.state.settings).ids = ids;
    }

    /// Puts a file into the guest, with the folders above it; an older one is replaced.
    pub fn file(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.state.guest)
            .files
            .put(path.as_bytes(), content.into());
    }

    /// What a file of the guest holds, without what a client has written and not flushed.
    #[must_use]
    pub fn file_content(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.state.guest).files.content(path.as_bytes())
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
    /// They count as soon as the agent has read them, also when it does not answer.
    pub async fn wait_for(&self, command: &str, count: usize) -> Vec<Request> {
        self.state.wait_for(command, count).await
    }

    /// Forgets all stubs, faults and requests; disabled commands and files stay.
    pub fn reset(&self) {
        self.state.stubs.clear();
        self.state.faults.clear();
        self.state.forget_requests();
    }

    /// Checks that each stub has been used as often as [`times`](crate::Stub::times) said.
    ///
    /// Dropping the agent does the same.
    ///
    /// # Panics
    ///
    /// When a stub was used too rarely; the message lists the requests that did arrive.
    #[allow(clippy::panic, reason = "that is how a test fails")]
    pub fn verify(&self) {
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }

    fn failure(&self) -> Option<String> {
        let unmet = self.state.stubs.unmet();
        if unmet.is_empty() {
            return None;
        }
        let arrived: Vec<_> = self.requests().iter().map(describe).collect();
        let arrived = if arrived.is_empty() {
            "none".to_owned()
        } else {
            arrived.join("\n  ")
        };
        Some(format!(
            "requests were missing:\n  {}\nrequests that did arrive:\n  {arrived}",
            unmet.join("\n  ")
        ))
    }
}

impl Drop for TestAgent {
    fn drop(&mut self) {
        self.task.abort();
        if !std::thread::panicking() {
            self.verify();
        }
    }
}

/// A request in one short line.
fn describe(request: &Request) -> String {
    let arguments = request.arguments.to_string();
    let short: String = arguments.chars().take(200).collect();
    format!("{} {short}", request.name)
}
