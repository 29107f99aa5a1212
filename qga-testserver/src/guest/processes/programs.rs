use std::fmt;
use std::sync::Arc;

use super::invocation::Invocation;
use super::script::Script;

/// A program and its name.
struct Entry {
    name: String,
    behaviour: Behaviour,
}

/// What a program does.
#[derive(Clone)]
pub(crate) enum Behaviour {
    Script(Arc<Script>),
    Closure(Arc<dyn Fn(&Invocation) -> Script + Send + Sync>),
}

/// The programs of a guest, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct Programs(Vec<Entry>);

impl Programs {
    pub(crate) fn add(&mut self, name: String, behaviour: Behaviour) {
        self.0.push(Entry { name, behaviour });
    }

    /// Finds out what the latest program of this path does. A program whose name has no slash is found
    /// in any folder.
    pub(crate) fn find(&self, path: &str) -> Option<Behaviour> {
        let last = path.rsplit('/').next().unwrap_or(path);
        let entry = self.0.iter().rev().find(|entry| {
            entry.name == path || (!entry.name.contains('/') && entry.name == last)
        })?;
        Some(entry.behaviour.clone())
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
