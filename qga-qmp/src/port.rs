//! The port of the guest's agent, as the machine has it.

use qga_core::Error;

use crate::commands::object::{QomGet, QomList, QueryChardev};
use crate::monitor::Monitor;

/// The name of the agent's port within the guest.
const AGENT: &str = "org.qemu.guest_agent.0";

/// Devices that have an `id=`, and those that have none.
const NAMED: &str = "/machine/peripheral";
const UNNAMED: &str = "/machine/peripheral-anon";

/// The port of a guest's agent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgentPort {
    /// The `id=` of its device. Without one QEMU tells nobody when the guest opens or closes the port, so that it has to
    /// be asked.
    pub id: Option<String>,
    /// The `id=` of its `-chardev`.
    pub chardev: String,
}

impl Monitor {
    /// Finds the port of the guest's agent; none where the machine has none, or has its agent at a serial port. All that is
    /// asked for that has the time of one command.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn agent_port(&self) -> Result<Option<AgentPort>, Error> {
        let monitor = self.in_one_time();
        for folder in [NAMED, UNNAMED] {
            for found in monitor.execute(QomList::new(folder)).await? {
                if found.type_name != "child<virtserialport>" {
                    continue;
                }
                let path = format!("{folder}/{}", found.name);
                let name = monitor.execute(QomGet::new(&path, "name")).await?;
                if name.as_str() != Some(AGENT) {
                    continue;
                }
                let chardev = monitor.execute(QomGet::new(&path, "chardev")).await?;
                return Ok(Some(AgentPort {
                    id: (folder == NAMED).then_some(found.name),
                    chardev: chardev.as_str().unwrap_or_default().to_owned(),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the guest has a port open; none if there is no such port. An agent that has it open may hang all the same.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn is_open(&self, port: &AgentPort) -> Result<Option<bool>, Error> {
        let all = self.execute(QueryChardev).await?;
        let found = all.iter().find(|found| found.label == port.chardev);
        Ok(found.map(|found| found.frontend_open))
    }
}
