//! Signals that end this program, once it has cleaned up.

use std::io;

use tokio::sync::mpsc;

/// Waits for the signals by which a user or a system ends a program.
pub(crate) struct Signals(mpsc::UnboundedReceiver<u8>);

impl Signals {
    /// From here on the signals do not end this program by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        let (sender, signals) = mpsc::unbounded_channel();
        system::pass_on(&sender)?;
        Ok(Self(signals))
    }

    /// The number of the next one.
    pub(crate) async fn next(&mut self) -> u8 {
        match self.0.recv().await {
            Some(signal) => signal,
            // Without a handler there is nothing to wait for.
            None => std::future::pending().await,
        }
    }

    /// One that has come already.
    pub(crate) fn pending(&mut self) -> Option<u8> {
        self.0.try_recv().ok()
    }

    /// Those that a test sends.
    #[cfg(test)]
    pub(crate) fn sent() -> (mpsc::UnboundedSender<u8>, Self) {
        let (sender, signals) = mpsc::unbounded_channel();
        (sender, Self(signals))
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::mpsc::UnboundedSender;

    /// Interrupt, terminate, hang up.
    const NUMBERS: [u8; 3] = [2, 15, 1];

    pub(super) fn pass_on(signals: &UnboundedSender<u8>) -> io::Result<()> {
        for number in NUMBERS {
            let mut caught = signal(SignalKind::from_raw(number.into()))?;
            let signals = signals.clone();
            tokio::spawn(async move {
                while caught.recv().await.is_some() && signals.send(number).is_ok() {}
            });
        }
        Ok(())
    }
}

#[cfg(not(unix))]
mod system {
    use std::io;

    use tokio::sync::mpsc::UnboundedSender;

    const INTERRUPT: u8 = 2;

    pub(super) fn pass_on(signals: &UnboundedSender<u8>) -> io::Result<()> {
        let signals = signals.clone();
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() && signals.send(INTERRUPT).is_ok() {}
        });
        Ok(())
    }
}
