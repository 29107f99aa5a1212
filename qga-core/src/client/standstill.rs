//! Ending a wait for the agent of a machine that does not run.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::now;
use crate::error::Power;
use crate::terms::Standstill;
use crate::transport::{MachineState, MachineWatch};

/// So long a command has waited before its transport begins to listen to what the host tells: to listen may cost a
/// connection.
const SOON: Duration = Duration::from_secs(1);

/// What ends the wait of whoever has the channel. It takes next to nothing before there is something to wait for.
#[derive(Default)]
pub(crate) enum Heed {
    /// Nothing does.
    #[default]
    Nothing,
    /// What somebody tells.
    Told(Standstill),
    /// What the transport tells, where it can, for so long.
    Carried(Duration),
    Waiting(Pin<Box<dyn Future<Output = Power> + Send>>),
}

impl Heed {
    #[inline]
    pub(crate) fn new(told: Option<&watch::Receiver<MachineState>>, patience: Duration) -> Self {
        match told {
            _ if patience == Duration::MAX => Self::Nothing,
            Some(told) => Self::Told(Standstill::new(told.clone(), patience)),
            None => Self::Carried(patience),
        }
    }

    /// Ready when the machine has not run for too long.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Power> {
        if let Self::Told(standstill) = self {
            let mut standstill = standstill.clone();
            *self = Self::Waiting(Box::pin(async move { over(&mut standstill).await }));
        }
        let Self::Waiting(over) = self else {
            return Poll::Pending;
        };
        let polled = over.as_mut().poll(cx);
        if polled.is_ready() {
            *self = Self::Nothing;
        }
        polled
    }

    /// Listens to what a transport tells, once the wait takes long.
    pub(crate) fn listen(&mut self, source: Option<Arc<dyn MachineWatch>>) {
        if let (Self::Carried(patience), Some(source)) = (&*self, source) {
            let patience = *patience;
            *self = Self::Waiting(Box::pin(async move {
                sleep(SOON).await;
                over(&mut Standstill::new(source.watch(), patience)).await
            }));
        }
    }
}

/// Waits until the machine has not run for too long. What was seen by then is kept when the future is dropped.
pub(crate) async fn over(standstill: &mut Standstill) -> Power {
    loop {
        if let Some(power) = standstill.is_over(now()) {
            return power;
        }
        match standstill.end() {
            Some(end) => drop(timeout_at(end.into(), standstill.news()).await),
            None => standstill.news().await,
        }
    }
}
