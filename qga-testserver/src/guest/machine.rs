use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::Guest;
use crate::guest::files::Files;
use crate::guest::processes::{Processes, Step};
use crate::profile::Platform;

/// All of the guest: its facts, its files, and what runs in it.
#[derive(Debug)]
pub(crate) struct Machine {
    facts: Arc<Guest>,
    /// When a command froze the filesystems.
    pub(crate) frozen_since: Option<Instant>,
    pub(crate) files: Files,
    pub(crate) processes: Processes,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            facts: plain(),
            frozen_since: None,
            files: Files::default(),
            processes: Processes::default(),
        }
    }
}

/// What machines share until they change.
fn plain() -> Arc<Guest> {
    static PLAIN: OnceLock<Arc<Guest>> = OnceLock::new();
    Arc::clone(PLAIN.get_or_init(Arc::default))
}

impl Machine {
    pub(crate) fn facts(&self) -> &Guest {
        &self.facts
    }

    pub(crate) fn facts_mut(&mut self) -> &mut Guest {
        Arc::make_mut(&mut self.facts)
    }

    pub(crate) fn set_facts(&mut self, facts: Guest) {
        self.facts = Arc::new(facts);
    }

    /// Takes on an operating system, unless the test has given it facts of its own.
    pub(crate) fn become_platform(&mut self, platform: Platform) {
        if platform != Platform::Linux && Arc::ptr_eq(&self.facts, &plain()) {
            self.set_facts(Guest::of(platform));
        }
    }

    /// Puts into files what programs have written to them by now.
    pub(crate) fn pour(&mut self) {
        for (path, bytes) in self.processes.pour() {
            self.files.append(path.as_bytes(), &bytes);
        }
    }

    /// Does what a shell does; false if it fails.
    pub(crate) fn step(&mut self, step: &Step) -> bool {
        match step {
            Step::MakeFolder(path) => self.files.make_folder(path.as_bytes()),
            Step::MakeFile(path) => self.files.make_file(path.as_bytes()),
            Step::Remove(path) => {
                self.files.remove(path.as_bytes());
                true
            }
            Step::Kill { pid, signal } => self.processes.kill(*pid, *signal),
        }
    }

    /// The agent was killed and started again.
    pub(crate) fn restart_agent(&mut self) {
        self.files.forget_handles();
        self.processes.forget_all();
    }

    /// Nobody will come any more: what it has of the host is given back.
    pub(crate) fn end(&mut self) {
        self.restart_agent();
        #[cfg(unix)]
        {
            self.processes.host = None;
            self.files.host = None;
        }
    }

    /// The whole machine started again.
    pub(crate) fn reboot(&mut self) {
        self.restart_agent();
        if self.facts.frozen {
            self.thaw();
        }
    }

    /// Thaws every filesystem, and says how many were frozen.
    pub(crate) fn thaw(&mut self) -> i64 {
        self.frozen_since = None;
        let facts = self.facts_mut();
        facts.frozen = false;
        let frozen = facts.filesystems.iter_mut().filter(|fs| fs.frozen);
        frozen.map(|fs| fs.frozen = false).map(|()| 1).sum()
    }
}
