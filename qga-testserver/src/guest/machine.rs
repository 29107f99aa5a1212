use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

use crate::Guest;
use crate::guest::facts::Filesystem;
use crate::guest::files::Files;
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
        let mut machine = Self {
            facts: plain(),
            frozen_since: None,
            is_saved: false,
            files: Files::default(),
            processes: Processes::default(),
            platform: Platform::Linux,
        };
        machine.name_boot();
        machine.name_agent();
        machine
    }
}

/// What the kernel calls this boot.
const BOOT_ID: &[u8] = b"/proc/sys/kernel/random/boot_id";
/// What the kernel tells of the process that reads it: here, of the agent.
const SELF: &[u8] = b"/proc/self/stat";

fn random() -> u64 {
    RandomState::new().hash_one(())
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
        self.platform = platform;
        if platform != Platform::Linux {
            self.files.remove(BOOT_ID);
            self.files.remove(SELF);
        }
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
        self.files.restart();
        self.processes.restart();
        self.name_agent();
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
            let (high, low) = (random(), random());
            let id = format!(
                "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}\n",
                high >> 32,
                high >> 16 & 0xFFFF,
                high & 0xFFF,
                low >> 52,
                low & 0xFFFF_FFFF_FFFF
            );
            self.files.put_kernel_file(BOOT_ID, id.into_bytes());
        }
    }

    /// As the kernel does: by when and where it was started.
    fn name_agent(&mut self) {
        if self.platform == Platform::Linux {
            let random = random();
            let (pid, start) = (300 + random % 500, 1000 + random / 500 % 9000);
            let code = 0x5555_0000_0000 + (random >> 40 << 12);
            let stack = 0x7FFC_0000_0000 + (random >> 32 << 4);
            let line = format!(
                "{pid} (qemu-ga) S 1 {pid} {pid} 0 -1 4194560 905 0 0 0 2 1 0 0 20 0 2 0 {start} 83886080 \
                 1801 18446744073709551615 {code} {} {stack} 0 0 0 0 4096 17479 0 0 0 17 1 0 0 0 0 0 {} {} \
                 {} {} {} {} {} 0\n",
                code + 0x6_1000,
                code + 0x7_2000,
                code + 0x7_9000,
                code + 0x10_0000,
                stack + 0x800,
                stack + 0x840,
                stack + 0x840,
                stack + 0xFE0,
            );
            self.files.put_kernel_file(SELF, line.into_bytes());
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
