//! Whether the guest is on, asleep or off, and what its host sees of that.

use tokio::sync::watch;

/// Whether the machine of a guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Power {
    /// It runs.
    #[default]
    On,
    /// The guest is halted, and its machine runs on: the channel is open, and the agent does not answer.
    Halted,
    /// The guest is suspended to memory: the channel is open, and the agent does not answer.
    Suspended,
    /// The host has [stopped](crate::TestAgent::pause) its processors: the channel is open, and nothing happens in the
    /// guest.
    Paused,
    /// The guest is shut down: the channel is closed.
    Off,
}

/// What the host of a guest sees of its machine, beside the channel of its agent;
/// [`TestAgent::machine`](crate::TestAgent::machine) watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostView {
    /// Whether the machine runs.
    pub power: Power,
    /// How often it was reset, as by a reboot.
    pub resets: u64,
    /// Whether the guest has the port of its agent open.
    pub port_is_open: bool,
}

/// How a power command changes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerChange {
    ShutDown,
    Reboot,
    Halt,
    /// The memory is kept, also by a hybrid suspension.
    SuspendToMemory,
    SuspendToDisk,
}

/// The guest's power switch.
#[derive(Debug)]
pub(crate) struct Switch(watch::Sender<HostView>);

impl Default for Switch {
    fn default() -> Self {
        Self(watch::Sender::new(HostView {
            power: Power::On,
            resets: 0,
            port_is_open: true,
        }))
    }
}

impl Switch {
    pub(crate) fn set(&self, power: Power) {
        self.0.send_modify(|view| {
            view.power = power;
            view.port_is_open = matches!(power, Power::On | Power::Paused);
        });
    }

    /// Stops a machine that runs, or lets one run that was stopped.
    pub(crate) fn pause(&self, pause: bool) {
        let (from, to) = if pause {
            (Power::On, Power::Paused)
        } else {
            (Power::Paused, Power::On)
        };
        self.0.send_if_modified(|view| {
            let changes = view.power == from;
            if changes {
                view.power = to;
            }
            changes
        });
    }

    /// The machine begins anew, and the guest is not up yet.
    pub(crate) fn reset(&self) {
        self.0.send_modify(|view| {
            view.power = Power::On;
            view.resets += 1;
            view.port_is_open = false;
        });
    }

    pub(crate) fn now(&self) -> Power {
        self.0.borrow().power
    }

    pub(crate) fn resets(&self) -> u64 {
        self.0.borrow().resets
    }

    pub(crate) fn watch(&self) -> watch::Receiver<HostView> {
        self.0.subscribe()
    }

    /// Waits until the guest is on or off, and neither paused nor at rest.
    pub(crate) async fn settled(&self) -> Power {
        let is_settled = |view: &HostView| matches!(view.power, Power::On | Power::Off);
        let mut views = self.0.subscribe();
        let settled = views.wait_for(is_settled).await;
        // The sender is ours, so waiting cannot fail.
        settled.map_or(Power::Off, |view| view.power)
    }

    /// Waits until the machine is paused.
    pub(crate) async fn paused(&self) {
        let mut views = self.0.subscribe();
        drop(views.wait_for(|view| view.power == Power::Paused).await);
    }
}
