//! The domains of a fake daemon, and what it does with their agents.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::channel::Channel;
use super::line::{Line, Silence};
use super::packet::{Refusal, put_text, put_word};
use crate::lock::lock;

/// A longer reply is not handed on, in bytes.
const LONGEST_REPLY: usize = 4 << 20;
/// How long a command waits for the one before.
const LOCK: Duration = Duration::from_secs(30);
/// The timeout of who asks for the daemon's own.
const DEFAULT: Duration = Duration::from_secs(5);

/// A version of libvirt, which has its own errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LibvirtVersion {
    /// 9.0: one error says that an agent is not there, has gone, or does not answer.
    #[default]
    V9_0,
    /// 11.3: another error says that a command was sent.
    V11_3,
}

/// Whether a domain runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DomainState {
    /// It does.
    #[default]
    Running,
    /// Its processors are stopped for a while.
    Paused,
    /// Its processors are stopped because of an I/O error of the host, such as a full disk.
    Stalled,
    /// The guest has suspended it to memory.
    Suspended,
    /// The guest has crashed, and the domain was left as it was.
    Crashed,
    /// It does not.
    Off,
    /// It does not, since it runs on another host now.
    Migrated,
}

impl DomainState {
    /// The daemon's number for it.
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Running => 1,
            Self::Paused | Self::Stalled => 3,
            Self::Off | Self::Migrated => 5,
            Self::Crashed => 6,
            Self::Suspended => 7,
        }
    }

    /// The daemon's number for why it is so.
    pub(super) fn reason(self) -> u32 {
        match self {
            Self::Migrated => 4,
            Self::Stalled => 5,
            _ => 1,
        }
    }

    pub(super) fn is_off(self) -> bool {
        matches!(self, Self::Off | Self::Migrated)
    }
}

/// A domain.
#[derive(Clone)]
pub(super) struct Domain {
    pub(super) name: String,
    pub(super) uuid: [u8; 16],
    pub(super) state: DomainState,
    /// None where the domain has no channel for an agent.
    pub(super) port: Option<Port>,
    /// Its other ports.
    pub(super) channels: Vec<Channel>,
}

/// The port of a domain's agent.
#[derive(Clone)]
pub(super) struct Port {
    pub(super) is_open: bool,
    /// Whether the daemon understands nothing that the agent says any more.
    pub(super) is_broken: bool,
    line: Arc<tokio::sync::Mutex<Line>>,
}

/// All domains of a daemon.
#[derive(Default)]
pub(super) struct Domains {
    pub(super) version: LibvirtVersion,
    pub(super) all: Vec<Domain>,
    /// What the next agent commands fail with.
    pub(super) failures: VecDeque<Refusal>,
    /// What the next questions fail with.
    pub(super) refusals: VecDeque<Refusal>,
}

impl Port {
    pub(super) fn new(line: Line) -> Self {
        Self {
            is_open: true,
            is_broken: false,
            line: Arc::new(tokio::sync::Mutex::new(line)),
        }
    }
}

impl Domain {
    /// As it is in replies.
    pub(super) fn put(&self, payload: &mut Vec<u8>) {
        put_text(payload, &self.name);
        payload.extend(self.uuid);
        let id = if self.state.is_off() { u32::MAX } else { 1 };
        put_word(payload, id);
    }

    pub(super) fn xml(&self) -> String {
        let port = self.port.as_ref().map(|port| {
            let state = match (self.state, port.is_open) {
                (state, _) if state.is_off() => "",
                (_, true) => " state='connected'",
                (_, false) => " state='disconnected'",
            };
            format!(
                "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'{state}/></channel>"
            )
        });
        let port = port.unwrap_or_default();
        let channels: String = self.channels.iter().map(Channel::xml).collect();
        format!("<domain type='qemu'><devices>{port}{channels}</devices></domain>")
    }
}

