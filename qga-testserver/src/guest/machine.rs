use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::Guest;
use crate::guest::facts::Filesystem;
use crate::guest::files::Files;
use crate::guest::files::kernel::{self, BOOT_ID, SELF};
use crate::guest::processes::{Processes, Step};
use crate::profile::Platform;

/// All of the guest: its facts, its files, and what runs in it.
#[derive(Debug)]
pub(crate) struct Machine {
    facts: Arc<Guest>,
    /// When a command froze the filesystems.
    pub(crate) frozen_since: Option<Instant>,
    /// Whether its memory was saved to its disk before it was switched off.
    pub(crate) is_saved: bool,
    pub(crate) files: Files,
    pub(crate) processes: Processes,
    platform: Platform,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            facts: plain(Platform::Linux),
            frozen_since: None,
            is_saved: false,
            files: Files::default(),
            processes: Processes::default(),
            platform: Platform::Linux,
        }
    }
}

/// What the machines of a platform share until they change.
fn plain(platform: Platform) -> Arc<Guest> {
    static LINUX: OnceLock<Arc<Guest>> = OnceLock::new();
    static FREE_BSD: OnceLock<Arc<Guest>> = OnceLock::new();
    static WINDOWS: OnceLock<Arc<Guest>> = OnceLock::new();
    let plain = match platform {
        Platform::Linux => &LINUX,
        Platform::FreeBsd => &FREE_BSD,
        Platform::Windows => &WINDOWS,
    };
    Arc::clone(plain.get_or_init(|| Arc::new(Guest::of(platform))))
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
        self.platform = platform;
        if platform != Platform::Linux {
            self.files.remove(BOOT_ID);
            self.files.remove(SELF);
        }
        if platform != Platform::Linux && Arc::ptr_eq(&self.facts, &plain(Platform::Linux)) {
            self.facts = plain(platform);
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
        self.files.restart();
        self.processes.restart();
        self.name_agent();
    }

    /// Nobody will come any more: what it has of the host is given back.
    pub(crate) fn end(&mut self) {
        self.files.restart();
        self.processes.restart();
        #[cfg(unix)]
        {
            self.processes.host = None;
            self.files.host = None;
        }
    }

    /// The whole machine started again.
    pub(crate) fn reboot(&mut self) {
        self.is_saved = false;
        self.files.reboot();
        self.processes.reboot();
        self.name_boot();
        self.name_agent();
        self.thaw();
        if self.facts.vcpus.iter().any(|vcpu| !vcpu.online) {
            let vcpus = self.facts_mut().vcpus.iter_mut();
            vcpus.for_each(|vcpu| vcpu.online = true);
        }
    }

    fn name_boot(&mut self) {
        if self.platform == Platform::Linux {
            self.files.put_kernel_file(BOOT_ID, kernel::boot_id());
        }
    }

    fn name_agent(&mut self) {
        if self.platform == Platform::Linux {
            self.files.put_kernel_file(SELF, kernel::stat());
        }
    }

    /// Thaws every filesystem, whoever has frozen it, and says how many were frozen.
    pub(crate) fn thaw(&mut self) -> i64 {
        self.frozen_since = None;
        let filesystems = self.facts.filesystems.iter();
        if !self.facts.frozen && !filesystems.clone().any(|fs| fs.frozen) {
            return 0;
        }
        let count = filesystems.len();
        let facts = self.facts_mut();
        facts.frozen = false;
        let thawed = (0..count)
            .filter(|index| Filesystem::set_frozen(&mut facts.filesystems, *index, false));
        thawed.map(|_| 1).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, Machine, Platform};

    #[test]
    fn machines_of_a_platform_share_their_facts_until_one_changes() {
        for platform in [Platform::Linux, Platform::FreeBsd, Platform::Windows] {
            let [one, mut other] = [(); 2].map(|()| {
                let mut machine = Machine::default();
                machine.become_platform(platform);
                machine
            });
            assert!(Arc::ptr_eq(&one.facts, &other.facts), "{platform:?}");
            other.facts_mut().host_name = "db1".into();
            assert_ne!(one.facts.host_name, "db1");
        }
    }
}
