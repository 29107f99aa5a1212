//! A real agent, where one is installed.

mod copy;
mod files;
mod incarnation;
mod machine;
mod process;
mod streaming;

use std::io::{ErrorKind, Write};

use qga_commands::Guest;
use qga_testserver::real_agent::RealAgent;

/// An agent that refuses whatever could do harm, should a test have a mistake. `None`, and a line
/// that says so, where none is installed; CI must have one.
pub(crate) async fn guest(test: &str) -> Option<(RealAgent, Guest)> {
    const HARMFUL: &str = "guest-shutdown,guest-suspend-disk,guest-suspend-ram,\
        guest-suspend-hybrid,guest-set-time,guest-set-vcpus,guest-set-user-password,\
        guest-set-memory-blocks,guest-fsfreeze-freeze,guest-fsfreeze-freeze-list,guest-fstrim,\
        guest-ssh-add-authorized-keys,guest-ssh-remove-authorized-keys";
    match RealAgent::start_with(&["-b", HARMFUL]).await {
        Ok(agent) => {
            let guest = Guest::connect(agent.address()).await.unwrap();
            Some((agent, guest))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "CI needs a real agent");
            // Not `eprintln!`, which the harness keeps to itself while a test passes.
            let _ = writeln!(std::io::stderr(), "{test} is left out: no qemu-ga");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
