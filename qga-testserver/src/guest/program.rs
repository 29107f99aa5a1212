use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::machine::Machine;
use super::processes::{Behaviour, Invocation, Script};
use crate::lock::lock;

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

    /// It never ends by itself; [`TestAgent::kill_process`](crate::TestAgent::kill_process) ends it.
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
