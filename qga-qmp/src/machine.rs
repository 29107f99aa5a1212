//! A machine that has both: a guest with an agent, and a monitor.
//!
//! ```no_run
//! use qga_qmp::Machine;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let machine = Machine::connect("/run/vm1/qga.sock", "/run/vm1/qmp.sock").await?;
//! machine.ready().await?;
//! println!("{}", machine.guest().host_name().await?);
//! let ending = machine.shutdown().await?;
//! println!("{} ({})", ending.outcome, ending.proof);
//! # Ok(())
//! # }
//! ```
//!
//! The monitor tells the guest's operations what becomes of the machine, so they end sooner, and their outcomes are
//! [proven](Proof). The [page of the crate](crate#what-qemu-has-to-be-told) says what QEMU has to be told for that.

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::ready::Ready;
use qga_core::{Address, AddressError, MachineState, MachineWatch, Power};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::commands::power::{Cont, Quit, Stop, SystemPowerdown, SystemReset, SystemWakeup};
use crate::later::later;
use crate::monitor::Monitor;
use crate::watch::MonitorWatch;

mod builder;
mod disk_copy;
mod ending;
mod error;
mod free;
mod identity;
mod job;
mod snapshot;

pub use builder::MachineBuilder;
pub use disk_copy::DiskCopy;
pub use ending::{Ending, MachineTransition, Proof};
pub use error::MachineError;
pub use snapshot::{Backup, BackupBuilder, Snapshot, SnapshotBuilder};

/// How long an operation waits until what it has done is told. It is told before the answer of QEMU, if at all.
const CATCH_UP: Duration = Duration::from_secs(2);

/// A machine with a guest and a monitor. Clones share both connections.
#[derive(Clone, Debug)]
pub struct Machine {
    guest: Guest,
    monitor: Monitor,
    watch: MonitorWatch,
}

impl Machine {
    /// Connects to the monitor of a machine. The agent of its guest is connected to when it is first asked for
    /// something, since it may not be there yet; see [`ready`](Self::ready).
    ///
    /// # Errors
    ///
    /// As [`Monitor::connect`], and [`MachineError::Guest`] if the agent's address cannot be read.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn connect<A, M>(agent: A, monitor: M) -> Result<Self, MachineError>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
        M: TryInto<Address, Error: Into<AddressError>>,
    {
        Self::builder().connect(agent, monitor).await
    }

    /// Settings for another machine.
    pub fn builder() -> MachineBuilder {
        MachineBuilder::new()
    }

    /// The guest, by its agent. It knows what the monitor tells.
    #[must_use]
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The monitor.
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// What is known of the machine now.
    #[must_use]
    pub fn state(&self) -> MachineState {
        *self.watch.watch().borrow()
    }

