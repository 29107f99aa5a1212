//! Hearing what a daemon tells by itself, for all who listen.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::{Connection, PATIENCE};
use crate::dial::dial;
use crate::target::Endpoint;
use crate::wire::call::Register;
use crate::wire::event::{Told, Topic};

/// How much is kept for a listener who is slow.
const KEPT: usize = 1024;

/// How long to wait before a daemon that has gone is tried again; the pause doubles up to the longest. A connection that
/// has lasted longer than that begins anew.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a listener hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Told(Told),
    /// The connection has ended, as the nth one. Nothing is heard until there is another one.
    Lost(u64),
    /// There is another connection. Nobody knows what has happened meanwhile.
    Again,
}

/// A connection on which a daemon tells of its domains, as long as somebody has this.
pub(crate) struct Hub {
    /// Of the tasks, which may end with their runtime.
    sender: broadcast::WeakSender<Heard>,
    task: JoinHandle<()>,
    /// How many connections have ended.
    losses: Arc<AtomicU64>,
}

/// Where a hub is found that somebody has.
#[derive(Default)]
pub(crate) struct HubSlot(Mutex<Weak<Hub>>);

impl HubSlot {
    /// The hub, which is made anew if nobody has it or its runtime has ended. Once it is returned, everything is heard.
    pub(crate) async fn get(
        &self,
        daemon: &Endpoint,
    ) -> io::Result<(Arc<Hub>, broadcast::Receiver<Heard>)> {
        let mut known = self.0.lock().await;
        if let Some(hub) = known.upgrade()
            && let Some(sender) = hub.sender.upgrade()
        {
            return Ok((hub, sender.subscribe()));
        }
        let (sender, receiver) = broadcast::channel(KEPT);
        let connection = listen(daemon, &sender).await?;
        let hub = Arc::new(Hub::new(daemon.clone(), connection, sender));
        *known = Arc::downgrade(&hub);
        Ok((hub, receiver))
    }
}

impl Hub {
    fn new(daemon: Endpoint, connection: Connection, sender: broadcast::Sender<Heard>) -> Self {
        let losses = Arc::new(AtomicU64::new(0));
        Self {
            sender: sender.downgrade(),
            task: tokio::spawn(keep_listening(daemon, connection, sender, losses.clone())),
            losses,
        }
    }

    /// How many connections have ended.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Relaxed)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a connection on which the daemon tells everything.
async fn listen(daemon: &Endpoint, sender: &broadcast::Sender<Heard>) -> io::Result<Connection> {
    let sender = sender.clone();
    let listener = move |told| {
        // There may be nobody just now.
        let _ = sender.send(Heard::Told(told));
    };
    let connection = dial(daemon, Some(Box::new(listener))).await?.connection;
    for topic in Topic::ALL {
        let registered = timeout(PATIENCE, connection.call(&Register(topic), Box::new(()))).await;
        registered.map_err(|_| daemon.says_nothing())??;
    }
    Ok(connection)
}

async fn keep_listening(
    daemon: Endpoint,
    mut connection: Connection,
    sender: broadcast::Sender<Heard>,
    losses: Arc<AtomicU64>,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        connection.closed().await;
        if began.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        let loss = losses.fetch_add(1, Ordering::Relaxed) + 1;
        // Nobody may be there to hear it.
        let _ = sender.send(Heard::Lost(loss));
        connection = loop {
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(pause * 2);
            if let Ok(connection) = listen(&daemon, &sender).await {
                break connection;
            }
        };
        let _ = sender.send(Heard::Again);
    }
}
