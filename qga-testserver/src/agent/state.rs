use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::cassette::Player;
use crate::fault::Faults;
use crate::guest::machine::Machine;
use crate::guest::power::Switch;
use crate::lock::lock;
use crate::profile::Settings;
use crate::stub::Stubs;
use crate::wire::request::{Log, Request};

/// The state of an agent, which the test's handle and the serving task share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) stubs: Stubs,
    pub(crate) faults: Faults,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) machine: Mutex<Machine>,
    pub(crate) player: Mutex<Option<Player>>,
    pub(crate) power: Switch,
    log: Mutex<Log>,
    complaints: Mutex<Vec<String>>,
    arrived: watch::Sender<()>,
    /// How many agents have come to an end before this one.
    ended_agents: watch::Sender<u64>,
}

/// How many complaints are kept at most; the first ones matter most.
const COMPLAINT_LIMIT: usize = 20;

impl State {
    /// The agent is killed and started again.
    pub(crate) fn restart_agent(&self) {
        lock(&self.machine).restart_agent();
        self.ended_agents.send_modify(|ended| *ended += 1);
    }

    /// The whole machine begins anew, and another agent with it.
    pub(crate) fn reboot(&self) {
        lock(&self.machine).reboot();
        self.ended_agents.send_modify(|ended| *ended += 1);
    }

    /// Which agent it is that runs now: it has this many predecessors.
    pub(crate) fn agent(&self) -> u64 {
        *self.ended_agents.borrow()
    }

    /// Waits until another agent runs than this one.
    pub(crate) async fn agent_ended(&self, agent: u64) {
        let mut ended = self.ended_agents.subscribe();
        // The sender is ours, so waiting cannot fail.
        drop(ended.wait_for(|ended| *ended != agent).await);
    }

    /// Remembers a request that the agent carries out.
    pub(crate) fn record(&self, request: Arc<Request>, cost: usize) {
        lock(&self.log).add(request, cost);
        self.arrived.send_replace(());
    }

    pub(crate) fn forget_requests(&self) {
        *lock(&self.log) = Log::default();
        lock(&self.complaints).clear();
    }

    /// Remembers something that is wrong with the test itself.
    pub(crate) fn complain(&self, complaint: String) {
        let mut complaints = lock(&self.complaints);
        if complaints.len() < COMPLAINT_LIMIT {
            complaints.push(complaint);
        }
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        lock(&self.complaints).clone()
    }

    /// Lists the latest requests for a person, one on each line.
    pub(crate) fn arrivals(&self) -> String {
        lock(&self.log).summary()
    }

    /// Returns the requests that `pass` accepts, the oldest first.
    pub(crate) fn requests(&self, pass: impl Fn(&Request) -> bool) -> Vec<Request> {
        lock(&self.log)
            .iter()
            .filter(|request| pass(request))
            .map(Request::clone)
            .collect()
    }

    /// Waits until there are this many requests for a command.
    pub(crate) async fn wait_for(&self, name: &str, count: usize) -> Vec<Request> {
        let mut arrived = self.arrived.subscribe();
        loop {
            let requests = self.requests(|request| request.name == name);
            // The sender is ours, so waiting for a change cannot fail.
            if requests.len() >= count || arrived.changed().await.is_err() {
                return requests;
            }
        }
    }
}
