//! Lists of commands for a client that is to do less than the agent would.
//!
//! An agent runs as root: who may start programs through it, or write files, owns the guest. A list
//! keeps your own program from doing so by mistake or for somebody else; it does not protect the
//! agent from other programs.
//!
//! ```no_run
//! use qga_commands::policy;
//! use qga_core::Client;
//!
//! # async fn example() -> Result<(), qga_core::Error> {
//! let monitor = Client::builder()
//!     .allow(policy::read_only())
//!     .connect("unix:/run/vm1/qga.sock")
//!     .await?;
//! let orchestrator = Client::builder()
//!     .deny(policy::no_exec())
//!     .connect("unix:/run/vm2/qga.sock")
//!     .await?;
//! # Ok(())
//! # }
//! ```

use qga_core::RetryClass;

use crate::schema::{COMMANDS, Command};

/// The commands that only ask: what the guest is, how it fares, who is logged in, which public keys
/// may. For [`allow`](qga_core::ClientBuilder::allow).
///
/// They change nothing in the guest. No file command is among them, not even one that reads: an
/// agent reads every secret of the guest. Nor is `guest-exec-status`, since it tells a program's end
/// only once, and so takes it from whoever started the program.
pub fn read_only() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter(|known| asks(known)).map(name)
}

/// The commands that are as good as a root login in the guest. For
/// [`deny`](qga_core::ClientBuilder::deny).
///
/// They are those that start programs, all those on files (what is written may be run later, what is
/// read may be a key), and those that let somebody log in: passwords, and SSH keys that are added.
/// What else changes the guest stays: shutdown, suspend, freeze, the clock, processors and memory. So
/// does what this crate does not know, such as a vendor's own commands.
pub fn no_exec() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter(|known| is_root(known)).map(name)
}

fn name(command: &Command) -> &'static str {
    command.name
}

/// A command that may be asked as often as one likes changes nothing.
fn asks(command: &Command) -> bool {
    command.retry == RetryClass::Safe && !is_root(command)
}

fn is_root(command: &Command) -> bool {
    matches!(command.module, "exec" | "file")
        || matches!(
            command.name,
            "guest-set-user-password" | "guest-ssh-add-authorized-keys"
        )
}
