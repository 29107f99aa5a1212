use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::script::Script;
use crate::lock::lock;
use crate::machine::Machine;

/// How a client has called a program.
#[derive(Clone, PartialEq, Eq)]
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
    /// The folder that it is run in: `/`, unless a client's shell went elsewhere.
    pub current_dir: String,
}

/// A program of the guest that is being built.
///
/// Made by [`TestAgent::program`](crate::TestAgent::program). The last call says how it ends, or
/// what it does each time, and only it puts the program into the guest: [`exit`](Program::exit),
/// [`signal`](Program::signal), [`never_ends`](Program::never_ends) or [`runs`](Program::runs).
#[derive(Debug)]
#[must_use = "the program is in the guest once you say how it ends: exit, signal, never_ends or runs"]
pub struct Program<'a> {
    machine: &'a Mutex<Machine>,
    name: String,
    script: Script,
}

/// A program by its name.
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
    fn add(&mut self, name: String, behaviour: Behaviour) {
        self.0.push(Entry { name, behaviour });
    }

    /// What the latest program of this path does. A program without a folder in its name is found
    /// in any.
    pub(crate) fn find(&self, path: &str) -> Option<Behaviour> {
        let last = path.rsplit('/').next().unwrap_or(path);
        let entry = self.0.iter().rev().find(|entry| {
            entry.name == path || (!entry.name.contains('/') && entry.name == last)
        })?;
        Some(entry.behaviour.clone())
    }
}

impl<'a> Program<'a> {
    pub(crate) fn new(machine: &'a Mutex<Machine>, name: &str) -> Self {
        let (name, script) = (name.to_owned(), Script::new());
        Self {
            machine,
            name,
            script,
        }
    }

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

    /// It ends with this code.
    pub fn exit(self, code: i64) {
        self.change(|script| script.exit(code)).mount();
    }

    /// It ends by this signal.
    pub fn signal(self, number: i64) {
        self.change(|script| script.signal(number)).mount();
    }

    /// It never ends by itself; [`TestAgent::kill`](crate::TestAgent::kill) ends it.
    pub fn never_ends(self) {
        self.change(Script::never_ends).mount();
    }

    /// The closure says, from how it was called, what it does, after it has printed what was said
    /// before.
    ///
    /// It runs in the agent's task and must not block. A panic in it, as of an `assert!`, is an
    /// error of the command and fails the test.
    pub fn runs(self, run: impl Fn(&Invocation) -> Script + Send + Sync + 'static) {
        let begin = self.script;
        let run = move |call: &Invocation| begin.clone().then(&run(call), false);
        let behaviour = Behaviour::Closure(Arc::new(run));
        lock(self.machine)
            .processes
            .programs
            .add(self.name, behaviour);
    }

    fn change(self, change: impl FnOnce(Script) -> Script) -> Self {
        let script = change(self.script);
        Self { script, ..self }
    }

    fn mount(self) {
        let behaviour = Behaviour::Script(Arc::new(self.script));
        lock(self.machine)
            .processes
            .programs
            .add(self.name, behaviour);
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

/// The input as text.
impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stdin = self.stdin.escape_ascii();
        f.debug_struct("Invocation")
            .field("path", &self.path)
            .field("args", &self.args)
            .field("env", &self.env)
            .field("stdin", &format_args!("b\"{stdin}\""))
            .field("current_dir", &self.current_dir)
            .finish()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
