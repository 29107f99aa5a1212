//! What QEMU does in the background.

use std::time::Duration;

use qga_core::Error;
use tokio::time::{sleep, timeout};

use super::MachineError;
use crate::commands::event::EventKind;
use crate::commands::job::{JobDismiss, JobInfo, JobStatus, QueryJobs};
use crate::events::Events;
use crate::monitor::Monitor;

/// After how long a job is looked at again of which nothing was told.
const LOOK: Duration = Duration::from_secs(1);

/// A job that was begun so that it stays until it is dismissed.
pub(super) struct Job {
    pub(super) id: String,
    pub(super) what: &'static str,
    events: Events,
}

impl Job {
    /// It is made before the job is begun, so that nothing of it is missed.
    pub(super) fn new(monitor: &Monitor, id: &str, what: &'static str) -> Self {
        Self {
            id: id.to_owned(),
            what,
            events: monitor.events(),
        }
    }

    /// How far it is; none if it is not there.
    pub(super) async fn look(&self, monitor: &Monitor) -> Result<Option<JobInfo>, Error> {
        let mut jobs = monitor.execute(QueryJobs).await?.into_iter();
        Ok(jobs.find(|job| job.id == self.id))
    }

    /// Waits for its end, and has it forgotten.
    pub(super) async fn ended(&mut self, monitor: &Monitor) -> Result<(), MachineError> {
        loop {
            let Some(job) = self.look(monitor).await? else {
                let reason = "the job is not there any more".to_owned();
                return Err(self.failed(reason));
            };
            if job.status == JobStatus::Concluded {
                monitor.execute(JobDismiss::new(&self.id)).await?;
                return match job.error {
                    Some(reason) => Err(self.failed(reason)),
                    None => Ok(()),
                };
            }
            // News of it, or a while without.
            let _ = timeout(LOOK, self.news()).await;
        }
    }

    async fn news(&mut self) {
        loop {
            match self.events.next().await {
                Some(Ok(event)) => match event.kind {
                    EventKind::JobStatusChange(change) if change.id == self.id => return,
                    _ => {}
                },
                Some(Err(_)) => return,
                None => return sleep(LOOK).await,
            }
        }
    }

    fn failed(&self, reason: String) -> MachineError {
        let what = self.what;
        MachineError::Job { what, reason }
    }
}
