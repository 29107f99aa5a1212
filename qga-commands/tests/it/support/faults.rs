//! An operation that meets each fault at each of its messages.

use std::sync::Arc;
use std::time::Duration;

use qga_commands::agent::Ping;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use tokio::time::Instant;

/// How long each command may take.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

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

/// A guest whose channel is opened anew after it was lost, in memory, so that time can be paused.
pub(crate) async fn reconnecting() -> (Arc<TestAgent>, Guest) {
    let agent = Arc::new(TestAgent::in_memory().0);
    let guest = reconnect(&agent).await;
    (agent, guest)
}

/// Another client of the same agent.
pub(crate) async fn reconnect(agent: &Arc<TestAgent>) -> Guest {
    let agent = Arc::clone(agent);
    let open = move || {
        let stream = agent.connect();
        async move { Ok(stream) }
    };
    let options = Options::new().timeout(TIMEOUT);
    let client = Client::builder().options(options).connect_with(open).await;
    Guest::new(client.unwrap())
}

/// Runs an operation with each fault at its first message, its second, and so on, until it needs no
/// more. Each run has an agent of its own, which `prepare` prepares. `check` looks at the result and at
/// the agent; `context` names the fault. Afterwards the guest must answer a ping.
///
/// An operation must end within `limit` of tokio's time, whatever happens.
pub(crate) async fn at_every_message<T>(
    limit: Duration,
    prepare: impl Fn(&TestAgent),
    operation: impl AsyncFn(&Guest) -> Result<T, GuestError>,
    check: impl Fn(&TestAgent, &str, Result<T, GuestError>),
) {
    for (name, fault) in faults() {
        let mut spent = false;
        for message in 1..MOST_MESSAGES {
            let (agent, guest) = reconnecting().await;
            prepare(&agent);
            let before = agent.requests().len();
            agent.fault(fault.clone().on_message(message));
            let context = format!("{name} at message {message}");
            let start = Instant::now();
            let result = operation(&guest).await;
            let took = start.elapsed();
            assert!(took <= limit, "{context}: took {took:?}");
            let used = agent.requests().len() - before;
            check(&agent, &context, result);
            agent.reset();
            let alive = alive(&guest).await;
            assert!(alive, "{context}: the guest does not answer afterwards");
            if used < message {
                spent = true;
                break;
            }
        }
        assert!(spent, "{name}: more than {MOST_MESSAGES} messages");
    }
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
        assert!(alive(&guest).await, "{context}: the guest does not answer");
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
        for _ in 0..2 {
            if result.is_err() {
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
    at_every_message(limit * 3, &prepare, again, check).await;
    let check = async |agent: &TestAgent, guest: &Guest, context: &str| {
        let error = operation(guest).await.err();
        assert!(error.is_none(), "{context}: {error:?}");
        assert!(is_done(agent), "{context}: it is not done");
    };
    dropped_at_every_poll(Duration::ZERO, &prepare, &operation, check).await;
}

/// A channel that was just lost may fail one command before it is opened anew.
async fn alive(guest: &Guest) -> bool {
    guest.execute(Ping).await.is_ok() || guest.execute(Ping).await.is_ok()
}
