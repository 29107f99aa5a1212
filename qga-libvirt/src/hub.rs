//! Hearing what a daemon tells by itself, for all who listen.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::connection::{Connection, PATIENCE};
use crate::dial::dial;
use crate::target::Endpoint;
use crate::wire::call::Register;
use crate::wire::event::{Told, Topic};

/// How much is kept for a listener who is slow.
const KEPT: usize = 1024;

/// How long to wait before a daemon that has gone is tried again; the pause doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a listener hears.
#[derive(Clone, Debug)]
pub(crate) enum Heard {
    Told(Told),
    /// The connection has ended. Nothing is heard until there is another one.
    Lost,
    /// There is another connection. Nobody knows what has happened meanwhile.
    Again,
}

/// A connection on which a daemon tells of its domains, as long as somebody has this.
pub(crate) struct Hub {
    sender: broadcast::Sender<Heard>,
    task: JoinHandle<()>,
}

/// Where a hub is found that somebody has.
#[derive(Default)]
pub(crate) struct HubSlot(Mutex<Weak<Hub>>);

impl HubSlot {
    /// The hub, which is made anew if nobody has it. Once it is returned, everything is heard.
    pub(crate) async fn get(&self, daemon: &Endpoint) -> io::Result<Arc<Hub>> {
        let mut known = self.0.lock().await;
        if let Some(hub) = known.upgrade() {
            return Ok(hub);
        }
        let (sender, _) = broadcast::channel(KEPT);
        let connection = listen(daemon, &sender).await?;
        let listening = keep_listening(daemon.clone(), connection, sender.clone());
        let task = tokio::spawn(listening);
        let hub = Arc::new(Hub { sender, task });
        *known = Arc::downgrade(&hub);
        Ok(hub)
    }
}

impl Hub {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Heard> {
        self.sender.subscribe()
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
) {
    loop {
        connection.closed().await;
        // Nobody may be there to hear it.
        let _ = sender.send(Heard::Lost);
        let mut pause = FIRST_PAUSE;
        connection = loop {
            sleep(pause).await;
            match listen(&daemon, &sender).await {
                Ok(connection) => break connection,
                Err(_) => pause = LONGEST_PAUSE.min(pause * 2),
            }
        };
        let _ = sender.send(Heard::Again);
    }
}
