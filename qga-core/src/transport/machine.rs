//! What the host knows of a machine, beside what its agent's channel shows.

use tokio::sync::watch;

use crate::error::Power;

/// A source that tells what becomes of a machine, such as the events of libvirt or of QEMU's monitor. A client that
/// [has one](crate::ClientBuilder::machine) knows sooner when its agent is back.
///
/// The receiving end of a channel of `tokio::sync::watch` is such a source:
///
/// ```
/// use qga_core::{Client, MachineState, Power};
/// use tokio::sync::watch;
///
/// # let (_agent, stream) = tokio::io::duplex(64);
/// let (events, machine) = watch::channel(MachineState::new());
/// let client = Client::builder().machine(&machine).build(stream);
/// // Whoever hears of it tells:
/// events.send_modify(|state| state.power = Power::Off);
/// assert_eq!(client.machine().unwrap().borrow().power, Power::Off);
/// ```
///
/// It may be late, and it may know only a part. So nothing that was asked for is left undone because of it: a command
/// is tried whatever the source tells. But a command whose answer does not come ends, with
/// [`ErrorKind::MachineStopped`](crate::ErrorKind::MachineStopped), once the source has told
/// [for a while](crate::Options::machine_timeout) that the machine does not run.
pub trait MachineWatch: Send + Sync {
    /// The state that is known now, and how it changes.
    fn watch(&self) -> watch::Receiver<MachineState>;
}

/// What the host knows of a machine's state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MachineState {
    /// Whether the guest has the port of its agent open; `None` where nobody tells.
    pub port_is_open: Option<bool>,
    /// Whether the machine runs.
    pub power: Power,
    /// How often the machine was reset since the source began to watch, as by a reboot.
    pub resets: u64,
}

impl MachineState {
    /// Of a machine of which nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            port_is_open: None,
            power: Power::Unknown,
            resets: 0,
        }
    }
}

impl MachineWatch for watch::Receiver<MachineState> {
    fn watch(&self) -> watch::Receiver<MachineState> {
        self.clone()
    }
}
