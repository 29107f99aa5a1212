//! How to know an agent again.

use crate::commands::file::{FileOpen, FileRead};
use crate::guest::{Guest, GuestError, files};
use qga_core::{Client, Error};

/// What is there in every guest: in Windows it is the second.
const ALWAYS_THERE: [&str; 2] = ["/dev/null", "NUL"];

/// An open file of the guest. An agent that was started since does not know it.
///
/// Dropped, it is closed before the next command.
pub(super) struct Mark {
    guest: Guest,
    handle: i64,
    agent_is_gone: bool,
}

impl Mark {
    /// Opens a file; `None` where the agent, or the client, does not let it.
    pub(super) async fn set(guest: &Guest) -> Result<Option<Self>, GuestError> {
        for path in ALWAYS_THERE {
            match guest.execute(FileOpen::new(path)).await {
                Ok(handle) => {
                    return Ok(Some(Self {
                        guest: guest.clone(),
                        handle,
                        agent_is_gone: false,
                    }));
                }
                Err(GuestError::Command(error))
                    if error.is_command_not_found() || error.is_not_allowed() =>
                {
                    break;
                }
                Err(GuestError::Command(error)) if error.agent_error().is_some() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Asks for the file; an agent that knows it has no error.
    pub(super) async fn look(&self, client: &Client) -> Result<(), Error> {
        client
            .execute(FileRead::new(self.handle).count(1))
            .await
            .map(drop)
    }

    /// The file has gone with its agent.
    pub(super) fn forget(&mut self) {
        self.agent_is_gone = true;
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if !self.agent_is_gone {
            let dropped = self.guest.client().attachment::<files::Dropped>();
            dropped.push(self.handle);
        }
    }
}

/// Whether an agent says that it does not know a file: no version has said it in other words.
pub(super) fn is_unknown(error: &Error) -> bool {
    error.agent_error().is_some_and(|error| {
        error.desc.contains("has not been found") && !error.is_command_not_found()
    })
}
