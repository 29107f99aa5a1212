use std::fmt;

use tokio::runtime::Runtime;

/// What this process holds. Memory and descriptors are known on Linux only.
pub(crate) struct Resources {
    pub(crate) tasks: usize,
    pub(crate) descriptors: usize,
    /// In KiB.
    pub(crate) memory: u64,
}

impl Resources {
    pub(crate) fn of(runtime: &Runtime) -> Self {
        Self {
            tasks: runtime.metrics().num_alive_tasks(),
            descriptors: std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            memory: memory().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            tasks,
            descriptors,
            memory,
        } = self;
        write!(f, "{tasks} tasks, {descriptors} descriptors, {memory} KiB")
    }
}

fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Raises the limit of open files for so many clients; says for how many it is enough.
pub(crate) fn allow_descriptors(clients: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Each pair has a socket that listens, two ends, and at times a second connection.
    let (each, others) = (5, 100);
    let limit = getrlimit(Resource::Nofile);
    let wanted = clients * each + others;
    let highest = limit.maximum.unwrap_or(wanted).min(wanted);
    if limit.current.is_some_and(|current| current < highest) {
        let raised = Rlimit {
            current: Some(highest),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised).unwrap();
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(wanted);
    clients.min(most.saturating_sub(others) / each)
}
