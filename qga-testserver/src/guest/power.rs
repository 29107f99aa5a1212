//! Whether the guest is on, asleep or off.

use tokio::sync::watch;

/// Whether the guest is running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Power {
    #[default]
    On,
    /// The guest is halted or suspended: the channel is open, and the agent does not answer.
    Asleep,
    /// The guest is shut down: the channel is closed.
    Off,
}

/// How a power command changes the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerChange {
    ShutDown,
    Reboot,
    /// A halt or a suspension; over the channel they look the same.
    Sleep,
}

/// The guest's power switch.
#[derive(Debug, Default)]
pub(crate) struct Switch(watch::Sender<Power>);

impl Switch {
    pub(crate) fn set(&self, power: Power) {
        self.0.send_replace(power);
    }

    pub(crate) fn now(&self) -> Power {
        *self.0.borrow()
    }

    /// Waits until the guest is on or off, and no longer asleep.
    pub(crate) async fn settled(&self) -> Power {
        let mut power = self.0.subscribe();
        let settled = power.wait_for(|power| *power != Power::Asleep).await;
        // The sender is ours, so waiting cannot fail.
        settled.map_or(Power::Off, |power| *power)
    }
}
