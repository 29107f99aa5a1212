//! The agent of a domain, as a transport of messages.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qga_core::{
    Answering, Execution, MachineWatch, MessageTransport, TransportError, TransportLimits,
};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{sleep, timeout_at};

use crate::ask;
use crate::connection::CallError;
use crate::dial::Opened;
use crate::domain_watch::DomainMachine;
use crate::events::Events;
use crate::hub::Heard;
use crate::pool::{Place, Pool};
use crate::target::{DomainKey, Target};
use crate::wire::agent_port::AgentPort;
use crate::wire::call::AgentCommand;
use crate::wire::failure::Failure;
use crate::wire::types::Domain;

mod request;
mod verdict;

use request::{Received, Request};
use verdict::Verdict;

/// The longest request that is sure to reach the guest in one piece, in bytes.
const REQUEST_LIMIT: usize = 200_000;
/// The longest reply that the daemon hands on, in bytes.
const REPLY_LIMIT: usize = 4 << 20;

/// How long to wait before a command that could not be sent is tried again; the pause doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long to wait where the daemon tells when something changes.
const LONG_PAUSE: Duration = Duration::from_secs(60);

/// The guest agent of one domain.
///
/// [`open`](crate::open) makes it; a client is told of it by
/// [`scheme_messages`](qga_core::ClientBuilder::scheme_messages).
pub struct DomainAgent {
    pool: Arc<Pool>,
    domain: Domain,
    /// Held until the daemon has answered the command before: it does not serve two in their order.
    order: Arc<Mutex<()>>,
    /// Whether the guest may not have its agent's port open.
    may_be_away: bool,
    /// Whether the command of the latest call may have reached the guest.
    may_have_sent: bool,
}

impl std::fmt::Debug for DomainAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DomainAgent")
            .field("daemon", self.pool.daemon())
            .field("domain", &self.domain.name)
            .finish_non_exhaustive()
    }
}

/// Why an attempt to send a command has not ended yet.
enum Attempt {
    Answered(Vec<u8>),
    /// Nothing was sent, since the domain or its agent is not ready.
    NotYet,
    /// Nothing was sent, since the connection had ended.
    Lost,
}

impl DomainAgent {
    /// Finds the domain, and whether it has an agent.
    pub(crate) async fn open(target: Target) -> io::Result<Self> {
        let pool = Pool::of(target.daemon);
        let domain = ask::domain(&pool, &target.domain).await?;
        let port = match domain.id {
            Some(_) => ask::agent_port(&pool, &domain).await?,
            None => return Err(ask::is_off(&pool, &domain)),
        };
        Ok(Self {
            may_be_away: port == AgentPort::Closed,
            pool,
            domain,
            order: Arc::default(),
            may_have_sent: false,
        })
    }

    /// Sends a command once the guest can be expected to take it.
    async fn command(
        &mut self,
        request: &Request<'_>,
        deadline: Instant,
    ) -> Result<Vec<u8>, TransportError> {
        let mut pause = FIRST_PAUSE;
        let mut events = None;
        loop {
            let begun = timeout_at(deadline.into(), self.begin()).await;
            let begun = begun.map_err(|_| not_sent(TransportError::timeout()))??;
            let is_away = begun.is_none();
            let attempt = match begun {
                Some((opened, kept)) => self.send(request, deadline, &opened, kept).await?,
                None => Attempt::NotYet,
            };
            let is_lost = match attempt {
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::NotYet => false,
                Attempt::Lost => true,
            };
            self.may_have_sent = false;
            // No command was sent, so another try takes nothing from anybody.
            let waited = timeout_at(deadline.into(), async {
                match &mut events {
                    _ if is_lost => sleep(pause.min(LONGEST_PAUSE)).await,
                    // What happens from here on is heard, so that another look is the last one for a while.
                    None => events = Some(Events::of(&self.pool).await.ok()),
                    Some(Some(events)) if is_away => self.news(events, LONG_PAUSE).await,
                    Some(Some(events)) => self.news(events, pause).await,
                    Some(None) => sleep(pause.min(LONGEST_PAUSE)).await,
                }
            });
            waited
                .await
                .map_err(|_| not_sent(TransportError::timeout()))?;
            pause = LONG_PAUSE.min(pause * 2);
        }
    }

    /// Waits until something is told of the domain, but no longer than this. A guest that has something told without end
    /// does not have the daemon asked without end.
    async fn news(&self, events: &mut Events, longest: Duration) {
        let rest = sleep(FIRST_PAUSE);
        let is_told = async {
            loop {
                match events.heard().await {
                    Ok(Heard::Told(told)) if told.domain.uuid == self.domain.uuid => return,
                    Ok(Heard::Told(_) | Heard::Lost(_)) => {}
                    Ok(Heard::Again) | Err(_) => return,
                }
            }
        };
        tokio::select! {
            () = is_told => {}
            () = sleep(longest) => {}
        }
        rest.await;
    }

