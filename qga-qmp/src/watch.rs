//! What QEMU knows of a machine, as it changes.

use std::io;
use std::time::Duration;

use qga_core::{Error, ErrorKind, MachineState, MachineWatch, Power};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::commands::status::QueryStatus;
use crate::events::{Event, Events, Missed};
use crate::monitor::Monitor;
use crate::port::AgentPort;

mod state;

use state::Taken;

/// How often a port is looked at of which QEMU tells nothing by itself, while it is closed and while it is open.
const LOOK_AT_CLOSED: Duration = Duration::from_millis(200);
const LOOK_AT_OPEN: Duration = Duration::from_secs(1);

/// How long to wait before what has failed is tried again; the pause doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// What QEMU knows of a machine, as it changes; made by [`Monitor::machine`].
///
/// Events have to be read while nobody waits for a reply, so there is a task behind it, which ends when the last one of its
/// clones and receivers is dropped. When the connection to QEMU is lost, it is opened anew, ever more seldom while that
/// fails, and everything is asked again. Where QEMU has taken its leave, or nobody listens at its socket any more, the
/// machine is off.
///
/// | what happens | what QEMU tells | [`power`](MachineState::power) |
/// |---|---|---|
/// | the guest boots, or is resumed | `RESUME` | `Running` |
/// | the guest shuts down or hibernates, or QEMU is ended | `SHUTDOWN`, or its socket is gone | `Off` |
/// | the guest halts | nothing | `Running` |
/// | the guest reboots or the machine is reset | `RESET`, up to a dozen times | what QEMU says when it is asked; [`resets`](MachineState::resets) grows |
/// | the guest suspends to memory | `SUSPEND` | `Suspended` until `WAKEUP` |
/// | somebody stops the machine, or starts it with `-S` | `STOP` | `Paused`, unless it is suspended |
/// | a disk of the host is full or broken, and QEMU was to stop then | `BLOCK_IO_ERROR`, `STOP` | `Stalled` |
/// | the kernel panics, with a `pvpanic` device and its driver | `GUEST_PANICKED` or `GUEST_CRASHLOADED` | `Panicked` until it is reset |
/// | the kernel panics without them | nothing, or `RESET` where the guest starts again | `Running` |
/// | the machine moves to another QEMU | `STOP` here, `RESUME` there | `Paused` here; there `Unknown` until it has arrived |
/// | the agent ends or is killed | `VSERPORT_CHANGE` | `Running`, with the port closed |
/// | the agent hangs | nothing | `Running`, with the port open |
#[derive(Clone, Debug)]
pub struct MonitorWatch(watch::Receiver<MachineState>);

/// Hears of one machine.
struct Watcher {
    monitor: Monitor,
    events: Events,
    port: Option<AgentPort>,
}

impl Monitor {
    /// What QEMU knows of the machine, as it changes, for the [builder](qga_core::ClientBuilder::machine) of a client of
    /// its agent.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), qga_core::Error> {
    /// let monitor = qga_qmp::Monitor::connect("/run/vm1/qmp.sock").await?;
    /// let client = qga_core::Client::builder()
    ///     .machine(&monitor.machine().await?)
    ///     .connect("/run/vm1/qga.sock")
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The monitor itself is such a source too, which begins to ask when it is given to a builder.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is left behind.
    pub async fn machine(&self) -> Result<MonitorWatch, Error> {
        let mut watcher = Watcher::of(self);
        let mut first = MachineState::new();
        watcher.look(&mut first).await?;
        let (sender, receiver) = watch::channel(first);
        tokio::spawn(async move {
            tokio::select! {
                () = watcher.follow(&sender) => {}
                () = sender.closed() => {}
            }
        });
        Ok(MonitorWatch(receiver))
    }
}

impl MachineWatch for MonitorWatch {
    fn watch(&self) -> watch::Receiver<MachineState> {
        self.0.clone()
    }
}

