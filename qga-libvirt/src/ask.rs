//! What the daemon is asked of a domain, beside its agent.

use std::io;

use tokio::time::timeout;

use crate::connection::{CallError, PATIENCE};
use crate::pool::Pool;
use crate::target::DomainKey;
use crate::wire::agent_port::AgentPort;
use crate::wire::call::{LookupByName, LookupByUuid, Procedure, XmlDesc};
use crate::wire::types::Domain;

/// The code of a failure when there is no such domain.
pub(crate) const NO_DOMAIN: i32 = 42;

/// The domain of this name or UUID.
pub(crate) async fn domain(pool: &Pool, key: &DomainKey) -> io::Result<Domain> {
    let found = match key {
        DomainKey::Name(name) => ask(pool, &LookupByName(name)).await,
        DomainKey::Uuid(uuid) => ask(pool, &LookupByUuid(*uuid)).await,
    };
    found.map_err(|error| match error {
        Asked::Call(CallError::Failure(failure)) if failure.code == NO_DOMAIN => {
            let words = format!("{} has no domain {key}", pool.daemon());
            io::Error::new(io::ErrorKind::NotFound, words)
        }
        error => error.into(),
    })
}

/// The port of a domain's agent, unless it has none.
pub(crate) async fn agent_port(pool: &Pool, domain: &Domain) -> io::Result<AgentPort> {
    let xml = ask(pool, &XmlDesc(domain)).await.map_err(io::Error::from)?;
    match AgentPort::of(&xml) {
        AgentPort::Missing => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!(
                "the domain {:?} has no channel for the guest agent; add one with the target \
                 org.qemu.guest_agent.0 to its XML",
                domain.name
            ),
        )),
        port => Ok(port),
    }
}

/// The error that a domain does not run.
pub(crate) fn is_off(pool: &Pool, domain: &Domain) -> io::Error {
    let words = format!("the domain {:?} of {} is off", domain.name, pool.daemon());
    io::Error::new(io::ErrorKind::ConnectionRefused, words)
}

/// Why there is no answer.
pub(crate) enum Asked {
    Open(io::Error),
    Call(CallError),
}

impl From<Asked> for io::Error {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Open(error) => error,
            Asked::Call(error) => error.into(),
        }
    }
}

/// What was asked of a domain, unless it is not there any more.
pub(crate) fn unless_gone<T>(asked: Result<T, Asked>) -> io::Result<Option<T>> {
    match asked {
        Ok(answer) => Ok(Some(answer)),
        Err(Asked::Call(CallError::Failure(failure))) if failure.code == NO_DOMAIN => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that the daemon can be reached.
pub(crate) async fn reach(pool: &Pool) -> io::Result<()> {
    let placed = timeout(PATIENCE, pool.place()).await;
    placed.unwrap_or_else(|_| Err(pool.daemon().says_nothing()))?;
    Ok(())
}

/// Calls a procedure that changes nothing: once more where the connection was lost meanwhile, and no longer than a daemon
/// that works may take.
pub(crate) async fn ask<P: Procedure>(pool: &Pool, procedure: &P) -> Result<P::Reply, Asked> {
    let answered = timeout(PATIENCE, ask_patiently(pool, procedure)).await;
    answered.unwrap_or_else(|_| Err(Asked::Open(pool.daemon().says_nothing())))
}

async fn ask_patiently<P: Procedure>(pool: &Pool, procedure: &P) -> Result<P::Reply, Asked> {
    let mut is_second = false;
    loop {
        let (opened, place) = pool.place().await.map_err(Asked::Open)?;
        match opened.connection.call(procedure, Box::new(place)).await {
            Err(CallError::Lost(_)) if !is_second => is_second = true,
            called => return called.map_err(Asked::Call),
        }
    }
}
