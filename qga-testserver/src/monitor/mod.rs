//! A fake machine: an agent, and the monitor of the QEMU that runs its guest.

mod block;
mod command;
mod commands;
mod disks;
mod dispatch;
mod follow;
mod job;
mod jobs;
mod line;
mod machine;
mod outbox;
mod port;
mod power;
mod qom;
mod query;
mod serve;
mod session;
mod shared;
mod snapshot;
mod told;
mod waiting;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::task::AbortHandle;

use crate::TestAgent;
use crate::guest::power::Cause;
use crate::lock::lock;
use crate::wire::listener::Listener;
use crate::wire::socket::Socket;
pub use machine::TestMachine;
use shared::{End, Shared};
pub use snapshot::{DiskSnapshot, SnapshotKind};

/// The monitor of an agent's machine.
pub(crate) struct Monitor {
    shared: Arc<Shared>,
    socket: Socket,
    /// Serves clients while QEMU runs.
    task: Mutex<AbortHandle>,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        lock(&self.task).abort();
    }
}

impl Monitor {
    /// Lets an agent's machine have a monitor that listens on a socket of its own.
    pub(crate) fn open(agent: &TestAgent) -> io::Result<Self> {
        let (socket, listener) = Socket::open("qmp.sock")?;
        Ok(Self::over(agent, socket, listener))
    }

    /// Lets an agent's machine have a monitor that listens at this address.
    #[cfg(feature = "cli")]
    pub(crate) async fn listen(agent: &TestAgent, address: &str) -> io::Result<Self> {
        let (socket, listener) = Socket::listen(address).await?;
        Ok(Self::over(agent, socket, listener))
    }

    fn over(agent: &TestAgent, socket: Socket, listener: Listener) -> Self {
        let agents = agent.address_if_any().unwrap_or_else(|| "memory".into());
        let shared = Arc::new(Shared::new(agent.state(), [socket.address(), agents]));
        let weak = Arc::downgrade(&shared);
        shared.power().observe(Box::new(move |change| {
            if let Some(shared) = weak.upgrade() {
                follow::follow(&shared, change);
            }
        }));
        let task = serve(listener, &socket, &shared);
        Self {
            shared,
            socket,
            task: Mutex::new(task),
        }
    }

    pub(crate) fn address(&self) -> String {
        self.socket.address()
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Lets the guest's kernel panic.
    pub(crate) fn panic(&self) {
        power::panic(&self.shared);
    }

    /// Lets the host have no room for what the guest writes.
    pub(crate) fn fill_disk(&self) {
        lock(&self.shared.blocks).is_full = true;
        power::stall(&self.shared);
    }

    /// Makes room again.
    pub(crate) fn free_disk(&self) {
        let mut blocks = lock(&self.shared.blocks);
        (blocks.is_full, blocks.has_failed) = (false, false);
    }

    /// Ends QEMU by `SIGTERM`.
    pub(crate) fn terminate(&self) {
        self.shared.power().end(Cause::SIGNAL);
    }

    /// Ends QEMU by `SIGKILL`.
    pub(crate) async fn kill(&self) {
        self.shared.ended.send_replace(Some(End::Killed));
        self.shared.power().end(Cause::SIGNAL);
        self.ended().await;
    }

    /// Waits until QEMU's end has taken effect.
    async fn ended(&self) {
        let mut is_over = self.shared.is_over.subscribe();
        // The sender is ours, so waiting cannot fail.
        drop(is_over.wait_for(|is_over| *is_over).await);
    }

    /// Lets a QEMU that has ended run again.
    pub(crate) async fn start_again(&self) -> io::Result<()> {
        if self.shared.ended.borrow().is_none() {
            return Ok(());
        }
        self.ended().await;
        let listener = self.socket.listen_again()?;
        self.shared.begin_anew();
        *lock(&self.task) = serve(listener, &self.socket, &self.shared);
        Ok(())
    }
}

fn serve(listener: Listener, socket: &Socket, shared: &Arc<Shared>) -> AbortHandle {
    let path = socket.path().map(Path::to_owned);
    tokio::spawn(serve::serve(listener, path, Arc::clone(shared))).abort_handle()
}
