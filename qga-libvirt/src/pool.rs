//! The connections to a daemon, which all of its guests share.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::{Handle, Id};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;

use crate::connection::{PATIENCE, PLACES};
use crate::dial::{Opened, dial};
use crate::hub::{Heard, Hub, HubSlot};
use crate::target::Endpoint;
use crate::wire::call::LibVersion;

/// How many connections there are at most. A daemon has 20 workers unless it is told otherwise, and a call that hangs
/// keeps one: some are left to others.
const MOST_CONNECTIONS: usize = 4;

/// The pools that somebody has. The task of a connection belongs to a runtime, and ends with it.
static POOLS: LazyLock<Mutex<Pools>> = LazyLock::new(Mutex::default);

type Pools = HashMap<(Id, Endpoint), Weak<Pool>>;

/// The connections to one daemon, from one runtime.
pub(crate) struct Pool {
    daemon: Endpoint,
    /// As many as there are places on all connections, given in turn.
    turns: Arc<Semaphore>,
    connections: Mutex<Vec<Arc<Opened>>>,
    /// Held by who opens a connection.
    opening: tokio::sync::Mutex<()>,
    /// Who hears what the daemon tells, while somebody listens.
    hub: HubSlot,
}

/// The right to make one call. It is to be kept until the call is answered.
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    // After the place, so that it is free when the turn of the next one comes.
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    /// The pool of this runtime, which is made anew if nobody has it.
    pub(crate) fn of(daemon: Endpoint) -> Arc<Self> {
        let mut pools = lock(&POOLS);
        let key = (Handle::current().id(), daemon);
        if let Some(pool) = pools.get(&key).and_then(Weak::upgrade) {
            return pool;
        }
        pools.retain(|_, pool| pool.strong_count() > 0);
        let pool = Arc::new(Self::new(key.1.clone()));
        pools.insert(key, Arc::downgrade(&pool));
        pool
    }

    fn new(daemon: Endpoint) -> Self {
        Self {
            daemon,
            turns: Arc::new(Semaphore::new(MOST_CONNECTIONS * PLACES)),
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            hub: HubSlot::default(),
        }
    }

    pub(crate) fn daemon(&self) -> &Endpoint {
        &self.daemon
    }

    /// What hears the daemon, which begins to listen if nobody has it.
    pub(crate) async fn hub(&self) -> io::Result<(Arc<Hub>, broadcast::Receiver<Heard>)> {
        self.hub.get(&self.daemon).await
    }

    /// A place on a connection, which is opened if none has one. Who asks first gets one first.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the turn goes to the next.
    pub(crate) async fn place(&self) -> io::Result<(Arc<Opened>, Place)> {
        let turn = self.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|error: AcquireError| io::Error::other(error))?;
        let (opened, place) = match self.free() {
            Some(found) => found,
            None => self.open().await?,
        };
        let place = Place {
            _place: place,
            _turn: turn,
        };
        Ok((opened, place))
    }

    /// The version of the daemon at the end of this connection: 9.0.1 is `9_000_001`, and 0 if it does not tell. It is asked
    /// once, and only for a failure that depends on it; another connection may lead to a daemon that was started since.
    pub(crate) async fn version(&self, opened: &Opened) -> u64 {
        let asked = opened.version.get_or_try_init(|| async {
            let place = self.place_on(opened).await?;
            let called = opened.connection.call(&LibVersion, Box::new(place)).await;
            called.map_err(io::Error::from)
        });
        match timeout(PATIENCE, asked).await {
            Ok(Ok(version)) => *version,
            _ => 0,
        }
    }

    /// A place on this connection. Who waits for it has a turn, so that the others find places meanwhile.
    async fn place_on(&self, opened: &Opened) -> io::Result<Place> {
        let turn = self.turns.clone().acquire_owned().await;
        let place = opened.connection.next_place().await;
        let closed = |error: AcquireError| io::Error::other(error);
        Ok(Place {
            _place: place.map_err(closed)?,
            _turn: turn.map_err(closed)?,
        })
    }

    /// A free place on a connection that is open.
    fn free(&self) -> Option<(Arc<Opened>, OwnedSemaphorePermit)> {
        let mut connections = lock(&self.connections);
        connections.retain(|opened| !opened.connection.is_closed());
        let mut places = connections.iter().map(|opened| {
            let place = opened.connection.place()?;
            Some((opened.clone(), place))
        });
        places.find_map(|place| place)
    }

    async fn open(&self) -> io::Result<(Arc<Opened>, OwnedSemaphorePermit)> {
        let _opening = self.opening.lock().await;
        // Another may have opened one meanwhile.
        if let Some(found) = self.free() {
            return Ok(found);
        }
        let opened = Arc::new(dial(&self.daemon, None).await?);
        let place = opened.connection.place();
        let place = place.ok_or(io::ErrorKind::ConnectionAborted)?;
        lock(&self.connections).push(opened.clone());
        Ok((opened, place))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
