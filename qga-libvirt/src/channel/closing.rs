//! What becomes of a port whose stream was dropped.

use std::future::poll_fn;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;

use super::port::Port;
use crate::connection::{Dialog, nonsense};
use crate::dial::dial_alone;
use crate::wire::packet::Header;
use crate::wire::stream::{Arrived, Sent};

/// How long the daemon may take to free a port.
const PATIENCE: Duration = Duration::from_secs(2);

/// The ports that are being freed.
static CLOSING: Mutex<Vec<(Port, watch::Receiver<()>)>> = Mutex::new(Vec::new());

/// Frees a port in the background. Without a runtime, the daemon frees it when it sees the connection end.
pub(super) fn begin(port: &Port, dialog: Dialog, serial: u32, has_finished: bool) {
    let Ok(runtime) = Handle::try_current() else {
        return;
    };
    let (done, closing) = watch::channel(());
    lock().push((port.clone(), closing));
    let port = port.clone();
    runtime.spawn(async move {
        close(&port, dialog, serial, has_finished).await;
        drop(done);
    });
}

/// Waits until a port is not being freed any more.
pub(super) async fn wait(port: &Port) {
    let is_it = |(other, _): &&(Port, _)| other == port;
    let closing: Vec<_> = lock().iter().filter(is_it).cloned().collect();
    for (_, mut closing) in closing {
        // It is an error when that is done. Where the runtime that is to do it stands still, nobody else need wait.
        drop(timeout(3 * PATIENCE, closing.changed()).await);
    }
}

async fn close(port: &Port, mut dialog: Dialog, serial: u32, has_finished: bool) {
    if !has_finished {
        dialog.push(&Sent::Abort.packet(serial));
    }
    let closing = timeout(PATIENCE, closed(&mut dialog, serial)).await;
    if closing.is_err() {
        // The guest does not read, so the daemon does not hear this side: the port would stay busy for ever.
        drop(timeout(PATIENCE, take_away(port)).await);
    }
}

/// Waits until the daemon has freed the port.
async fn closed(dialog: &mut Dialog, serial: u32) -> io::Result<()> {
    poll_fn(|cx| dialog.poll_flush(cx)).await?;
    loop {
        let packet = poll_fn(|cx| dialog.poll_packet(cx)).await?;
        let (header, payload) = Header::split(&packet).map_err(nonsense)?;
        match Arrived::read(&header, payload, serial).map_err(nonsense)? {
            Arrived::Closed | Arrived::Failed(_) => return Ok(()),
            Arrived::Bytes(_) | Arrived::End | Arrived::Message => {}
        }
    }
}

/// Takes the port away from the connection that still has it, which is ours, and frees it.
async fn take_away(port: &Port) -> io::Result<()> {
    let mut dialog = dial_alone(&port.daemon).await?;
    port.open(&mut dialog, true).await?;
    let serial = dialog.serial();
    dialog.push(&Sent::Finish.packet(serial));
    closed(&mut dialog, serial).await
}

fn lock() -> MutexGuard<'static, Vec<(Port, watch::Receiver<()>)>> {
    let mut closing = CLOSING.lock().unwrap_or_else(PoisonError::into_inner);
    closing.retain(|(_, closing)| closing.has_changed().is_ok());
    closing
}
