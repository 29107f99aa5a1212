//! The end of the program.

use super::Failure;

/// Listens from now on for a wish that the program end; the future waits for it.
#[cfg(unix)]
pub(super) fn stop() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |error| format!("cannot wait for signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    Ok(std::future::poll_fn(move |context| {
        match interrupt.poll_recv(context) {
            std::task::Poll::Ready(_) => std::task::Poll::Ready(()),
            std::task::Poll::Pending => terminate.poll_recv(context).map(|_| ()),
        }
    }))
}

/// Waits for a wish that the program end.
#[cfg(not(unix))]
pub(super) fn stop() -> Result<impl Future<Output = ()>, Failure> {
    Ok(async {
        // Without a way to be told, it serves until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
