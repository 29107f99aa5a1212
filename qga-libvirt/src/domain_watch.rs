//! What a daemon knows of one machine, as it changes.

use std::io;
use std::sync::Arc;

use qga_core::{MachineState, MachineWatch, Power};
use tokio::sync::watch;

use crate::ask;
use crate::events::{EventKind, Events};
use crate::hub::Heard;
use crate::pool::Pool;
use crate::target::DomainKey;
use crate::wire::agent_port::AgentPort;
use crate::wire::call::{GetState, XmlDesc};
use crate::wire::event::{News, Told};
use crate::wire::types::{Domain, Uuid};

/// The detail of a domain's stop that says that its guest had crashed.
const AFTER_A_CRASH: i32 = 2;

/// What a daemon knows of a domain's machine, as it changes; made by [`Daemon::machine`](crate::Daemon::machine).
///
/// While the daemon cannot be reached, nothing is known. One reboot may be counted several times.
#[derive(Clone, Debug)]
pub struct DomainWatch(watch::Receiver<MachineState>);

impl DomainWatch {
    pub(crate) async fn of(pool: &Arc<Pool>, key: &DomainKey) -> io::Result<Self> {
        // What happens while the state is asked for is heard as well.
        let events = Events::of(pool).await?;
        let domain = ask::domain(pool, key).await?;
        let mut first = MachineState::new();
        look(pool, &domain, &mut first).await?;
        let (sender, receiver) = watch::channel(first);
        tokio::spawn(follow(pool.clone(), domain.uuid, events, sender));
        Ok(Self(receiver))
    }
}

impl MachineWatch for DomainWatch {
    fn watch(&self) -> watch::Receiver<MachineState> {
        self.0.clone()
    }
}

/// Tells of the machine as long as somebody wants to know.
async fn follow(
    pool: Arc<Pool>,
    uuid: Uuid,
    mut events: Events,
    sender: watch::Sender<MachineState>,
) {
    loop {
        let heard = tokio::select! {
            heard = events.heard() => heard,
            () = sender.closed() => return,
        };
        match heard {
            Ok(Heard::Told(told)) if told.domain.uuid == uuid => {
                sender.send_if_modified(|state| note(state, &told));
            }
            Ok(Heard::Told(_)) => {}
            Ok(Heard::Lost(_)) => sender.send_modify(forget),
            Ok(Heard::Again) | Err(_) => {
                let mut state = *sender.borrow();
                if look_again(&pool, uuid, &mut state).await.is_err() {
                    forget(&mut state);
                }
                sender.send_replace(state);
            }
        }
    }
}

fn forget(state: &mut MachineState) {
    state.power = Power::Unknown;
    state.port_is_open = None;
}

/// Takes note of what was told of the machine. Returns whether that is something.
fn note(state: &mut MachineState, told: &Told) -> bool {
    match EventKind::of(told.news) {
        EventKind::Started | EventKind::Resumed => state.power = Power::Running,
        EventKind::Paused => state.power = Power::Paused,
        EventKind::Suspended => state.power = Power::Suspended,
        EventKind::Crashed => state.power = Power::Panicked,
        EventKind::Stopped => {
            state.power = match told.news {
                News::Lifecycle { detail, .. } if detail == AFTER_A_CRASH => Power::Panicked,
                _ => Power::Off,
            };
            state.port_is_open = state.port_is_open.and(Some(false));
        }
        EventKind::Rebooted => state.resets += 1,
        EventKind::AgentConnected => state.port_is_open = Some(true),
        EventKind::AgentDisconnected => state.port_is_open = Some(false),
        EventKind::Defined
        | EventKind::Undefined
        | EventKind::ShuttingDown
        | EventKind::Other { .. } => return false,
    }
    true
}

async fn look_again(pool: &Pool, uuid: Uuid, state: &mut MachineState) -> io::Result<()> {
    match ask::domain(pool, &DomainKey::Uuid(uuid)).await {
        Ok(domain) => look(pool, &domain, state).await,
        // One that is gone does not run.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            state.power = Power::Off;
            state.port_is_open = None;
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Asks how the machine is.
async fn look(pool: &Pool, domain: &Domain, state: &mut MachineState) -> io::Result<()> {
    let xml = ask::ask(pool, &XmlDesc(domain))
        .await
        .map_err(io::Error::from)?;
    let number = ask::ask(pool, &GetState(domain))
        .await
        .map_err(io::Error::from)?;
    state.power = power(number);
    state.port_is_open = match AgentPort::of(&xml) {
        AgentPort::Missing => None,
        AgentPort::Open => Some(true),
        AgentPort::Closed => Some(false),
    };
    Ok(())
}

/// What the number of a state says.
pub(crate) fn power(state: i32) -> Power {
    match state {
        // One that is blocked, and one that shuts down, run too.
        1 | 2 | 4 => Power::Running,
        3 => Power::Paused,
        5 => Power::Off,
        6 => Power::Panicked,
        7 => Power::Suspended,
        _ => Power::Unknown,
    }
}