    /// A place for the command; none while the guest does not have its agent's port open.
    async fn begin(
        &mut self,
    ) -> Result<Option<(Arc<Opened>, (Place, OwnedMutexGuard<()>))>, TransportError> {
        let order = self.order.clone().lock_owned().await;
        if self.may_be_away {
            if !self.is_there().await? {
                return Ok(None);
            }
            self.may_be_away = false;
        }
        let place = self.pool.place().await;
        let (opened, place) = place.map_err(TransportError::cannot_open)?;
        Ok(Some((opened, (place, order))))
    }

    /// Whether the guest has its agent's port open.
    async fn is_there(&self) -> Result<bool, TransportError> {
        let look = async {
            let domain = ask::domain(&self.pool, &DomainKey::Uuid(self.domain.uuid)).await?;
            match domain.id {
                Some(_) => ask::agent_port(&self.pool, &domain).await,
                None => Err(ask::is_off(&self.pool, &domain)),
            }
        };
        match look.await {
            Ok(port) => Ok(port == AgentPort::Open),
            Err(error) => Err(TransportError::cannot_open(error)),
        }
    }

    async fn send(
        &mut self,
        request: &Request<'_>,
        deadline: Instant,
        opened: &Opened,
        kept: (Place, OwnedMutexGuard<()>),
    ) -> Result<Attempt, TransportError> {
        let began = tokio::time::Instant::now();
        let left = deadline.saturating_duration_since(began.into_std());
        let seconds = whole_seconds(left);
        let command = AgentCommand {
            domain: &self.domain,
            request: request.text(),
            seconds,
        };
        let called = opened.connection.call(&command, Box::new(kept));
        self.may_have_sent = true;
        // Until there is a reply, nobody knows how it went.
        self.may_be_away = true;
        let answer = timeout_at(deadline.into(), called).await;
        let failure = match answer.map_err(|_| TransportError::timeout())? {
            Ok(Some(reply)) => {
                self.may_be_away = false;
                return Ok(Attempt::Answered(reply.into_bytes()));
            }
            Ok(None) => return Err(TransportError::other("libvirt's daemon gave no reply")),
            Err(CallError::Lost(lost)) if !lost.was_sent => return Ok(Attempt::Lost),
            Err(CallError::Lost(lost)) => return Err(TransportError::closed(Some(lost.to_io()))),
            Err(error @ CallError::Malformed(_)) => return Err(TransportError::other(error)),
            Err(CallError::Failure(failure)) => failure,
        };
        let waited = began.elapsed();
        self.judge(request, &failure, opened, waited, seconds).await
    }

    /// What the daemon's failure is to the command.
    async fn judge(
        &mut self,
        request: &Request<'_>,
        failure: &Failure,
        opened: &Opened,
        waited: Duration,
        seconds: i32,
    ) -> Result<Attempt, TransportError> {
        let version = if Verdict::depends_on_version(failure) {
            self.pool.version(opened).await
        } else {
            0
        };
        match Verdict::of(failure, version, request.name()) {
            Verdict::AgentError(desc) => {
                self.may_be_away = false;
                Ok(Attempt::Answered(request.agent_error(&desc)))
            }
            Verdict::NotYet => Ok(Attempt::NotYet),
            Verdict::Silent => {
                let given = Duration::from_secs(seconds.unsigned_abs().into());
                Err(self.silent(failure, waited, given).await)
            }
            Verdict::Failed(error) => Err(error),
        }
    }

    /// What it is that no reply came: the agent has gone, or it says nothing, or the daemon has given it up.
    async fn silent(&self, failure: &Failure, waited: Duration, given: Duration) -> TransportError {
        if waited >= given {
            return TransportError::timeout();
        }
        match self.is_there().await {
            // Its sync was not answered.
            Ok(true) if waited >= verdict::SYNC_TIMEOUT => TransportError::timeout(),
            Ok(true) => TransportError::closed(Some(io::Error::other(format!(
                "{failure}; if that stays so, the agent sent what libvirt cannot read, and has to be restarted in \
                 the guest"
            )))),
            // The port was closed, or the machine is off.
            Ok(false) | Err(_) => TransportError::closed(None),
        }
    }
}

impl MessageTransport for DomainAgent {
    fn limits(&self) -> TransportLimits {
        TransportLimits::new()
            .request(REQUEST_LIMIT)
            .reply(REPLY_LIMIT)
    }

    fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        Some(Arc::new(DomainMachine {
            pool: self.pool.clone(),
            uuid: self.domain.uuid,
        }))
    }

    fn dropped_call(&self) -> Execution {
        if self.may_have_sent {
            Execution::MaybeRun
        } else {
            Execution::NotRun
        }
    }

    fn call<'a>(&'a mut self, request: &'a [u8], deadline: Instant) -> Answering<'a> {
        self.may_have_sent = false;
        Box::pin(async move {
            match Request::read(request).map_err(not_sent)? {
                Received::Sync(answer) => Ok(answer),
                Received::Command(request) => self.command(&request, deadline).await,
            }
        })
    }
}

fn not_sent(error: TransportError) -> TransportError {
    error.with_execution(Execution::NotRun)
}

/// At least as long as this, and never zero: the daemon mixes replies up then.
fn whole_seconds(left: Duration) -> i32 {
    let rounded = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    i32::try_from(rounded).unwrap_or(i32::MAX).max(1)
}
