//! What people list of their guests.

use super::{Guest, GuestError};
use crate::commands::agent::Info;
use crate::commands::os::GuestOsInfo;
use crate::{Usable, UsableAddress};

/// What people list of their guests; returned by [`Guest::facts`]. Whatever a guest does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GuestFacts {
    /// Its host name.
    pub host_name: Option<String>,
    /// Its operating system.
    pub os: Option<GuestOsInfo>,
    /// The version of QEMU that its agent was built from, such as `10.0.2`.
    pub agent_version: Option<String>,
    /// The addresses under which it can be reached, the best first.
    pub addresses: Option<Vec<UsableAddress>>,
}

impl Guest {
    /// Asks what people list of their guests: what it is called, what it runs, and where it can be reached. That
    /// takes four commands. An agent that answers one of them with an error, does not have it, or has it disabled does
    /// not tell that part.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), qga_commands::GuestError> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await?;
    /// let facts = guest.facts().await?;
    /// println!("{}", facts.host_name.as_deref().unwrap_or("a guest that does not tell its name"));
    /// if let Some(best) = facts.addresses.iter().flatten().next() {
    ///     println!("ssh root@{}", best.ip);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the agent does not answer.
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn facts(&self) -> Result<GuestFacts, GuestError> {
        let info = if_told(self.execute(Info).await)?;
        Ok(GuestFacts {
            agent_version: info.map(|info| info.version),
            host_name: if_told(self.host_name().await)?,
            os: if_told(self.os_info().await)?,
            addresses: if_told(self.addresses(&Usable::new()).await)?,
        })
    }
}

/// `None` where the agent has answered otherwise, or this client may not ask.
fn if_told<T>(answer: Result<T, GuestError>) -> Result<Option<T>, GuestError> {
    match answer {
        Ok(told) => Ok(Some(told)),
        Err(error) if is_untold(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_untold(error: &GuestError) -> bool {
    let is_bad_reply = |error: &qga_core::Error| error.is_bad_reply();
    error.agent_error().is_some()
        || error.is_not_allowed()
        || error.is_frozen()
        || error.command_error().is_some_and(is_bad_reply)
}
