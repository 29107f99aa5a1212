//! An operation that meets each trouble at each of its messages.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, ClientBuilder, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use tokio::io::DuplexStream;
use tokio::time::Instant;

/// How long each command may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// How often an operation is done again. A connection that is silent is given up after some of them.
const TIMES: u32 = 5;

/// More messages than any operation here needs.
const MOST_MESSAGES: usize = 200;

/// What may become of a reply, with its name for a failed test.
pub(crate) fn faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("no answer", Fault::no_answer()),
        ("torn", Fault::torn(5)),
        ("garbage", Fault::garbage("?\n")),
        ("restart", Fault::restart()),
        ("close before", Fault::close_before()),
        ("close within", Fault::close_within(5)),
        ("close after", Fault::close_after()),
    ]
}

/// What goes wrong with a channel at one message.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// This becomes of the reply.
    Reply(Fault),
    /// The agent hangs up in place of the reply, and so many connections that are opened then stay silent.
    HangsUp { silent: usize },
}

/// An agent that hangs up, is connected to again, and is silent: for one connection, since it was opened too
/// early, say.
pub(crate) const SILENT: Trouble = Trouble::HangsUp { silent: 1 };
/// The same, however often it is connected to.
pub(crate) const SILENT_FOR_GOOD: Trouble = Trouble::HangsUp { silent: usize::MAX };

/// All that an operation has to get through with an agent that is there.
pub(crate) fn troubles() -> Vec<(&'static str, Trouble)> {
    let replies = faults().into_iter();
    let mut troubles: Vec<_> = replies
        .map(|(name, fault)| (name, Trouble::Reply(fault)))
        .collect();
    troubles.push(("hangs up, is reopened, stays silent", SILENT));
    troubles
}

impl Trouble {
    /// Lets it happen at this message from now on, and for once; 1 is the next.
    pub(crate) fn at(&self, message: usize, agent: &TestAgent, line: &Line) {
        match self {
            Self::Reply(fault) => agent.fault(fault.clone().on_reply(message)),
            Self::HangsUp { silent } => {
                agent.fault(Fault::close_before().on_reply(message));
                line.becomes(Door::Silent(*silent));
            }
        }
    }
}

/// What lies between a client and its agent, in memory.
#[derive(Clone, Default)]
pub(crate) struct Line(Arc<Mutex<Wire>>);

#[derive(Default)]
struct Wire {
    door: Door,
    /// The other ends of the connections on which nobody answers.
    silent: Vec<DuplexStream>,
}

/// What is met by who connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Door {
    #[default]
    Agent,
    /// So many times nobody who answers, and then the agent.
    Silent(usize),
    HangsUp,
    /// An error of this host, or of a proxy.
    Fails(io::ErrorKind),
}

impl Line {
    pub(crate) fn becomes(&self, door: Door) {
        self.0.lock().unwrap().door = door;
    }

    /// The agent is met again, and connections on which nobody answers end.
    pub(crate) fn heals(&self) {
        let mut wire = self.0.lock().unwrap();
        wire.door = Door::Agent;
        wire.silent.clear();
    }

    fn open(&self, agent: &TestAgent) -> io::Result<DuplexStream> {
        let mut wire = self.0.lock().unwrap();
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        match wire.door {
            Door::Agent | Door::Silent(0) => return Ok(agent.connect()),
            Door::Silent(left) => {
                wire.door = Door::Silent(left - 1);
                wire.silent.push(theirs);
            }
            Door::HangsUp => {}
            Door::Fails(error) => return Err(error.into()),
        }
        Ok(ours)
    }
}

/// A guest whose channel is opened anew after it was lost, in memory, so that time can be paused.
pub(crate) async fn reconnecting() -> (Arc<TestAgent>, Guest) {
    let (agent, _, guest) = over_a_line().await;
    (agent, guest)
}

/// The same, over a line of which more can go wrong.
pub(crate) async fn over_a_line() -> (Arc<TestAgent>, Line, Guest) {
    over_a_line_by(Client::builder()).await
}

/// The same, with a client of its own kind.
pub(crate) async fn over_a_line_by(builder: ClientBuilder) -> (Arc<TestAgent>, Line, Guest) {
    let (agent, line) = (Arc::new(TestAgent::in_memory().0), Line::default());
    let (other_end, way) = (Arc::clone(&agent), line.clone());
    let open = move || {
        let stream = way.open(&other_end);
        async move { stream }
    };
    let options = Options::new().timeout(TIMEOUT);
    let client = builder.options(options).connect_with(open).await;
    (agent, line, Guest::new(client.unwrap()))
}

/// Ends the channel, and says what is met by who opens it again.
pub(crate) async fn lose(agent: &TestAgent, line: &Line, guest: &Guest, door: Door) {
    line.becomes(door);
    agent.fault(Fault::close_after());
    guest.client().execute(Ping).await.unwrap();
}

