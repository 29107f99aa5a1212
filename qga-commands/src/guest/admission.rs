//! Using what belongs to an agent, unless that agent is gone.

use std::sync::Arc;
use std::time::Duration;

use qga_core::{Client, Contact, Error, Execution, QgaCommand};

use super::{Guest, GuestError};
use crate::commands::file::FileClose;
use crate::incarnation::{
    AgentResource, Agents, Answer, Asked, Fingerprint, Incarnation, Need, Owned, ask, identify,
};

/// What is used for so long is used by an agent whose name is worth knowing.
const SOON: Duration = Duration::from_secs(1);

/// How often a command is prepared whose contact ends before it is sent.
pub(super) const TRIES: u32 = 8;

/// A handle on the channel for what belongs to the agent that answers in one contact.
#[derive(Debug)]
pub(super) struct Admission {
    client: Client,
    contact: Contact,
}

impl Admission {
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether another agent may have answered what was sent last, or may answer what comes next.
    pub(super) fn has_ended(&self) -> bool {
        self.client.contact() != self.contact
    }

    /// Whether a command was not sent since the contact had ended.
    pub(super) fn refused(&self, error: &Error) -> bool {
        error.is_not_allowed() && self.has_ended()
    }
}

impl Guest {
    /// Runs a command on what belongs to an agent, and on nobody else's.
    ///
    /// Who answers is asked before, unless it must be the same agent as before. It is asked afterwards too
    /// where the answer took so long that it may be another's.
    pub(super) async fn execute_on<C: QgaCommand>(
        &self,
        owned: &Owned,
        command: C,
    ) -> Result<C::Response, GuestError> {
        self.before(C::NAME).await?;
        let (answer, admission) = self.send_on(owned, command).await?;
        if admission.has_ended()
            && let Err(error) = self.admit(owned).await
            && error.is_agent_gone()
        {
            return Err(error.after_maybe_run());
        }
        Ok(answer)
    }

    /// Closes a file that nobody has any more, before another command.
    pub(super) async fn close_dropped(&self, file: &Owned) -> Result<(), GuestError> {
        let close = FileClose::new(file.number());
        self.send_on(file, close).await.map(drop)
    }

    /// Runs a command if it is the right agent that answers before. The admission tells whether it still did
    /// when the answer was here.
    async fn send_on<C: QgaCommand>(
        &self,
        owned: &Owned,
        command: C,
    ) -> Result<(C::Response, Admission), GuestError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let admission = self.admit(owned).await?;
            match admission.client().execute(&command).await {
                Err(error) if admission.refused(&error) && tries < TRIES => {}
                Err(error) => return Err(self.explain(C::NAME, error)),
                Ok(answer) => return Ok((answer, admission)),
            }
        }
    }

    /// Asks who answers, where that is due before this is used.
    ///
    /// # Errors
    ///
    /// [`GuestError::AgentGone`] if it belongs to an agent that is gone.
    pub(super) async fn admit(&self, owned: &Owned) -> Result<Admission, GuestError> {
        let agents = Agents::of(&self.client);
        let mut present = agents.present(&self.client);
        let origin = owned.origin(&present);
        if agents.is_gone(&origin) {
            return Err(gone(owned));
        }
        if Arc::ptr_eq(&present, &origin) && origin.since.elapsed() >= SOON {
            self.get_acquainted().await;
            present = agents.present(&self.client);
        }
        if !Arc::ptr_eq(&present, &origin) {
            // Whose name was known may not be taken for the one of somebody who does not tell it.
            let need = match origin.identity.get() {
                Some(_) => Need::Must,
                None => Need::Answerable,
            };
            present = self.identify(need).await?;
        }
        if origin.differs_from(&present) == Some(true) {
            agents.has_gone(&origin, &self.client);
        }
        if agents.is_gone(&origin) {
            return Err(gone(owned));
        }
        owned.follow(&present);
        Ok(self.admission(&present))
    }

    /// The agent that answers, if it is known for the one of this fingerprint; `None` if it is known for another.
    pub(super) async fn recognize(
        &self,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Arc<Incarnation>>, GuestError> {
        let present = self.identify(Need::Must).await?;
        let found = present.fingerprint();
        match found.and_then(|found| fingerprint.differs_from(&found)) {
            Some(differs) => Ok((!differs).then_some(present)),
            None => Err(GuestError::Unsupported(
                "the agent does not tell which one it is, so it may not be the one that has started the process",
            )),
        }
    }

    /// Learns who answers, if that is not known, since something is handed out that may be used long
    /// after. That it cannot be learned is no failure.
    pub(super) async fn get_acquainted(&self) {
        drop(self.identify(Need::Idle).await);
    }

    /// An agent says that it has no such file open: it is another one, unless it proves that it is not, and
    /// somebody else has closed the file.
    pub(super) async fn disown(&self, owned: &Owned) -> Result<(), GuestError> {
        match self.is_another(owned).await {
            Some(false) => Ok(()),
            _ => Err(self.gone(owned)),
        }
    }

    /// An agent does not know a process any more: it has told its end, unless it is known for another one.
    pub(super) async fn disown_if_known(&self, owned: &Owned) -> Result<(), GuestError> {
        match self.is_another(owned).await {
            Some(true) => Err(self.gone(owned)),
            _ => Ok(()),
        }
    }

    /// Whether another agent answers than the one to which this belongs, whatever was known before.
    async fn is_another(&self, owned: &Owned) -> Option<bool> {
        let agents = Agents::of(&self.client);
        let origin = owned.origin(&agents.present(&self.client));
        let known = origin.identity.get()?;
        let client = self.client.clone();
        // In a task, so that no file is left open.
        let asking = tokio::spawn(async move { ask(&client, Need::Answerable).await });
        let answer = asking.await;
        if agents.is_gone(&origin) {
            return Some(true);
        }
        match answer {
            Ok(Ok(Asked::Answered(Answer::Named(identity), _))) => known
                .differs_from(&identity)
                .filter(|differs| *differs || !owned.is_taken_for_the_same()),
            _ => None,
        }
    }

    /// The agent to which this belongs is gone.
    fn gone(&self, owned: &Owned) -> GuestError {
        let agents = Agents::of(&self.client);
        let origin = owned.unfollow(&agents.present(&self.client));
        agents.has_gone(&origin, &self.client);
        gone(owned)
    }

    fn admission(&self, present: &Arc<Incarnation>) -> Admission {
        Admission {
            client: self.client.in_contact(present.contact),
            contact: present.contact,
        }
    }

    /// Asks who answers, unless that is known in this contact, and tells what is known then, of the contact in
    /// which it was answered.
    async fn identify(&self, need: Need) -> Result<Arc<Incarnation>, GuestError> {
        let agents = Agents::of(&self.client);
        let present = agents.present(&self.client);
        if !agents.is_due(&present, need, &self.client) {
            return Ok(present);
        }
        let client = self.client.clone();
        // In a task, so that no file is left open, and nobody waits for a future that is at rest.
        let asking = tokio::spawn(async move { identify(&client, need).await });
        match asking.await {
            Ok(asked) => Ok(asked?),
            Err(_) => Err(GuestError::Stopped),
        }
    }
}

fn gone(owned: &Owned) -> GuestError {
    GuestError::AgentGone {
        what: owned.what,
        execution: match owned.what {
            AgentResource::File(_) => Execution::NotRun,
            // It was started, whatever was to be done with it.
            AgentResource::Process(_) => Execution::MaybeRun,
        },
    }
}
