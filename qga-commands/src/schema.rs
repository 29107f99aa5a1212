//! All commands as a table, for programs that deal with them by name.
//!
//! ```
//! use qga_commands::schema;
//! use qga_core::RetryClass;
//!
//! let freeze = schema::find("guest-fsfreeze-freeze").unwrap();
//! assert_eq!(freeze.since, "0.15");
//! assert_eq!(freeze.retry, RetryClass::Never);
//! assert!(schema::find("guest-make-coffee").is_none());
//! ```

pub use crate::commands::schema::COMMANDS;
pub use crate::table::{Argument, Command, Platform};

/// The command of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}
