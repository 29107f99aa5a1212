//! The settings of a machine.

use qga_commands::guest::GuestBuilder;
use qga_commands::{Guest, GuestError};
use qga_core::{Address, AddressError};

use super::{Machine, MachineError};
use crate::monitor::{Monitor, MonitorBuilder};

/// Settings for a [`Machine`]; [`Machine::builder`] makes it.
///
/// ```no_run
/// use qga_commands::Guest;
/// use qga_qmp::{Machine, Monitor};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), qga_qmp::MachineError> {
/// let machine = Machine::builder()
///     .guest(Guest::builder().connect_timeout(Duration::from_secs(2)))
///     .monitor(Monitor::builder().timeout(Duration::from_secs(10)))
///     .prove(true)
///     .connect("/run/vm1/qga.sock", "/run/vm1/qmp.sock")
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct MachineBuilder {
    guest: GuestBuilder,
    monitor: MonitorBuilder,
    prove: bool,
}

impl MachineBuilder {
    pub(super) fn new() -> Self {
        Self {
            guest: Guest::builder(),
            monitor: Monitor::builder(),
            prove: false,
        }
    }

    /// The settings of the agent's client.
    pub fn guest(mut self, guest: GuestBuilder) -> Self {
        self.guest = guest;
        self
    }

    /// The settings of the monitor's client.
    pub fn monitor(mut self, monitor: MonitorBuilder) -> Self {
        self.monitor = monitor;
        self
    }

    /// Whether to [prove](Machine::prove) at once that agent and monitor are those of one machine, for which the agent
    /// must answer; it is not done unless set.
    pub fn prove(mut self, prove: bool) -> Self {
        self.prove = prove;
        self
    }

    /// Connects; see [`Machine::connect`].
    ///
    /// # Errors
    ///
    /// As [`Machine::connect`], and as [`Machine::prove`] where that is asked for.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// As [`Machine::connect`].
    pub async fn connect<A, M>(self, agent: A, monitor: M) -> Result<Machine, MachineError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
        M: TryInto<Address, Error: Into<AddressError>>,
    {
        let agent = agent
            .try_into()
            .map_err(|error| GuestError::Address(error.into()))?;
        let monitor = self.monitor.connect(monitor).await?;
        let watch = monitor.machine().await?;
        let guest = self.guest.machine(&watch).connect_lazy(agent)?;
        let machine = Machine::new(guest, monitor, watch);
        if self.prove {
            machine.prove().await?;
        }
        Ok(machine)
    }

    /// A machine over an agent's client and a monitor that are there already. The settings of this builder are not for
    /// them; the guest's own builder should have been given the [monitor](qga_core::ClientBuilder::machine).
    ///
    /// # Errors
    ///
    /// As [`Machine::connect`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// As [`Machine::connect`].
    pub async fn build(self, guest: Guest, monitor: Monitor) -> Result<Machine, MachineError> {
        let watch = monitor.machine().await?;
        let machine = Machine::new(guest, monitor, watch);
        if self.prove {
            machine.prove().await?;
        }
        Ok(machine)
    }
}
