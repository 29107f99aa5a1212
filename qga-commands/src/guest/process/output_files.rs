//! The files that a streamed program writes to.
//!
//! A pipe would not do: the agent reads through a buffer without blocking, and loses what it had read
//! when a pipe runs dry. A file's end passes, and then reading goes on.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use qga_core::Execution;
use tokio::runtime::Handle;

use super::kill::{KILL_TIME, is_windows};
use super::reader::Source;
use super::{Command, ExitStatus};
use crate::guest::clean_up::{self, CleanUp};
use crate::guest::scripts::{MAKE_STREAMS, REMOVE_STREAMS, STREAM, Script};
use crate::guest::{Guest, GuestError};

/// `/var/tmp` is for what may be long; `/tmp` is often kept in memory, but a small guest may have
/// no other.
const FOLDERS: [&str; 2] = ["/var/tmp", "/tmp"];

/// A folder of the guest, with a file for each stream.
///
/// Its name is random and made here, so that the guest has no say in what is opened and removed.
pub(super) struct OutputFiles {
    guest: Guest,
    path: String,
    runtime: Handle,
    armed: bool,
}

impl OutputFiles {
    pub(super) async fn make(guest: &Guest) -> Result<Self, GuestError> {
        let [first, second] = FOLDERS;
        match Self::make_in(guest, first).await {
            Err(GuestError::NoOutputFiles(_)) => Self::make_in(guest, second).await,
            result => result,
        }
    }

    async fn make_in(guest: &Guest, folder: &str) -> Result<Self, GuestError> {
        let mut files = Self {
            guest: guest.clone(),
            path: format!("{folder}/qga-{:016x}{:016x}", random(), random()),
            runtime: Handle::current(),
            armed: true,
        };
        let made = files.shell(MAKE_STREAMS, KILL_TIME).await;
        match made {
            Ok(status) if status.success() => Ok(files),
            Ok(status) => Err(GuestError::NoOutputFiles(status)),
            // The shell was not started.
            Err(GuestError::Command(error)) if error.execution() != Execution::MaybeRun => {
                files.armed = false;
                let why = "without /bin/sh in the guest, the output of a program cannot be read while it runs; use \
                           `output` or `start`";
                let error = GuestError::Command(error);
                if error.is_no_such_program() {
                    return Err(GuestError::Unsupported(why));
                }
                let why = "the output of a program in Windows cannot be streamed; use `output` or `start`";
                Err(explain(guest, error, GuestError::Unsupported(why)).await)
            }
            Err(error) => Err(error),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Opens both files.
    pub(super) async fn open(&self) -> Result<(Source, Source), GuestError> {
        let stdout = Source::open(&self.guest, format!("{}/out", self.path)).await?;
        let stderr = Source::open(&self.guest, format!("{}/err", self.path)).await?;
        Ok((stdout, stderr))
    }

    /// The program was started, which has removed the folder.
    pub(super) fn removes_itself(mut self) {
        self.armed = false;
    }

    async fn shell(&self, script: Script, within: Duration) -> Result<ExitStatus, GuestError> {
        let mut command = Command::of_script(&self.guest, "/bin/sh", script);
        command.arg(&self.path);
        command.timeout(within).status().await
    }
}

impl Drop for OutputFiles {
    fn drop(&mut self) {
        if self.armed {
            let (guest, path) = (self.guest.clone(), std::mem::take(&mut self.path));
            let runtime = self.runtime.clone();
            self.runtime.spawn(async move {
                let mut clean_up = CleanUp::begin(&guest).await;
                let files = Self {
                    guest: clean_up.guest(),
                    path,
                    runtime,
                    armed: false,
                };
                let remove = || files.shell(REMOVE_STREAMS, clean_up::TIME);
                while clean_up.goes_on(remove().await).await {}
            });
        }
    }
}

/// The words that run a program with a folder for its output.
pub(super) fn run(folder: &str, words: Vec<String>) -> Vec<String> {
    STREAM.words(folder, words)
}

/// Says why if a shell could not be started since the guest is a Windows.
pub(super) async fn explain(guest: &Guest, error: GuestError, why: GuestError) -> GuestError {
    let refused = error.agent_error().is_some() && !error.is_command_not_found();
    if refused && is_windows(guest).await.unwrap_or_default() {
        return why;
    }
    error
}

fn random() -> u64 {
    RandomState::new().hash_one(())
}
