use tokio::sync::watch;

/// Whether the guest runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Power {
    #[default]
    On,
    /// Halted or suspended: the channel is open, and nobody answers.
    Asleep,
    /// Shut down: the channel is closed.
    Off,
}

/// What a power command makes of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerChange {
    ShutDown,
    Reboot,
    /// Halt and suspend alike, as far as the channel shows.
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

    /// Waits until the guest is awake, or off.
    pub(crate) async fn settled(&self) -> Power {
        let mut power = self.0.subscribe();
        let settled = power.wait_for(|power| *power != Power::Asleep).await;
        // The sender is ours, so waiting cannot fail.
        settled.map_or(Power::Off, |power| *power)
    }
}
