//! Whether an agent and a monitor are those of one machine.

use std::path::Path;

use qga_core::Address;

use super::{Machine, MachineError};
use crate::commands::object::QueryChardev;
use crate::commands::status::QueryUuid;

/// Where Linux tells the machine's UUID.
const UUID_OF_THE_GUEST: &str = "/sys/class/dmi/id/product_uuid";

impl Machine {
    /// Proves that agent and monitor are those of one machine.
    ///
    /// Where both are reached by Unix sockets of this host, QEMU's word that the agent's socket is its own will do, and the
    /// guest is not asked. Otherwise it is the machine's UUID: QEMU must have been given one by `-uuid`, and the guest must
    /// be a Linux whose firmware tells it. A hostile guest can tell any UUID that it knows, so that is no proof against
    /// malice.
    ///
    /// # Errors
    ///
    /// [`MachineError::NotProven`] if they differ or there is nothing to be compared; as
    /// [`Guest::read`](qga_commands::Guest::read) and [`Monitor::execute`](crate::Monitor::execute).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn prove(&self) -> Result<(), MachineError> {
        if self.has_socket_of_agent().await? {
            return Ok(());
        }
        let told = self.monitor.execute(QueryUuid).await?.uuid;
        if told.bytes().all(|byte| byte == b'0' || byte == b'-') {
            let text = "the agent's socket is not QEMU's own as far as can be seen from here, and QEMU was given no UUID (`-uuid`) by which its guest could be known";
            return Err(MachineError::NotProven(text.to_owned()));
        }
        let read = match self.guest.read(UUID_OF_THE_GUEST).await {
            Err(error) if error.agent_error().is_some() => {
                let text = format!("the guest does not tell the UUID of its machine: {error}");
                return Err(MachineError::NotProven(text));
            }
            read => read?,
        };
        let read = String::from_utf8_lossy(&read);
        if read.trim().eq_ignore_ascii_case(told.trim()) {
            return Ok(());
        }
        Err(MachineError::NotProven(format!(
            "the agent is in another machine: QEMU's has the UUID {told:?}, that of the guest is {:?}",
            read.trim().chars().take(64).collect::<String>()
        )))
    }

    /// Whether QEMU says that it listens at the agent's socket, where both are of this host.
    async fn has_socket_of_agent(&self) -> Result<bool, MachineError> {
        let is_here = |text: &str| text.starts_with("unix:");
        let (Some(Address::Unix(agent)), true) = (
            self.guest.client().address(),
            self.monitor.address().is_some_and(is_here),
        ) else {
            return Ok(false);
        };
        let ports = self.monitor.execute(QueryChardev).await?;
        let mut paths = ports.iter().filter_map(|port| path_of(&port.filename));
        Ok(paths.any(|path| is_same(agent, path)))
    }
}

/// The path of a Unix socket, as in `disconnected:unix:/run/vm1/qga.sock,server=on`.
fn path_of(filename: &str) -> Option<&Path> {
    let name = filename.strip_prefix("disconnected:").unwrap_or(filename);
    let path = name.strip_prefix("unix:")?;
    let path = path.rsplit_once(",server").map_or(path, |(path, _)| path);
    Some(Path::new(path))
}

#[cfg(unix)]
fn is_same(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let file = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    file(one).is_some_and(|one| file(other) == Some(one))
}

#[cfg(not(unix))]
fn is_same(_: &Path, _: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_socket_is_found_in_what_qemu_calls_it() {
        for (filename, path) in [
            (
                "disconnected:unix:/run/vm1/qga.sock,server=on",
                Some("/run/vm1/qga.sock"),
            ),
            ("unix:/run/a,b.sock,server=on", Some("/run/a,b.sock")),
            ("unix:/run/vm1/qga.sock", Some("/run/vm1/qga.sock")),
            ("disconnected:tcp:127.0.0.1:4444,server=on", None),
            ("pty:/dev/pts/3", None),
            ("", None),
        ] {
            assert_eq!(path_of(filename), path.map(Path::new), "{filename}");
        }
    }
}