    /// Waits up to a minute until the guest's agent answers; see [`ready_for`](Self::ready_for).
    ///
    /// # Errors
    ///
    /// As [`ready_for`](Self::ready_for).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn ready(&self) -> Result<(), MachineError> {
        self.ready_for(&Ready::ping()).await
    }

    /// Waits until the guest is ready. Nothing is sent to its agent before the guest has opened the agent's port.
    ///
    /// # Errors
    ///
    /// - [`MachineError::Stopped`] at once when the machine is off, paused, suspended or stands still, or its guest has
    ///   panicked, as waiting is of no use then
    /// - [`MachineError::PortClosed`] when the guest did not open the port in time
    /// - [`MachineError::Guest`] when its agent is not ready in time
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn ready_for(&self, ready: &Ready) -> Result<(), MachineError> {
        let begun = Instant::now();
        let mut states = self.watch.watch();
        let end = later(begun, ready.time());
        match timeout_at(end, port_opened(&mut states)).await {
            Ok(opened) => opened?,
            Err(_) => return Err(MachineError::PortClosed(ready.time())),
        }
        let left = end.saturating_duration_since(Instant::now());
        let ready = ready.clone().timeout(left);
        tokio::select! {
            biased;
            waited = self.guest.wait_ready(&ready) => Ok(waited?),
            power = stopped(&mut states) => Err(MachineError::Stopped(power)),
        }
    }

    /// Shuts the guest down and switches its machine off.
    pub fn shutdown(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.shutdown())
    }

    /// Shuts the guest down and leaves its machine on. No event tells of that.
    pub fn halt(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.halt())
    }

    /// Shuts the guest down and starts it again.
    pub fn reboot(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.reboot())
    }

    /// Has the guest suspend its machine to memory.
    pub fn suspend(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.suspend_ram())
    }

    /// Has the guest save its memory to its disk and suspend its machine to memory. Not in Windows.
    pub fn suspend_hybrid(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.suspend_hybrid())
    }

    /// Has the guest suspend its machine to disk.
    pub fn hibernate(&self) -> MachineTransition {
        MachineTransition::new(self, self.guest.suspend_disk())
    }

    /// Wakes up a machine that is suspended to memory.
    ///
    /// # Errors
    ///
    /// When it is not suspended, and as [`Monitor::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn wakeup(&self) -> Result<(), MachineError> {
        self.monitor.execute(SystemWakeup).await?;
        self.told(|state| state.power != Power::Suspended).await;
        Ok(())
    }

    /// Stops the machine's processors until it is [resumed](Self::resume).
    ///
    /// # Errors
    ///
    /// As [`Monitor::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn pause(&self) -> Result<(), MachineError> {
        self.monitor.execute(Stop).await?;
        self.told(|state| state.power != Power::Running).await;
        Ok(())
    }

    /// Lets the machine's processors go on, also after a disk of the host was full, and starts a machine that waits for
    /// that.
    ///
    /// # Errors
    ///
    /// When the guest has shut down and the machine has to be [reset](Self::reset) first, and as [`Monitor::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn resume(&self) -> Result<(), MachineError> {
        self.monitor.execute(Cont).await?;
        self.told(|state| state.power == Power::Running).await;
        Ok(())
    }

    /// Resets the machine at once. What the guest has not written yet is lost. A machine that was suspended or paused has
    /// to be [resumed](Self::resume) then.
    ///
    /// # Errors
    ///
    /// As [`Monitor::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn reset(&self) -> Result<(), MachineError> {
        let before = self.state().resets;
        self.monitor.execute(SystemReset).await?;
        self.told(|state| state.resets > before).await;
        Ok(())
    }

    /// Presses the power button. A guest may shut down then, or not; that is not waited for.
    ///
    /// # Errors
    ///
    /// As [`Monitor::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn power_button(&self) -> Result<(), MachineError> {
        self.monitor.execute(SystemPowerdown).await?;
        Ok(())
    }

    /// Ends QEMU at once. What the guest has not written yet is lost.
    ///
    /// # Errors
    ///
    /// As [`Monitor::execute`], but it is no error that QEMU ends before it has answered.
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::execute`].
    pub async fn quit(&self) -> Result<(), MachineError> {
        match self.monitor.execute(Quit).await {
            Err(error) if error.is_closed() && error.execution() != qga_core::Execution::NotRun => {
                Ok(())
            }
            ended => Ok(ended.map(drop)?),
        }
    }

    /// Waits a moment until the state is known that a command has brought about, so that what is done next does not find
    /// the one from before.
    async fn told(&self, is_told: impl Fn(&MachineState) -> bool) {
        let mut states = self.watch.watch();
        let _ = timeout(CATCH_UP, states.wait_for(|state| is_told(state))).await;
    }

    fn new(guest: Guest, monitor: Monitor, watch: MonitorWatch) -> Self {
        Self {
            guest,
            monitor,
            watch,
        }
    }
}

/// Waits until the guest has its agent's port open, as far as anybody tells.
async fn port_opened(states: &mut watch::Receiver<MachineState>) -> Result<(), MachineError> {
    loop {
        let state = *states.borrow_and_update();
        if state.power.is_stopped() {
            return Err(MachineError::Stopped(state.power));
        }
        // At a serial port nobody tells, and only its agent can be asked.
        if state.port_is_open != Some(false) && state.power != Power::Unknown {
            return Ok(());
        }
        if states.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Waits until the machine does not run any more.
async fn stopped(states: &mut watch::Receiver<MachineState>) -> Power {
    loop {
        let power = states.borrow_and_update().power;
        if power.is_stopped() {
            return power;
        }
        if states.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}
