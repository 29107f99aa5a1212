//! What is known of a host, for as long as this process runs, and how many log in there at a time.

use std::io::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use crate::transport::time_left;

/// How many log in to a host at a time: OpenSSH's server begins to turn some away at ten (`MaxStartups`).
const LOGINS: usize = 8;

/// How long a thread waits before it looks again whether it is its turn.
const LOOK: Duration = Duration::from_millis(10);

/// In the order of their logins.
static HOSTS: Mutex<Vec<(String, Arc<Host>)>> = Mutex::new(Vec::new());

pub(super) struct Host {
    /// The first to log in goes alone, so that all others can share the connection that it may bring.
    first: Arc<AsyncMutex<()>>,
    has_begun: AtomicBool,
    logins: Arc<Semaphore>,
    /// Whether there is no program that could connect to a socket, so that ssh forwards it.
    forwards: AtomicBool,
}

/// A turn to log in, which ends with this.
pub(super) struct Turn {
    host: Arc<Host>,
    first: Option<OwnedMutexGuard<()>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Host {
    pub(super) fn of(login: String) -> Arc<Self> {
        let mut hosts = HOSTS.lock().unwrap_or_else(PoisonError::into_inner);
        let place = hosts.binary_search_by(|(other, _)| other.cmp(&login));
        if let Ok(Some((_, host))) = place.map(|place| hosts.get(place)) {
            return Arc::clone(host);
        }
        let host = Arc::new(Self {
            first: Arc::default(),
            has_begun: AtomicBool::new(false),
            logins: Arc::new(Semaphore::new(LOGINS)),
            forwards: AtomicBool::new(false),
        });
        hosts.insert(
            place.unwrap_or_else(|place| place),
            (login, Arc::clone(&host)),
        );
        host
    }

    pub(super) fn forwards(&self) -> bool {
        self.forwards.load(Ordering::Relaxed)
    }

    pub(super) fn has_no_program(&self) {
        self.forwards.store(true, Ordering::Relaxed);
    }

    pub(super) async fn turn(self: &Arc<Self>) -> Turn {
        let mut first = None;
        if !self.has_begun.load(Ordering::Acquire) {
            first = Some(Arc::clone(&self.first).lock_owned().await);
        }
        let permit = Arc::clone(&self.logins).acquire_owned().await;
        self.turn_with(first, permit.ok())
    }

    pub(super) fn turn_blocking(self: &Arc<Self>, deadline: Instant) -> Result<Turn> {
        let mut first = None;
        while !self.has_begun.load(Ordering::Acquire) && first.is_none() {
            first = Arc::clone(&self.first).try_lock_owned().ok();
            if first.is_none() {
                thread::sleep(time_left(deadline)?.min(LOOK));
            }
        }
        loop {
            if let Ok(permit) = Arc::clone(&self.logins).try_acquire_owned() {
                return Ok(self.turn_with(first, Some(permit)));
            }
            thread::sleep(time_left(deadline)?.min(LOOK));
        }
    }

    /// Who waited while another one was the first need not be alone.
    fn turn_with(
        self: &Arc<Self>,
        first: Option<OwnedMutexGuard<()>>,
        permit: Option<OwnedSemaphorePermit>,
    ) -> Turn {
        Turn {
            host: Arc::clone(self),
            first: first.filter(|_| !self.has_begun.load(Ordering::Acquire)),
            _permit: permit,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.first.is_some() {
            self.host.has_begun.store(true, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_goes_alone_and_then_so_many_at_a_time() {
        let host = Host::of("turns".into());
        let first = host.turn().await;
        let mut others = Vec::new();
        for _ in 0..20 {
            let host = host.clone();
            others.push(tokio::spawn(async move {
                let turn = host.turn().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                drop(turn);
            }));
        }
        let done = |others: &[tokio::task::JoinHandle<()>]| {
            others.iter().filter(|other| other.is_finished()).count()
        };
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(done(&others), 0);
        assert!(host.turn_blocking(Instant::now() + LOOK).is_err());
        drop(first);
        for finished in [8, 16, 20] {
            tokio::time::sleep(Duration::from_millis(1001)).await;
            assert_eq!(done(&others), finished);
        }
        drop(
            host.turn_blocking(Instant::now() + Duration::from_secs(60))
                .unwrap(),
        );
    }

    #[tokio::test]
    async fn who_gives_up_while_waiting_leaves_no_turn_taken() {
        let host = Host::of("dropped turns".into());
        let first = host.turn().await;
        for _ in 0..100 {
            drop(tokio::time::timeout(Duration::ZERO, host.turn()).await);
        }
        drop(first);
        let mut turns = Vec::new();
        for _ in 0..LOGINS {
            turns.push(host.turn().await);
        }
        assert_eq!(turns.len(), LOGINS);
    }
}
