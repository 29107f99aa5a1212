use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::cassette::Player;
use crate::fault::Faults;
use crate::guest::machine::Machine;
use crate::guest::power::Switch;
use crate::lock::lock;
use crate::profile::Settings;
use crate::stub::{Complaints, Stubs};
use crate::wire::arrivals::Arrivals;

/// The state of an agent, which the test's handle and the serving task share.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) stubs: Stubs,
    pub(crate) faults: Faults,
    pub(crate) settings: Mutex<Settings>,
    pub(crate) machine: Mutex<Machine>,
    pub(crate) player: Mutex<Option<Player>>,
    pub(crate) power: Switch,
    pub(crate) arrivals: Arrivals,
    pub(crate) complaints: Complaints,
    /// How many agents have come to an end before this one.
    ended_agents: watch::Sender<u64>,
    /// How many clients were thrown off the channel.
    thrown_off: watch::Sender<u64>,
    /// Whether a client is served.
    pub(crate) has_client: AtomicBool,
}

impl State {
    /// The agent is killed and started again.
    pub(crate) fn restart_agent(&self) {
        lock(&self.machine).restart_agent();
        self.power.blink();
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

    /// Ends the connection of the client that is served.
    pub(crate) fn throw_off(&self) {
        self.thrown_off.send_modify(|count| *count += 1);
    }

    /// How many clients were thrown off the channel so far.
    pub(crate) fn thrown_off(&self) -> u64 {
        *self.thrown_off.borrow()
    }

    /// Waits until more clients were thrown off than this.
    pub(crate) async fn another_thrown_off(&self, before: u64) {
        let mut count = self.thrown_off.subscribe();
        // The sender is ours, so waiting cannot fail.
        drop(count.wait_for(|count| *count != before).await);
    }

    /// A machine that was off begins anew, unless its memory was saved to its disk.
    pub(crate) fn begin_anew(&self) {
        let is_saved = std::mem::take(&mut lock(&self.machine).is_saved);
        if !is_saved {
            self.reboot();
        }
    }

    /// Has the guest come up after the time that its facts tell, unless the machine is reset before.
    pub(crate) fn boot(self: &Arc<Self>, resets: u64) {
        let state = Arc::clone(self);
        tokio::spawn(async move {
            state.booted(resets, || {}).await;
        });
    }

    /// Waits for as long as a boot takes, and begins the guest anew then, unless the machine was reset meanwhile.
    pub(crate) async fn booted(&self, resets: u64, begin: impl FnOnce()) {
        let time = lock(&self.machine).facts().reboot_milliseconds;
        tokio::time::sleep(Duration::from_millis(time)).await;
        if self.power.resets() == resets {
            begin();
            self.power.up(resets).await;
        }
    }
}
