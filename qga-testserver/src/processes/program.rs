use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::script::Script;
use crate::state::lock;

/// How a client has called a program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Invocation {
    /// The path as the client gave it.
    pub path: String,
    /// The arguments after the path.
    pub args: Vec<String>,
    /// The environment, when the client gave one: `NAME=value`, as they are.
    pub env: Option<Vec<String>>,
    /// What the program can read; nothing when the client gave nothing.
    pub stdin: Vec<u8>,
}

/// A program of the guest, in force since it was made. There is no need to keep it.
///
/// Made by [`TestAgent::program`](crate::TestAgent::program).
#[derive(Debug)]
pub struct Program {
    entry: Arc<Entry>,
}

/// A program by its name.
pub(crate) struct Entry {
    name: String,
    behaviour: Mutex<Behaviour>,
}

/// What a program does.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Script(Arc<Script>),
    Closure(Arc<dyn Fn(&Invocation) -> Script + Send + Sync>),
}

/// The programs of a guest, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct Programs(Vec<Arc<Entry>>);

impl Programs {
    pub(crate) fn add(&mut self, name: &str) -> Program {
        let entry = Arc::new(Entry {
            name: name.to_owned(),
            behaviour: Mutex::new(Behaviour::Script(Arc::default())),
        });
        self.0.push(Arc::clone(&entry));
        Program { entry }
    }

    /// What the latest program of this path does. A program without a folder in its name is found
    /// in any.
    pub(crate) fn find(&self, path: &str) -> Option<Behaviour> {
        let last = path.rsplit('/').next().unwrap_or(path);
        let entry = self.0.iter().rev().find(|entry| {
            entry.name == path || (!entry.name.contains('/') && entry.name == last)
        })?;
        Some(lock(&entry.behaviour).clone())
    }
}

#[allow(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "a program is in force whether or not it is kept"
)]
impl Program {
    /// It prints this.
    pub fn stdout(self, bytes: impl AsRef<[u8]>) -> Self {
        self.change(|script| script.stdout(bytes))
    }

    /// It prints this to the stream for errors.
    pub fn stderr(self, bytes: impl AsRef<[u8]>) -> Self {
        self.change(|script| script.stderr(bytes))
    }

    /// It prints so many zeros, which take no memory here. The agent keeps the first 16 MiB.
    pub fn stdout_zeros(self, count: u64) -> Self {
        self.change(|script| script.stdout_zeros(count))
    }

    /// It waits for so long, in tokio's time, before it prints more.
    pub fn pause(self, duration: Duration) -> Self {
        self.change(|script| script.pause(duration))
    }

    /// It runs for so long in all, in tokio's time, before it ends.
    pub fn after(self, duration: Duration) -> Self {
        self.change(|script| script.after(duration))
    }

    /// It ends with this code; 0 unless something else is said.
    pub fn exit(self, code: i64) -> Self {
        self.change(|script| script.exit(code))
    }

    /// It ends by this signal.
    pub fn signal(self, number: i64) -> Self {
        self.change(|script| script.signal(number))
    }

    /// It never ends by itself; [`TestAgent::kill`](crate::TestAgent::kill) ends it.
    pub fn never_ends(self) -> Self {
        self.change(Script::never_ends)
    }

    /// The closure says, from how it was called, what it does.
    ///
    /// It runs in the agent's task: it must not block, and a panic in it ends the agent.
    pub fn runs(self, run: impl Fn(&Invocation) -> Script + Send + Sync + 'static) -> Self {
        *lock(&self.entry.behaviour) = Behaviour::Closure(Arc::new(run));
        self
    }

    fn change(self, change: impl FnOnce(Script) -> Script) -> Self {
        let mut behaviour = lock(&self.entry.behaviour);
        let script = match &*behaviour {
            Behaviour::Script(script) => Script::clone(script),
            Behaviour::Closure(_) => Script::default(),
        };
        *behaviour = Behaviour::Script(Arc::new(change(script)));
        drop(behaviour);
        self
    }
}

impl Behaviour {
    /// What it does this time.
    pub(crate) fn script(&self, invocation: &Invocation) -> Arc<Script> {
        match self {
            Behaviour::Script(script) => Arc::clone(script),
            Behaviour::Closure(run) => Arc::new(run(invocation)),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