/// Runs an operation with each trouble at its first message, its second, and so on, until it needs no
/// more. Each run has an agent of its own, which `prepare` prepares. `check` looks at the result and at
/// the agent, of which it has to be true; `context` names the trouble. Afterwards the guest must answer a
/// ping.
///
/// An operation must end within `limit` of tokio's time, whatever happens.
pub(crate) async fn at_every_message<T>(
    limit: Duration,
    prepare: impl Fn(&TestAgent),
    operation: impl AsyncFn(&Guest) -> Result<T, GuestError>,
    check: impl Fn(&TestAgent, &str, Result<T, GuestError>),
) {
    for (name, trouble) in troubles() {
        trouble_at_every_message(name, &trouble, limit, &prepare, &operation, &check).await;
    }
}

/// The same for one trouble.
pub(crate) async fn trouble_at_every_message<T>(
    name: &str,
    trouble: &Trouble,
    limit: Duration,
    prepare: impl Fn(&TestAgent),
    operation: impl AsyncFn(&Guest) -> Result<T, GuestError>,
    check: impl Fn(&TestAgent, &str, Result<T, GuestError>),
) {
    for message in 1..MOST_MESSAGES {
        let (agent, line, guest) = over_a_line().await;
        prepare(&agent);
        let before = agent.requests().len();
        trouble.at(message, &agent, &line);
        let context = format!("{name} at message {message}");
        let start = Instant::now();
        let result = operation(&guest).await;
        let took = start.elapsed();
        assert!(took <= limit, "{context}: took {took:?}");
        let used = agent.requests().len() - before;
        check(&agent, &context, result);
        agent.reset();
        line.heals();
        let alive = alive(&agent, &guest).await;
        assert!(alive, "{context}: the guest does not answer afterwards");
        if used < message {
            return;
        }
    }
    panic!("{name}: more than {MOST_MESSAGES} messages");
}

/// Drops an operation after its first poll, its second, and so on, until it comes to its end, and
/// then lets `settle` pass. `check` looks at the agent and the guest each time.
pub(crate) async fn dropped_at_every_poll<T>(
    settle: Duration,
    prepare: impl Fn(&TestAgent),
    operation: impl AsyncFn(&Guest) -> Result<T, GuestError>,
    check: impl AsyncFn(&TestAgent, &Guest, &str),
) {
    for polls in 1..10_000 {
        let (agent, guest) = reconnecting().await;
        prepare(&agent);
        let ended = super::poll_times(operation(&guest), polls).await.is_some();
        tokio::time::sleep(settle).await;
        let context = format!("dropped after {polls} polls");
        check(&agent, &guest, &context).await;
        let alive = alive(&agent, &guest).await;
        assert!(alive, "{context}: the guest does not answer");
        if ended {
            return;
        }
    }
    panic!("it never came to its end");
}

/// An operation that does no harm when it is done again: with each fault at each of its messages its
/// error says so if it may have been done, and after a fault, and after a drop at any point, it is done
/// when it is done again.
pub(crate) async fn can_be_done_again<T>(
    limit: Duration,
    prepare: impl Fn(&TestAgent),
    operation: impl AsyncFn(&Guest) -> Result<T, GuestError>,
    is_done: impl Fn(&TestAgent) -> bool,
) {
    let check = |agent: &TestAgent, context: &str, result: Result<T, GuestError>| match result {
        Ok(_) => assert!(is_done(agent), "{context}: it is not done"),
        Err(error) if error.execution() == Execution::NotRun => {
            assert!(!is_done(agent), "{context}: it is done: {error:?}");
        }
        Err(_) => {}
    };
    at_every_message(limit, &prepare, &operation, check).await;
    let again = async |guest: &Guest| {
        let mut result = operation(guest).await;
        for _ in 1..TIMES {
            if let Err(error) = &result {
                rest(error).await;
                result = operation(guest).await;
            }
        }
        result
    };
    let check = |agent: &TestAgent, context: &str, result: Result<T, GuestError>| {
        let error = result.err();
        assert!(error.is_none(), "{context}: {error:?}");
        assert!(is_done(agent), "{context}: it is not done");
    };
    at_every_message(limit * TIMES, &prepare, again, check).await;
    let check = async |agent: &TestAgent, guest: &Guest, context: &str| {
        let error = operation(guest).await.err();
        assert!(error.is_none(), "{context}: {error:?}");
        assert!(is_done(agent), "{context}: it is not done");
    };
    dropped_at_every_poll(Duration::ZERO, &prepare, &operation, check).await;
}

/// Waits while the client pauses.
async fn rest(error: &GuestError) {
    tokio::time::sleep(error.retry_after().unwrap_or_default()).await;
}

/// A client that has met many failures pauses for a while, and a guest that was put to sleep falls asleep when
/// it is connected to.
async fn alive(agent: &TestAgent, guest: &Guest) -> bool {
    let options = Options::new().wait_for_channel(true);
    let patient = guest.client().with_options(options);
    for _ in 0..3 {
        agent.wake();
        if patient.execute(Ping).await.is_ok() {
            return true;
        }
    }
    false
}
