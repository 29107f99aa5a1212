//! What a daemon knows of one machine, as it changes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use qga_core::{MachineState, MachineWatch, Power};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::ask;
use crate::events::{Events, Missed};
use crate::hub::Heard;
use crate::pool::Pool;
use crate::target::DomainKey;
use crate::wire::agent_port::AgentPort;
use crate::wire::call::{GetState, XmlDesc};
use crate::wire::event::News;
use crate::wire::types::{Domain, Uuid};

mod state;

pub(crate) use state::power;

/// How often the daemon is asked in a row, if something happens each time.
const MOST_LOOKS: usize = 10;

/// How long to wait before a question that failed is asked again; the pause doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What a daemon knows of a domain's machine, as it changes; made by [`Daemon::machine`](crate::Daemon::machine).
///
/// While the daemon cannot be reached, nothing is known; nor is the power of a machine that was migrated to another host.
/// One reboot may be counted several times.
#[derive(Clone, Debug)]
pub struct DomainWatch(watch::Receiver<MachineState>);

/// Hears of one machine.
struct Watcher {
    pool: Arc<Pool>,
    uuid: Uuid,
    events: Events,
    /// Whether there is no connection on which something could be heard.
    is_deaf: bool,
    /// When to ask again what could not be asked, and after how long a pause then.
    retry: Option<(Instant, Duration)>,
}

/// What was heard is to the state of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    Nothing,
    /// It was changed, or found to be so again.
    News,
    /// It has to be asked for.
    Doubt,
}

impl DomainWatch {
    pub(crate) async fn of(pool: &Arc<Pool>, key: &DomainKey) -> io::Result<Self> {
        // What happens while the state is asked for is heard as well.
        let events = Events::of(pool).await?;
        let domain = ask::domain(pool, key).await?;
        let mut watcher = Watcher {
            pool: pool.clone(),
            uuid: domain.uuid,
            events,
            is_deaf: false,
            retry: None,
        };
        let mut first = MachineState::new();
        watcher.settle(&domain, &mut first).await?;
        // What came before is none of this watch's resets.
        first.resets = 0;
        let (sender, receiver) = watch::channel(first);
        tokio::spawn(watcher.follow(sender));
        Ok(Self(receiver))
    }
}

/// A domain's machine, of which the daemon is asked once somebody wants to know.
pub(crate) struct DomainMachine {
    pub(crate) pool: Arc<Pool>,
    pub(crate) uuid: Uuid,
}

impl MachineWatch for DomainMachine {
    fn watch(&self) -> watch::Receiver<MachineState> {
        let (sender, receiver) = watch::channel(MachineState::new());
        // Where no runtime is, nothing is told.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(tell(self.pool.clone(), self.uuid, sender));
        }
        receiver
    }
}

/// Tells what is known of a machine, as long as somebody wants to know.
async fn tell(pool: Arc<Pool>, uuid: Uuid, sender: watch::Sender<MachineState>) {
    let telling = async {
        let key = DomainKey::Uuid(uuid);
        let Ok(DomainWatch(mut states)) = DomainWatch::of(&pool, &key).await else {
            return;
        };
        loop {
            sender.send_replace(*states.borrow_and_update());
            if states.changed().await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = telling => {}
        () = sender.closed() => {}
    }
}

impl MachineWatch for DomainWatch {
    fn watch(&self) -> watch::Receiver<MachineState> {
        self.0.clone()
    }
}

impl Watcher {
    /// Tells of the machine as long as somebody wants to know.
    async fn follow(mut self, sender: watch::Sender<MachineState>) {
        loop {
            let retry = self.retry.filter(|_| !self.is_deaf).map(|(at, _)| at);
            let is_to_look = tokio::select! {
                heard = self.events.heard() => {
                    let mut taken = Taken::Nothing;
                    sender.send_if_modified(|state| {
                        taken = self.take(heard, state);
                        taken == Taken::News
                    });
                    taken == Taken::Doubt
                }
                () = sleep_until(retry.unwrap_or_else(Instant::now)), if retry.is_some() => true,
                () = sender.closed() => return,
            };
            if is_to_look {
                let state = *sender.borrow();
                tokio::select! {
                    state = self.look_again(state) => drop(sender.send_replace(state)),
                    () = sender.closed() => return,
                }
            }
        }
    }

    /// Takes note of what was heard.
    fn take(&mut self, heard: Result<Heard, Missed>, state: &mut MachineState) -> Taken {
        match heard {
            Ok(Heard::Told(told)) if told.domain.uuid != self.uuid => Taken::Nothing,
            Ok(Heard::Told(told)) if state::note(state, told.news) => Taken::News,
            Ok(Heard::Told(_)) => Taken::Nothing,
            Ok(Heard::Lost(_)) => {
                self.is_deaf = true;
                state::forget(state);
                Taken::News
            }
            Ok(Heard::Again) => {
                self.is_deaf = false;
                Taken::Doubt
            }
            Err(_) => Taken::Doubt,
        }
    }

    async fn look_again(&mut self, mut state: MachineState) -> MachineState {
        let found = match ask::domain(&self.pool, &DomainKey::Uuid(self.uuid)).await {
            Ok(domain) => self.settle(&domain, &mut state).await,
            // One that is gone does not run.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                state.power = Power::Off;
                state.port_is_open = None;
                Ok(())
            }
            Err(error) => Err(error),
        };
        if found.is_ok() {
            self.retry = None;
        } else {
            state::forget(&mut state);
            let pause = self.retry.map_or(FIRST_PAUSE, |(_, pause)| pause);
            let next = LONGEST_PAUSE.min(pause * 2);
            self.retry = Some((Instant::now() + pause, next));
        }
        state
    }

    /// Asks how the machine is until nothing happens meanwhile. What was told of it before would be taken for new.
    async fn settle(&mut self, domain: &Domain, state: &mut MachineState) -> io::Result<()> {
        for _ in 0..MOST_LOOKS {
            self.pass_over(state);
            look(&self.pool, domain, state).await?;
            if !self.pass_over(state) {
                break;
            }
        }
        if self.is_deaf {
            state::forget(state);
        }
        Ok(())
    }

    /// Passes over what was heard by now, but for resets. Returns whether it was about the machine.
    fn pass_over(&mut self, state: &mut MachineState) -> bool {
        let mut is_about_it = false;
        while let Some(heard) = self.events.heard_by_now() {
            match heard {
                Ok(Heard::Told(told)) if told.domain.uuid != self.uuid => {}
                Ok(Heard::Told(told)) => {
                    is_about_it = true;
                    if told.news == News::Reboot {
                        state::note(state, told.news);
                    }
                }
                heard => is_about_it |= self.take(heard, state) != Taken::Nothing,
            }
        }
        is_about_it
    }
}

/// Asks how the machine is.
async fn look(pool: &Pool, domain: &Domain, state: &mut MachineState) -> io::Result<()> {
    let xml = ask::ask(pool, &XmlDesc(domain))
        .await
        .map_err(io::Error::from)?;
    let (number, reason) = ask::ask(pool, &GetState(domain))
        .await
        .map_err(io::Error::from)?;
    state.power = power(number, reason);
    state.port_is_open = match AgentPort::of(&xml) {
        AgentPort::Missing => None,
        AgentPort::Open => Some(true),
        AgentPort::Closed => Some(false),
    };
    Ok(())
}
