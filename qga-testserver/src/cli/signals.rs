//! The end of the program.

use super::Failure;

/// Waits until somebody asks the program to end.
#[cfg(unix)]
pub(super) async fn stop() -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let cannot = |error| format!("cannot wait for signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
    std::future::poll_fn(|context| match interrupt.poll_recv(context) {
        std::task::Poll::Ready(_) => std::task::Poll::Ready(()),
        std::task::Poll::Pending => terminate.poll_recv(context).map(|_| ()),
    })
    .await;
    Ok(())
}

/// Waits until somebody asks the program to end.
#[cfg(not(unix))]
pub(super) async fn stop() -> Result<(), Failure> {
    let waited = tokio::signal::ctrl_c().await;
    waited.map_err(|error| format!("cannot wait for signals: {error}"))
}
