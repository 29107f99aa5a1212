//! The end of a process, which the agent tells once and several wait for.

use std::sync::{Arc, OnceLock};

use tokio::sync::Mutex;
use tokio::time::timeout;

use super::kill::{KILL_TIME, Killer};
use super::wait::Asking;
use super::{ExitStatus, Process, ProcessToken};
use crate::guest::clean_up::{self, CleanUp};
use crate::guest::{Guest, GuestError};
use crate::incarnation::Owned;

/// How a process has ended, once that is known.
#[derive(Debug)]
pub(super) struct Ending {
    guest: Guest,
    owned: Arc<Owned>,
    /// Locked while the agent is asked, which only tasks do that nobody can drop.
    process: Mutex<Process>,
    status: OnceLock<ExitStatus>,
}

impl Ending {
    pub(super) fn new(mut process: Process) -> Self {
        // Nobody asks for its output here.
        process.captured = None;
        Self {
            guest: process.guest.clone(),
            owned: Arc::clone(&process.owned),
            process: Mutex::new(process),
            status: OnceLock::new(),
        }
    }

    pub(super) fn guest(&self) -> &Guest {
        &self.guest
    }

    pub(super) fn pid(&self) -> i64 {
        self.owned.number()
    }

    pub(super) fn token(&self) -> ProcessToken {
        ProcessToken::of(&self.owned)
    }

    /// What is known, without asking.
    pub(super) fn status(&self) -> Option<ExitStatus> {
        self.status.get().copied()
    }

    /// Asks, unless the end is known. The question goes on if this future is dropped, so that its
    /// answer is not lost.
    pub(super) async fn ask(self: &Arc<Self>) -> Result<Option<ExitStatus>, GuestError> {
        let ending = Arc::clone(self);
        let question = tokio::spawn(async move {
            let mut process = ending.process.lock().await;
            if let Some(status) = ending.status() {
                return Ok(Some(status));
            }
            let output = process.try_wait().await?;
            Ok(output.map(|output| *ending.status.get_or_init(|| output.status)))
        });
        question.await.unwrap_or(Err(GuestError::Stopped))
    }

    /// Asks until the end is known.
    pub(super) async fn wait(self: &Arc<Self>) -> Result<ExitStatus, GuestError> {
        if let Some(status) = self.status() {
            return Ok(status);
        }
        self.wait_by(Asking::new(&self.guest)).await
    }

    async fn wait_by(self: &Arc<Self>, mut asking: Asking) -> Result<ExitStatus, GuestError> {
        loop {
            asking.pause().await;
            if let Some(Some(status)) = asking.tolerate(self.ask().await)? {
                return Ok(status);
            }
        }
    }

    /// Kills the process, unless it has ended.
    pub(super) async fn kill(self: &Arc<Self>) -> Result<(), GuestError> {
        let guest = self.process.lock().await.guest.clone();
        let killer = Killer::choose(&guest, self.pid()).await?;
        if self.ask().await?.is_some() {
            return Ok(());
        }
        killer.kill(&guest, &self.owned).await
    }

    /// Kills a process that nobody waits for, and takes its result from the agent. Nobody is left to
    /// hear of a failure.
    pub(super) async fn abandon(self: Arc<Self>) {
        let mut clean_up = CleanUp::begin(&self.guest).await;
        let guest = clean_up.guest();
        self.process.lock().await.guest = guest.clone();
        let killing = async {
            while clean_up.goes_on(self.kill().await).await {}
            timeout(KILL_TIME, self.wait_by(Asking::new(&guest))).await
        };
        drop(timeout(clean_up::TIME, killing).await);
    }
}
