//! The builder of a program that a test gives the guest.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::machine::Machine;
use super::processes::{Behaviour, Invocation, Script};
use crate::lock::lock;

/// A program of the guest that is being built.
///
/// [`TestAgent::program`](crate::TestAgent::program) begins one. The last call says how the program
/// ends, or what it does each time: [`exit`](Program::exit), [`signal`](Program::signal),
/// [`never_ends`](Program::never_ends) or [`runs`](Program::runs). The program takes effect with that
/// call and not before.
#[derive(Debug)]
#[must_use = "the program takes effect once you say how it ends: exit, signal, never_ends or runs"]
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

    /// The program prints this to stdout.
    pub fn stdout(self, bytes: impl AsRef<[u8]>) -> Self {
        self.change(|script| script.stdout(bytes))
    }

    /// The program prints this to stderr.
    pub fn stderr(self, bytes: impl AsRef<[u8]>) -> Self {
        self.change(|script| script.stderr(bytes))
    }

    /// The program prints this many zero bytes to stdout. They take no memory until a client asks for
    /// them; the agent returns the first 16 MiB.
    pub fn stdout_zeros(self, count: u64) -> Self {
        self.change(|script| script.stdout_zeros(count))
    }

    /// The program waits for this much of tokio's time before it prints more.
    pub fn pause(self, duration: Duration) -> Self {
        self.change(|script| script.pause(duration))
    }

    /// The program runs for at least this much of tokio's time in all.
    pub fn after(self, duration: Duration) -> Self {
        self.change(|script| script.after(duration))
    }

    /// The program ends with this exit code.
    pub fn exit(self, code: i64) {
        self.change(|script| script.exit(code)).mount();
    }

    /// The program is ended by this signal.
    pub fn signal(self, number: i64) {
        self.change(|script| script.signal(number)).mount();
    }

    /// The program never ends by itself; [`TestAgent::kill_process`](crate::TestAgent::kill_process) ends it.
    pub fn never_ends(self) {
        self.change(Script::never_ends).mount();
    }

    /// Each time, the closure says what the program does, given how a client has called it. The program
    /// first prints what the calls before this one say.
    ///
    /// The closure runs in the agent's task and must not block. If it panics, as a failed `assert!`
    /// does, `guest-exec` fails and so does the test.
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
