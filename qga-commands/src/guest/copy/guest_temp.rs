//! A folder of the guest for what is not whole yet.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use std::{env, io};

use tokio::runtime::Handle;
use tokio::time::timeout;

use super::CopyFault;
use super::host::{blocking, local};
use super::lock::Lock;
use super::verify::SLOWEST;
use crate::guest::clean_up::CleanUp;
use crate::guest::process::Output;
use crate::guest::scripts::{BEGIN, CONTINUE, DISCARD, PUBLISH, RENEW, Script};
use crate::guest::shell::{NO_SHELL, SCRIPT_TIMEOUT};
use crate::guest::{Guest, GuestError};

/// How long a copy that failed waits until what it made is removed.
const REMOVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a part that others end meanwhile is looked for anew.
const LOCK_ATTEMPTS: usize = 3;

const BROKEN: &str = "the guest does not tell what an earlier copy has left";

/// A folder beside the target, which is removed in the background when this is dropped.
pub(super) struct GuestTemp {
    guest: Guest,
    path: String,
    target: String,
    kind: &'static str,
    replace: &'static str,
    armed: bool,
    /// So that no other process goes on with the same.
    #[allow(dead_code, reason = "it is given up when this is dropped")]
    lock: Option<Lock>,
}

/// How the target has come to its place.
pub(super) struct Published {
    /// In one step.
    pub(super) atomic: bool,
    /// It is on the guest's disk.
    pub(super) synced: bool,
}

impl GuestTemp {
    /// Makes it; `None` if the guest has no shell.
    pub(super) async fn beside(
        guest: &Guest,
        target: &str,
        folder: bool,
        replace: bool,
    ) -> Result<Option<Self>, GuestError> {
        let mut temp = Self {
            guest: guest.clone(),
            path: name_beside(target, RandomState::new().hash_one(target))?,
            target: target.trim_end_matches('/').to_owned(),
            kind: if folder { "folder" } else { "file" },
            replace: if replace { "yes" } else { "no" },
            armed: true,
            lock: None,
        };
        let args = [&*temp.path, &*temp.target, temp.kind, temp.replace];
        if temp.run(BEGIN, &args, SCRIPT_TIMEOUT).await?.is_some() {
            return Ok(Some(temp));
        }
        temp.armed = false;
        Ok(None)
    }

    /// Goes on with the one of the same key that an earlier copy has left, or makes it. It stays until it is published or
    /// removed. How many bytes it takes.
    pub(super) async fn resume(
        guest: &Guest,
        target: &str,
        folder: bool,
        key: u64,
        replace: bool,
    ) -> Result<(Self, u64), GuestError> {
        let mut temp = Self {
            guest: guest.clone(),
            path: name_beside(target, key)?,
            target: target.trim_end_matches('/').to_owned(),
            kind: if folder { "folder" } else { "file" },
            replace: if replace { "yes" } else { "no" },
            armed: false,
            lock: None,
        };
        let new = format!("{:016x}", RandomState::new().hash_one(key));
        let mut locked = String::new();
        // What is there is known only once it is locked.
        for _ in 0..LOCK_ATTEMPTS {
            let args = [&*temp.path, &*temp.target, temp.kind, temp.replace, &*new];
            let output = temp.run(CONTINUE, &args, SCRIPT_TIMEOUT).await?;
            let output = output.ok_or_else(|| CopyFault::Refused(NO_SHELL).at(target))?;
            let part = part(&output.stdout);
            let (id, kibibytes) = part.ok_or_else(|| CopyFault::Refused(BROKEN).at(target))?;
            if id == locked {
                return Ok((temp, kibibytes.saturating_mul(1024)));
            }
            let taken = blocking({
                let id = id.clone();
                move || Lock::take(&id)
            });
            temp.lock = Some(taken.await.map_err(|error| busy(error, target))?);
            locked = id;
        }
        Err(CopyFault::busy().at(target))
    }

