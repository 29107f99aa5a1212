//! What a monitor and its clients share.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::told::add;
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::disks::Blocks;
use super::outbox::Outbox;
use super::waiting::Waiting;
use crate::agent::state::State;
use crate::fault::Faults;
use crate::guest::power::{Power, Switch};
use crate::lock::lock;
use crate::stub::{Complaints, Stubs};
use crate::wire::arrivals::Arrivals;
use crate::wire::json;
use crate::{Profile, wire};

/// What a monitor and its clients share.
pub(super) struct Shared {
    /// The guest and its agent.
    pub(super) agent: Arc<State>,
    pub(super) stubs: Stubs,
    pub(super) faults: Faults,
    pub(super) arrivals: Arrivals,
    pub(super) complaints: Complaints,
    pub(super) settings: Mutex<Settings>,
    pub(super) blocks: Mutex<Blocks>,
    pub(super) port: Mutex<PortNews>,
    /// The client that is served, once it has negotiated.
    listener: Mutex<Option<Arc<Outbox>>>,
    /// How many clients have connected.
    pub(super) connections: watch::Sender<usize>,
    /// How many clients were cut off.
    pub(super) cut_off: watch::Sender<u64>,
    /// Whether QEMU does nothing, as when it is stopped.
    pub(super) is_hung: watch::Sender<bool>,
    /// Whether QEMU has ended, and how.
    pub(super) ended: watch::Sender<Option<End>>,
    /// Whether its socket is closed since.
    pub(super) is_over: watch::Sender<bool>,
    pub(super) runtime: Handle,
    /// Connects clients in memory.
    pub(super) clients: mpsc::UnboundedSender<DuplexStream>,
    pub(super) waiting: tokio::sync::Mutex<Waiting>,
}

/// How QEMU has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By itself: it has told so, and removed its sockets.
    Exit,
    /// By `SIGKILL`.
    Killed,
}

/// How QEMU was started, and what it was told since.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) version: Profile,
    pub(super) is_pretty: bool,
    pub(super) name: Option<String>,
    pub(super) uuid: String,
    /// The id of the port of the agent, if it has one.
    pub(super) port_id: Option<String>,
    pub(super) panic: PanicAction,
    /// Whether the guest shuts down when its power button is pressed.
    pub(super) obeys_button: bool,
    /// Where the monitor and the agent listen, for `query-chardev`.
    pub(super) sockets: [String; 2],
    pub(super) pause: Pause,
}

/// What a machine that is paused does when it is let run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pause {
    /// It goes on.
    #[default]
    Running,
    /// It boots, since it was reset, or never ran.
    Prelaunch,
    /// It sleeps on.
    Asleep,
}

/// Events about the port of the agent.
#[derive(Debug, Default)]
pub(super) struct PortNews {
    /// Whether there was one within the last second.
    pub(super) is_quiet: bool,
    /// The last one since then.
    pub(super) waiting: Option<Value>,
}

/// What QEMU does about a guest that panics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PanicAction {
    #[default]
    Shutdown,
    ExitFailure,
    Pause,
    None,
}

impl Shared {
    pub(super) fn new(agent: Arc<State>, sockets: [String; 2]) -> Self {
        let settings = Settings {
            version: Profile::default(),
            is_pretty: false,
            name: None,
            uuid: "00000000-0000-0000-0000-000000000000".into(),
            port_id: Some("ga0".into()),
            panic: PanicAction::default(),
            obeys_button: true,
            sockets,
            pause: Pause::default(),
        };
        let (clients, waiting) = mpsc::unbounded_channel();
        Self {
            agent,
            stubs: Stubs::default(),
            faults: Faults::default(),
            arrivals: Arrivals::default(),
            complaints: Complaints::default(),
            settings: Mutex::new(settings),
            blocks: Mutex::default(),
            port: Mutex::default(),
            listener: Mutex::default(),
            connections: watch::Sender::default(),
            cut_off: watch::Sender::default(),
            is_hung: watch::Sender::default(),
            ended: watch::Sender::default(),
            is_over: watch::Sender::default(),
            runtime: Handle::current(),
            clients,
            waiting: tokio::sync::Mutex::new(Waiting(waiting)),
        }
    }

    pub(super) fn power(&self) -> &Switch {
        &self.agent.power
    }

    pub(super) fn version(&self) -> Profile {
        lock(&self.settings).version
    }

    /// Waits until QEMU ends.
    pub(super) async fn has_ended(&self) -> End {
        let mut ended = self.ended.subscribe();
        let end = ended.wait_for(Option::is_some).await;
        // The sender is ours, so waiting cannot fail.
        end.ok().and_then(|end| *end).unwrap_or(End::Killed)
    }

    /// Lets a QEMU that has ended run again, and its guest boot.
    pub(super) fn begin_anew(&self) {
        self.ended.send_replace(None);
        self.is_over.send_replace(false);
        lock(&self.settings).pause = Pause::Running;
        self.agent.begin_anew();
        self.power().switch_on();
        self.agent.boot(self.power().resets());
    }

    /// Who hears of events from now on.
    pub(super) fn set_listener(&self, outbox: Option<Arc<Outbox>>) {
        *lock(&self.listener) = outbox;
    }

    /// Tells the client of an event, if there is a client.
    pub(super) fn emit(&self, event: &str, data: Value) {
        self.tell(&stamped(event, data));
    }

    /// Tells the client of an event that has its timestamp.
    pub(super) fn tell(&self, event: &Value) {
        let bytes = self.spell(event);
        self.send(&bytes);
    }

    /// Sends bytes to the client, if there is one.
    pub(super) fn send(&self, bytes: &[u8]) {
        if let Some(outbox) = &*lock(&self.listener) {
            outbox.push(bytes);
        }
    }

    /// An object as it is sent.
    pub(super) fn spell(&self, value: &Value) -> Vec<u8> {
        self.spell_wire(&wire::json::Value::from(value))
    }

    pub(super) fn spell_wire(&self, value: &json::Value) -> Vec<u8> {
        let mut line = Vec::new();
        if lock(&self.settings).is_pretty {
            json::write_pretty(value, &mut line);
        } else {
            json::write(value, &mut line);
        }
        line.extend_from_slice(b"\r\n");
        line
    }

    /// Runs something later, unless everything is gone by then.
    pub(super) fn later(
        self: &Arc<Self>,
        after: Duration,
        run: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) {
        let shared: Weak<Self> = Arc::downgrade(self);
        self.runtime.spawn(async move {
            tokio::time::sleep(after).await;
            if let Some(shared) = shared.upgrade() {
                run(&shared);
            }
        });
    }

    /// The state of the machine in QEMU's word for it.
    pub(super) fn status(&self) -> &'static str {
        let settings = lock(&self.settings);
        match self.power().now() {
            Power::On | Power::Halted => "running",
            Power::Suspended => "suspended",
            Power::Paused if settings.pause == Pause::Prelaunch => "prelaunch",
            Power::Paused => "paused",
            Power::Panicked => "guest-panicked",
            Power::Stalled => "io-error",
            Power::Off => "shutdown",
        }
    }
}

/// An event as it is sent.
pub(super) fn stamped(event: &str, data: Value) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.unwrap_or_default();
    let mut told = json!({
        "timestamp": {"seconds": now.as_secs(), "microseconds": now.subsec_micros()},
        "event": event,
    });
    if !data.is_null() {
        add(&mut told, "data", data);
    }
    told
}