impl Domains {
    pub(super) fn find(&mut self, is_it: impl Fn(&Domain) -> bool) -> Result<&mut Domain, Refusal> {
        let mut all = self.all.iter_mut();
        let found = all.find(|domain| is_it(domain));
        found.ok_or_else(|| Refusal::new(42, 10, "no domain is called so"))
    }
}

/// Does what a client asks of an agent; the reply is returned as the daemon has written it again.
pub(super) async fn agent_command(
    domains: &Mutex<Domains>,
    uuid: [u8; 16],
    request: &str,
    seconds: i32,
    flags: u32,
) -> Result<String, Refusal> {
    if seconds < -2 || flags != 0 {
        return Err(Refusal::new(
            8,
            10,
            "the timeout or the flags make no sense",
        ));
    }
    // A null character ends the text.
    let request = request.split('\0').next().unwrap_or_default();
    let port = usable_port(&mut lock(domains), uuid)?;
    if seconds == 0 {
        return Err(Refusal::new(86, 10, "the time was up before it began"));
    }
    let request: Value =
        serde_json::from_str(request).map_err(|_| Refusal::new(1, 0, "the request is not JSON"))?;
    let line = timeout(LOCK, port.line.lock()).await;
    let mut line = line.map_err(|_| Refusal::new(68, 0, "another command has the agent"))?;
    let patience = match u64::try_from(seconds) {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) if seconds == -1 => DEFAULT,
        Err(_) => Duration::from_secs(u64::from(u32::MAX)),
    };
    let answered = line.command(&request, patience).await;
    let mut domains = lock(domains);
    let version = domains.version;
    let reply = answered.map_err(|silence| {
        if let Ok(Some(port)) = domains
            .find(|it| it.uuid == uuid)
            .map(|it| it.port.as_mut())
        {
            port.is_open &= !matches!(silence, Silence::Gone);
            port.is_broken |= matches!(silence, Silence::Broken);
        }
        refusal(&silence, version)
    })?;
    handed_on(&reply, &request, version)
}

/// The port of a domain's agent, if a command can be sent there.
fn usable_port(domains: &mut Domains, uuid: [u8; 16]) -> Result<Port, Refusal> {
    let domain = domains.find(|domain| domain.uuid == uuid)?;
    match (domain.state, domain.port.clone()) {
        (state, _) if state.is_off() => Err(Refusal::new(55, 20, "the domain is off")),
        (state, _) if state != DomainState::Running => {
            Err(Refusal::new(55, 10, "the domain does not run"))
        }
        (_, None) => Err(Refusal::new(
            74,
            10,
            "the domain has no channel for an agent",
        )),
        (_, Some(port)) if !port.is_open || port.is_broken => {
            Err(Refusal::new(86, 10, "no agent is there"))
        }
        (_, Some(port)) => domains.failures.pop_front().map_or(Ok(port), Err),
    }
}

fn refusal(silence: &Silence, version: LibvirtVersion) -> Refusal {
    let (was_sent, words) = match silence {
        Silence::NotSynchronized => (false, "the agent does not answer the sync"),
        Silence::Timeout => (true, "the agent does not answer"),
        Silence::Gone => (true, "the agent has gone"),
        Silence::Broken => (true, "the agent cannot be understood"),
    };
    let code = match version {
        LibvirtVersion::V11_3 if was_sent => 112,
        _ => 86,
    };
    Refusal::new(code, 10, words)
}

/// What becomes of the agent's reply.
fn handed_on(reply: &Value, request: &Value, version: LibvirtVersion) -> Result<String, Refusal> {
    if let Some(error) = reply.get("error") {
        let code = match version {
            LibvirtVersion::V9_0 => 1,
            LibvirtVersion::V11_3 => 113,
        };
        let name = request["execute"].as_str().unwrap_or_default();
        let words = error["desc"].as_str().unwrap_or_default();
        let detail = format!("the agent has failed at '{name}': {words}");
        return Err(Refusal::new(code, 10, detail));
    }
    let text = reply.to_string();
    if text.len() > LONGEST_REPLY {
        return Err(Refusal::new(39, 7, "the reply is too long"));
    }
    Ok(text)
}
