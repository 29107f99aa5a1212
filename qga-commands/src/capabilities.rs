//! What an agent can do, and why it refuses.
//!
//! An agent returns the same class of error for a command that it does not know, for one that is disabled in the guest,
//! and for one that has to wait until the filesystems are thawed. [`Refusal::explain`] asks the agent about itself to
//! tell these apart:
//!
//! ```no_run
//! use qga_commands::capabilities::Refusal;
//! use qga_commands::commands::exec::Exec;
//!
//! # async fn example(client: qga_core::Client) {
//! if let Err(error) = client.execute(Exec::new("uptime")).await {
//!     match Refusal::explain(&client, &error).await {
//!         Some(refusal) => eprintln!("{refusal}\n{}", refusal.hint()),
//!         None => eprintln!("{error}"),
//!     }
//! }
//! # }
//! ```

mod refusal;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use qga_core::{Client, Error, Excerpt};
use tokio::time::timeout;

use crate::commands::agent::{GuestAgentCommandInfo, GuestAgentInfo, Info};
use crate::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use crate::incarnation::{Agents, Incarnation};
use crate::optional;
use crate::schema;

pub use refusal::Refusal;

/// What an agent tells about itself: its version, and which commands it knows and allows.
#[derive(Clone, PartialEq, Eq)]
pub struct Capabilities {
    version: String,
    commands: HashMap<String, GuestAgentCommandInfo>,
    frozen: bool,
}

impl Capabilities {
    /// Asks an agent by `guest-info`. If hardly any command is enabled, `guest-fsfreeze-status` follows; an agent that
    /// does not answer that within 2 seconds is assumed to be frozen.
    ///
    /// # Errors
    ///
    /// As [`Client::execute`].
    ///
    /// # Cancel safety
    ///
    /// As [`Client::execute`]; nothing is changed in the guest.
    pub async fn ask(client: &Client) -> Result<Self, Error> {
        let mut capabilities = Self::from(client.execute(Info).await?);
        if capabilities.looks_frozen() {
            capabilities.frozen = match optional::in_short(client).execute(FsfreezeStatus).await {
                Ok(status) => status == GuestFsfreezeStatus::Frozen,
                Err(error) if error.agent_error().is_some() => false,
                // Its list says so, and the question is asked only to be sure.
                Err(_) => true,
            };
        }
        Ok(capabilities)
    }

    /// The agent's version, such as `10.0.2`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether the agent knows a command, enabled or not.
    #[must_use]
    pub fn knows(&self, command: &str) -> bool {
        self.commands.contains_key(command)
    }

    /// Whether the agent allowed a command at the time when it was asked.
    #[must_use]
    pub fn is_enabled(&self, command: &str) -> bool {
        self.commands
            .get(command)
            .is_some_and(|command| command.enabled)
    }

    /// Whether filesystems were frozen when the agent was asked.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The commands that the agent knows, in no particular order.
    pub fn commands(&self) -> impl Iterator<Item = &GuestAgentCommandInfo> {
        self.commands.values()
    }

    /// Why the agent would refuse a command; `None` if it would not.
    #[must_use]
    pub fn refusal(&self, command: &str) -> Option<Refusal> {
        let runs_while_frozen = schema::find(command).is_some_and(|command| command.while_frozen);
        let command = command.to_owned();
        let version = self.version.clone();
        match self.commands.get(&command) {
            None => Some(Refusal::Unknown { command, version }),
            Some(known) if known.enabled => None,
            Some(_) if self.frozen && !runs_while_frozen => Some(Refusal::Frozen { command }),
            Some(_) => Some(Refusal::Disabled { command, version }),
        }
    }

    /// Whether there is nothing but what runs while filesystems are frozen.
    fn looks_frozen(&self) -> bool {
        let mut enabled = self.commands.values().filter(|command| command.enabled);
        enabled.all(|command| schema::find(&command.name).is_some_and(|known| known.while_frozen))
    }
}

impl From<GuestAgentInfo> for Capabilities {
    fn from(info: GuestAgentInfo) -> Self {
        let commands = info.supported_commands.into_iter();
        Self {
            version: info.version,
            commands: commands
                .map(|command| (command.name.clone(), command))
                .collect(),
            frozen: false,
        }
    }
}

/// Not the commands, of which a guest may list any number.
impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capabilities")
            .field("version", &Excerpt(&self.version))
            .field("commands", &self.commands.len())
            .field("frozen", &self.frozen)
            .finish()
    }
}

/// Adds to a [`Client`] what its agent can do.
pub trait ClientExt {
    /// What the agent can do. The agent is asked once in each [contact](qga_core::Contact), since another agent may
    /// answer in the next one, as after a reboot or an update. All clones of the client share the answer until one of
    /// them [forgets](Self::forget_capabilities) it.
    ///
    /// # Errors
    ///
    /// As [`Capabilities::ask`]. After an error the agent is asked again the next time.
    ///
    /// # Cancel safety
    ///
    /// As [`Capabilities::ask`].
    fn capabilities(&self) -> impl Future<Output = Result<Arc<Capabilities>, Error>> + Send;

    /// Forgets what the agent can do, so that it is asked again, as after a freeze or a thaw. What it is being asked meanwhile is not kept either.
    fn forget_capabilities(&self);
}

impl ClientExt for Client {
    async fn capabilities(&self) -> Result<Arc<Capabilities>, Error> {
        self.attachment::<Cache>().get(self).await
    }

    fn forget_capabilities(&self) {
        self.attachment::<Cache>().forget();
    }
}

/// What an agent has said of itself, once it was asked.
#[derive(Debug, Default)]
struct Cache {
    /// Locked while somebody asks, so that others wait for the answer.
    asking: tokio::sync::Mutex<()>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// And of whom.
    capabilities: Option<(Arc<Capabilities>, Arc<Incarnation>)>,
    forgotten: u64,
}

/// How long to wait for the answer to somebody else's question. Its future may be at rest.
const OTHERS_TIMEOUT: Duration = Duration::from_secs(2);

impl Cache {
    async fn get(&self, client: &Client) -> Result<Arc<Capabilities>, Error> {
        let _asking = timeout(OTHERS_TIMEOUT, self.asking.lock()).await.ok();
        let forgotten = {
            let present = Agents::of(client).present(client);
            let kept = self.kept();
            if let Some((capabilities, agent)) = &kept.capabilities
                && Arc::ptr_eq(agent, &present)
            {
                return Ok(Arc::clone(capabilities));
            }
            kept.forgotten
        };
        let capabilities = Arc::new(Capabilities::ask(client).await?);
        let present = Agents::of(client).present(client);
        let mut kept = self.kept();
        if kept.forgotten == forgotten {
            kept.capabilities = Some((Arc::clone(&capabilities), present));
        }
        Ok(capabilities)
    }

    fn forget(&self) {
        let mut kept = self.kept();
        kept.capabilities = None;
        kept.forgotten = kept.forgotten.wrapping_add(1);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
