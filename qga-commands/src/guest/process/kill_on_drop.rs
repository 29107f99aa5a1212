//! Programs that are killed when nobody waits for them any more.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::captured::Captured;
use super::ending::Ending;
use super::{Output, Process};
use crate::commands::exec::Exec;
use crate::guest::{Guest, GuestError};
use crate::incarnation::{AgentResource, Agents, Owned};

/// A process that is killed when this is dropped before its end is known, if it is to be.
pub(super) struct KillOnDrop {
    process: Option<Process>,
    kill: bool,
    runtime: Handle,
}

impl KillOnDrop {
    /// Starts a program. Where it is to be killed, the start goes on in a task of its own even if
    /// this future is dropped, so that the process's number becomes known.
    pub(super) async fn start(guest: &Guest, exec: Exec, kill: bool) -> Result<Self, GuestError> {
        let runtime = Handle::current();
        let process = if kill {
            let task = runtime.spawn(start(guest.clone(), exec));
            let task = Some(task);
            let mut starting = Starting { task, runtime };
            starting.process().await?
        } else {
            start(guest.clone(), exec).await?
        };
        Ok(Self {
            process: Some(process),
            kill,
            runtime: Handle::current(),
        })
    }

    pub(super) fn pid(&self) -> Option<i64> {
        self.process.as_ref().map(Process::pid)
    }

    /// Its output goes to files.
    pub(super) fn writes_into(&mut self, captured: Captured) {
        if let Some(process) = &mut self.process {
            process.captured = Some(captured);
        }
    }

    /// Leaves the process running from now on.
    pub(super) fn into_process(mut self) -> Result<Process, GuestError> {
        self.process.take().ok_or(GONE)
    }

    pub(super) async fn wait(&mut self) -> Result<Output, GuestError> {
        let process = self.process.as_mut().ok_or(GONE)?;
        let result = process.wait().await;
        let is_over = match &result {
            Ok(_) | Err(GuestError::ResultLost { .. }) => true,
            Err(error) => error.is_agent_gone(),
        };
        if is_over {
            self.process = None;
        }
        result
    }

    /// Kills the process and waits for its end; `Ok` if it has ended by itself.
    pub(super) async fn kill(&mut self) -> Result<Result<Output, Output>, GuestError> {
        let process = self.process.as_mut().ok_or(GONE)?;
        let killed = process.kill().await;
        if process.ended.is_some() {
            return self.wait().await.map(Ok);
        }
        killed?;
        self.wait().await.map(Err)
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let (true, Some(process)) = (self.kill, self.process.take()) {
            self.runtime.spawn(Arc::new(Ending::new(process)).abandon());
        }
    }
}

const GONE: GuestError = GuestError::InvalidInput(Cow::Borrowed("the process has ended"));

/// A start that is under way.
struct Starting {
    task: Option<JoinHandle<Result<Process, GuestError>>>,
    runtime: Handle,
}

impl Starting {
    async fn process(&mut self) -> Result<Process, GuestError> {
        let task = self.task.as_mut().ok_or(GONE)?;
        let result = task.await;
        self.task = None;
        result.unwrap_or(Err(GuestError::Stopped))
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.runtime.spawn(async move {
                if let Ok(Ok(process)) = task.await {
                    Arc::new(Ending::new(process)).abandon().await;
                }
            });
        }
    }
}

async fn start(guest: Guest, exec: Exec) -> Result<Process, GuestError> {
    let started = guest.execute_with_contact(&exec).await;
    let (started, contact) = started.map_err(|error| explain(exec, error))?;
    let origin = Agents::of(guest.client()).answering(contact, guest.client());
    let owned = Owned::new(AgentResource::Process(started.pid), Some(origin));
    Ok(Process::new(guest, owned, true))
}

/// Says it where a program's arguments may have been given with its name.
fn explain(exec: Exec, error: GuestError) -> GuestError {
    let is_missing = error.is_no_such_program();
    match error {
        GuestError::Command(source) if is_missing && exec.path.contains(char::is_whitespace) => {
            let program = exec.path;
            GuestError::NoSuchProgram { program, source }
        }
        error => error,
    }
}
