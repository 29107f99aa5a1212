//! Pauses of somebody who waits for the channel.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout_at;

use super::standstill::over;
use crate::error::{Error, ErrorKind};
use crate::terms::{Openings, Standstill};
use crate::transport::{MachineState, connect_error};

/// What ends a pause before its time.
pub(crate) struct Rest {
    openings: Option<Openings>,
    standstill: Option<Standstill>,
}

impl Rest {
    pub(crate) fn new(machine: Option<watch::Receiver<MachineState>>, patience: Duration) -> Self {
        Self {
            standstill: Standstill::beginning(machine.as_ref(), patience, super::now()),
            openings: machine.map(Openings::new),
        }
    }

    /// Waits until then, or until the guest opens its agent's port. The error tells of a machine that does not run.
    pub(crate) async fn until(&mut self, end: Instant) -> Result<(), Error> {
        let mut opened = pin!(async {
            match &mut self.openings {
                Some(openings) => openings.next().await,
                None => pending().await,
            }
        });
        let mut stopped = pin!(async {
            match &mut self.standstill {
                Some(standstill) => over(standstill).await,
                None => pending().await,
            }
        });
        let ended = poll_fn(|cx| match opened.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => stopped.as_mut().poll(cx).map(Err),
        });
        match timeout_at(end.into(), ended).await {
            Ok(Err(power)) => Err(connect_error(ErrorKind::MachineStopped(power))),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }
}