    /// Makes sure that nobody else, such as an agent for a client that is gone, writes to what is there.
    pub(super) async fn renew(&self, bytes: u64) -> Result<(), GuestError> {
        let within = SCRIPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST);
        match self.run(RENEW, &[&self.path], within).await? {
            Some(_) => Ok(()),
            None => Err(CopyFault::Refused(NO_SHELL).at(&*self.target)),
        }
    }

    /// Where to put what is copied.
    pub(super) fn content(&self) -> String {
        format!("{}/content", self.path)
    }

    /// Writes what is copied through to the disk, and moves it to its place.
    pub(super) async fn publish(&mut self, bytes: u64) -> Result<Published, GuestError> {
        let parent = match self.target.rsplit_once('/') {
            Some(("", _)) => "/",
            Some((parent, _)) => parent,
            None => ".",
        };
        let args = [&*self.path, &*self.target, self.kind, self.replace, parent];
        let within = SCRIPT_TIMEOUT + Duration::from_secs(bytes / SLOWEST);
        let Some(output) = self.run(PUBLISH, &args, within).await? else {
            return Err(CopyFault::Refused(NO_SHELL).at(&*self.target));
        };
        self.armed = false;
        let says = |word: &[u8]| {
            output
                .stdout
                .split(|byte| *byte == b'\n')
                .any(|line| line == word)
        };
        Ok(Published {
            atomic: says(b"atomic"),
            synced: says(b"synced"),
        })
    }

    /// Removes it, as far as it can be.
    pub(super) async fn remove(&mut self) {
        let args = [&*self.path, &*self.target];
        let removed = timeout(
            REMOVE_TIMEOUT,
            DISCARD.run(&self.guest, &args, SCRIPT_TIMEOUT),
        )
        .await;
        self.armed = !matches!(removed, Ok(Ok(_)));
    }

    async fn run(
        &self,
        script: Script,
        args: &[&str],
        within: Duration,
    ) -> Result<Option<Output>, GuestError> {
        let Some(output) = script.run(&self.guest, args, within).await? else {
            return Ok(None);
        };
        let fault = match output.status.code() {
            Some(0) => return Ok(Some(output)),
            Some(17) => {
                CopyFault::Refused("the target is there already; `replace` it if it may go")
            }
            Some(21) => CopyFault::Refused("the target is a folder; `replace` it if it may go"),
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
            let guest = self.guest.clone();
            let (path, target) = (self.path.clone(), self.target.clone());
            runtime.spawn(async move {
                let mut clean_up = CleanUp::begin(&guest).await;
                let (guest, args) = (clean_up.guest(), [&*path, &*target]);
                let discard = || DISCARD.run(&guest, &args, SCRIPT_TIMEOUT);
                while clean_up.goes_on(discard().await).await {}
            });
        }
    }
}

/// A name in the same folder.
fn name_beside(target: &str, number: u64) -> Result<String, GuestError> {
    let path = target.trim_end_matches('/');
    let (folder, name) = match path.rsplit_once('/') {
        Some((folder, name)) => (format!("{folder}/"), name),
        None => (String::new(), path),
    };
    if matches!(name, "" | "." | "..") {
        return Err(CopyFault::Refused("the target has no name").at(target));
    }
    let short: String = name.chars().take(40).collect();
    Ok(format!("{folder}.{short}.{number:016x}.part"))
}

/// An ID and a number, as they are printed.
fn part(printed: &[u8]) -> Option<(String, u64)> {
    let line = std::str::from_utf8(printed).ok()?;
    let (id, size) = line.strip_suffix('\n')?.split_once(' ')?;
    let is_id = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((Some(id).filter(|_| is_id)?.to_owned(), size.parse().ok()?))
}

fn busy(error: io::Error, target: &str) -> GuestError {
    if error.kind() == io::ErrorKind::WouldBlock {
        CopyFault::busy().at(target)
    } else {
        local(&env::temp_dir(), error)
    }
}