impl MachineWatch for Monitor {
    /// A task listens while somebody has the receiver.
    fn watch(&self) -> watch::Receiver<MachineState> {
        let (sender, receiver) = watch::channel(MachineState::new());
        // Where no runtime is, nothing is told.
        if let Ok(runtime) = Handle::try_current() {
            let mut watcher = Watcher::of(self);
            runtime.spawn(async move {
                let listening = async {
                    watcher.find_again(&sender).await;
                    watcher.follow(&sender).await;
                };
                tokio::select! {
                    () = listening => {}
                    () = sender.closed() => {}
                }
            });
        }
        receiver
    }
}

impl Watcher {
    fn of(monitor: &Monitor) -> Self {
        Self {
            // What happens while the state is asked for is heard as well.
            events: monitor.events(),
            monitor: monitor.clone(),
            port: None,
        }
    }

    /// Tells of the machine without end, unless the connection has ended for good.
    async fn follow(&mut self, sender: &watch::Sender<MachineState>) {
        loop {
            let pause = self.time_to_look(&sender.borrow());
            let told = tokio::select! {
                told = self.events.next() => Some(told),
                () = async { sleep(pause.unwrap_or_default()).await }, if pause.is_some() => None,
            };
            match told {
                Some(Some(Ok(event))) => self.take(&event, sender).await,
                Some(Some(Err(Missed { events: Some(_) }))) | None => {
                    let state = *sender.borrow();
                    self.ask(state, sender).await;
                }
                Some(Some(Err(Missed { events: None }))) => {
                    sender.send_modify(state::forget);
                    self.find_again(sender).await;
                }
                Some(None) => return sender.send_modify(state::forget),
            }
        }
    }

    /// After how long to look at a port of which nothing is told.
    fn time_to_look(&self, state: &MachineState) -> Option<Duration> {
        let port = self.port.as_ref()?;
        match (&port.id, state.power) {
            (Some(_), _) | (None, Power::Off) => None,
            _ if state.port_is_open == Some(true) => Some(LOOK_AT_OPEN),
            _ => Some(LOOK_AT_CLOSED),
        }
    }

    async fn take(&mut self, event: &Event, sender: &watch::Sender<MachineState>) {
        let mut state = *sender.borrow();
        match state::note(&mut state, &event.kind, self.port.as_ref()) {
            Taken::Nothing => {}
            Taken::News => {
                sender.send_replace(state);
            }
            Taken::Doubt => self.ask(state, sender).await,
        }
    }

    /// Asks how the machine is, of which so much is known, and tells what has changed since it was told last.
    async fn ask(&mut self, mut state: MachineState, sender: &watch::Sender<MachineState>) {
        match self.look(&mut state).await {
            Ok(()) => {}
            // That it has ended is heard next.
            Err(error) if error.is_closed() => {}
            Err(_) => state::forget(&mut state),
        }
        sender.send_if_modified(|told| std::mem::replace(told, state) != state);
    }

    /// Opens the connection anew, however long that takes, and asks how the machine is.
    async fn find_again(&mut self, sender: &watch::Sender<MachineState>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let mut state = *sender.borrow();
            // It may be another QEMU, of which nothing is known.
            state.power = Power::Unknown;
            match self.look(&mut state).await {
                Ok(()) => {
                    sender.send_replace(state);
                    return;
                }
                Err(error) if is_gone(&error) => {
                    sender.send_if_modified(|state| {
                        let is_news = state.power == Power::Unknown;
                        if is_news {
                            state.power = Power::Off;
                        }
                        is_news
                    });
                }
                Err(error) if error.is_closed() && self.monitor.is_single() => return,
                Err(_) => {}
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
        }
    }

    /// Asks how the machine is, by as many questions as that takes.
    async fn look(&mut self, state: &mut MachineState) -> Result<(), Error> {
        let port = self.monitor.agent_port().await?;
        state.port_is_open = match &port {
            Some(port) => self.monitor.is_open(port).await?,
            None => None,
        };
        self.port = port;
        let status = self.monitor.execute(QueryStatus).await?;
        state::settle(state, &status.status);
        Ok(())
    }
}

/// Whether nobody listens where QEMU did.
fn is_gone(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Open(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
    )
}
