//! The guest's programs, and the processes that clients have started.

mod builtin;
#[cfg(unix)]
pub(crate) mod host;
mod invocation;
mod output;
mod programs;
mod script;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use builtin::builtin;
pub use invocation::Invocation;
pub(crate) use programs::{Behaviour, Programs};
pub use script::Script;
pub(crate) use script::{Capture, End, Step};
pub(crate) use status::Status;

/// The processes that are running, or whose end no client has been told yet.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    pub(crate) programs: Programs,
    started: BTreeMap<i64, Process>,
    latest: i64,
    /// The processes of the host, if clients may run programs of it.
    #[cfg(unix)]
    pub(crate) host: Option<host::HostProcesses>,
}

/// A process that was started.
#[derive(Debug)]
struct Process {
    script: Arc<Script>,
    capture: Capture,
    start: Instant,
    /// When and by which signal the test ended it.
    killed: Option<(Duration, i64)>,
    cost: usize,
    /// How many of the script's pieces are in its files.
    poured: usize,
}

/// As many as a user may usually have.
const COUNT_LIMIT: usize = 1000;
/// What the output of all of them may take, in bytes.
const COST_LIMIT: usize = 256 << 20;
/// The process id before the first one.
const FIRST: i64 = 1000;

impl Processes {
    /// Starts a process, and gives its id.
    pub(crate) fn start(&mut self, script: Arc<Script>, capture: Capture) -> Result<i64, String> {
        let script = match capture {
            Capture::Nothing if script.files.is_none() => Arc::new(script.silenced()),
            _ => script,
        };
        let cost = script.cost();
        let held: usize = self.started.values().map(|process| process.cost).sum();
        if self.started.len() >= COUNT_LIMIT || held + cost > COST_LIMIT {
            return Err("Failed to fork (Resource temporarily unavailable)".into());
        }
        self.latest = self.latest.max(FIRST) + 1;
        let process = Process {
            script,
            capture,
            start: Instant::now(),
            killed: None,
            cost,
            poured: 0,
        };
        self.started.insert(self.latest, process);
        Ok(self.latest)
    }

    /// Says whether a process is running or how it has ended. A process that has ended is forgotten.
    pub(crate) fn status(&mut self, pid: i64) -> Option<Status> {
        #[cfg(unix)]
        if let Some(status) = self.host.as_mut().and_then(|host| host.status(pid)) {
            return Some(status);
        }
        let process = self.started.get(&pid)?;
        let Some(status) = process.ended() else {
            return Some(Status::Running);
        };
        self.started.remove(&pid);
        Some(status)
    }

    /// Ends a process by a signal, and says whether it was running.
    pub(crate) fn kill(&mut self, pid: i64, signal: i64) -> bool {
        #[cfg(unix)]
        if self
            .host
            .as_mut()
            .is_some_and(|host| host.kill(pid, signal))
        {
            return true;
        }
        let running = |process: &&mut Process| process.ended().is_none();
        let process = self.started.get_mut(&pid).filter(running);
        process.is_some_and(|process| {
            process.killed = Some((process.start.elapsed(), signal));
            true
        })
    }

    /// Returns what processes have printed to files since the last call, as paths and bytes.
    pub(crate) fn pour(&mut self) -> Vec<(String, Vec<u8>)> {
        let mut poured = Vec::new();
        for process in self.started.values_mut() {
            let Some(files) = &process.script.files else {
                continue;
            };
            let until = process.killed.map_or(process.start.elapsed(), |(at, _)| at);
            let (printed, next) = process.script.printed(process.poured, until);
            process.poured = next;
            poured.extend(files.iter().cloned().zip(printed));
        }
        poured.retain(|(_, bytes)| !bytes.is_empty());
        poured
    }

    /// Returns the ids of the processes that are running.
    pub(crate) fn running(&mut self) -> Vec<i64> {
        let running = self
            .started
            .iter()
            .filter(|(_, process)| process.ended().is_none());
        #[allow(unused_mut, reason = "elsewhere there are no others")]
        let mut running: Vec<_> = running.map(|(pid, _)| *pid).collect();
        #[cfg(unix)]
        running.extend(self.host.iter_mut().flat_map(host::HostProcesses::running));
        running
    }

    /// The agent that started them is gone.
    pub(crate) fn restart(&mut self) {
        self.started.clear();
        #[cfg(unix)]
        if let Some(host) = &mut self.host {
            host.forget_all();
        }
    }

    /// The kernel counts from the beginning.
    pub(crate) fn reboot(&mut self) {
        self.restart();
        self.latest = 0;
    }
}

impl Process {
    /// Says how the process has ended, if it has.
    fn ended(&self) -> Option<Status> {
        let (end, at) = match self.killed {
            Some((at, signal)) => (End::Signal(signal), at),
            None => (self.script.end, self.script.length(self.capture)),
        };
        if end == End::Never || self.start.elapsed() < at {
            return None;
        }
        let (out, err) = self.script.output(self.capture, at);
        Some(Status::Ended { end, out, err })
    }
}
