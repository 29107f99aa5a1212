//! A folder of the guest for what is not whole yet.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::CopyFault;
use super::shell::{BEGIN, MOVE, NO_SHELL, REMOVE, USUAL, run};
use crate::guest::{Guest, GuestError};

/// How long a copy that failed waits until what it made is removed.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder beside the target, which is removed in the background when this is dropped.
pub(super) struct GuestTemp {
    guest: Guest,
    path: String,
    target: String,
    kind: &'static str,
    armed: bool,
}

impl GuestTemp {
    /// Makes it; `None` if the guest has no shell.
    pub(super) async fn beside(
        guest: &Guest,
        target: &str,
        folder: bool,
    ) -> Result<Option<Self>, GuestError> {
        let mut temp = Self {
            guest: guest.clone(),
            path: name_beside(target)?,
            target: target.trim_end_matches('/').to_owned(),
            kind: if folder { "folder" } else { "file" },
            armed: true,
        };
        if temp.run(BEGIN).await? {
            return Ok(Some(temp));
        }
        temp.armed = false;
        Ok(None)
    }

    /// Where to put what is copied.
    pub(super) fn content(&self) -> String {
        format!("{}/content", self.path)
    }

    /// Moves what is copied to its place.
    pub(super) async fn publish(&mut self) -> Result<(), GuestError> {
        if !self.run(MOVE).await? {
            return Err(CopyFault::Refused(NO_SHELL).at(&*self.target));
        }
        self.armed = false;
        Ok(())
    }

    /// Removes it, as far as it can be.
    pub(super) async fn remove(&mut self) {
        let removed = timeout(PATIENCE, run(&self.guest, REMOVE, &[&self.path], USUAL)).await;
        self.armed = !matches!(removed, Ok(Ok(_)));
    }

    async fn run(&self, script: &str) -> Result<bool, GuestError> {
        let args = [&*self.path, &*self.target, self.kind];
        let Some(output) = run(&self.guest, script, &args, USUAL).await? else {
            return Ok(false);
        };
        let fault = match output.status.code() {
            Some(0) => return Ok(true),
            Some(17) => CopyFault::Refused("the target is there already"),
            Some(21) => CopyFault::Refused("the target is a folder"),
            _ => CopyFault::Program(output),
        };
        Err(fault.at(&*self.target))
    }
}

impl Drop for GuestTemp {
    fn drop(&mut self) {
        if self.armed
            && let Ok(runtime) = Handle::try_current()
        {
            let (guest, path) = (self.guest.without_deadline(), self.path.clone());
            runtime.spawn(async move {
                guest.thawed().await;
                run(&guest, REMOVE, &[&path], USUAL).await.map(drop)
            });
        }
    }
}

/// A name in the same folder that nobody can foresee.
fn name_beside(target: &str) -> Result<String, GuestError> {
    let path = target.trim_end_matches('/');
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), path),
    };
    if matches!(name, "" | "." | "..") || path.contains('\0') {
        return Err(CopyFault::Refused("the target has no name").at(target));
    }
    let random = RandomState::new().hash_one(target);
    let short: String = name.chars().take(40).collect();
    Ok(format!("{folder}.{short}.{random:016x}.part"))
}
