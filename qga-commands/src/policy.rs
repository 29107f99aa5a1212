//! Lists of commands for a client that may do less than the agent allows.
//!
//! An agent runs as root: whoever can start programs or write files through it owns the guest. Such a list keeps your own
//! program from doing so, by mistake or for somebody else. It does not protect the agent from other programs.
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

/// The commands that only ask for information about the guest, such as its system, its disks, who is logged in, and the
/// public SSH keys. Pass them to [`allow`](qga_core::ClientBuilder::allow).
///
/// They change nothing in the guest. No file command is among them, not even one that reads, since an agent can read
/// every secret of the guest. `guest-exec-status` is not among them either: an agent tells a program's end only once,
/// and so the answer would be lost to whoever started the program.
pub fn read_only() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter(|known| asks(known)).map(name)
}

/// The commands with which a caller can take over the guest. Pass them to [`deny`](qga_core::ClientBuilder::deny).
///
/// They are those that start programs; all those on files, since a file that is written may be run later, and one that is
/// read may be a key; and those that let somebody log in, by setting a password or adding an SSH key.
///
/// Other commands that change the guest are not in the list: shutdown, suspend, freeze, the clock, processors and memory.
/// Commands that this crate does not know, such as a vendor's own, are not in it either.
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
