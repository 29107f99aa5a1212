use super::TestAgent;
use crate::files::Special;
use crate::power::Power;
use crate::state::lock;
use crate::{Guest, Program};

/// The guest behind the agent.
impl TestAgent {
    /// The guest as it is now.
    #[must_use]
    pub fn guest(&self) -> Guest {
        lock(&self.state.machine).facts().clone()
    }

    /// Changes the guest.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (agent, _stream) = qga_testserver::TestAgent::in_memory();
    /// agent.edit_guest(|guest| guest.host_name = "db1".into());
    /// # }
    /// ```
    pub fn edit_guest(&self, edit: impl FnOnce(&mut Guest)) {
        // The closure may use the agent, so no lock is held while it runs.
        let mut guest = self.guest();
        edit(&mut guest);
        lock(&self.state.machine).set_facts(guest);
    }

    /// The SSH keys of a user, in the order of the file; none when there is no such user or file.
    #[must_use]
    pub fn authorized_keys(&self, user: &str) -> Vec<String> {
        let machine = lock(&self.state.machine);
        let home = machine.facts().account(user).map(|account| &account.home);
        let path = home.map(|home| format!("{home}/.ssh/authorized_keys"));
        let content = path.and_then(|path| machine.files.content(path.as_bytes()));
        let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Begins a program of the guest, or one that replaces the one of this name.
    ///
    /// It is there once it says how it ends.
    ///
    /// A name without a slash is found in any folder. Programs that the test has not given do not
    /// exist, but for `true`, `false`, `echo`, `cat`, `env`, `printf`, `pwd`, `sleep`, and an `sh`
    /// that takes a list of these and of `exec`, `exit`, `kill`, `mkdir` and `rm`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use qga_testserver::Script;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (agent, _stream) = qga_testserver::TestAgent::in_memory();
    /// agent.program("uname").stdout("Linux\n").after(Duration::from_secs(1)).exit(0);
    /// agent.program("rev").runs(|call| {
    ///     let reversed: Vec<u8> = call.stdin.iter().rev().copied().collect();
    ///     Script::new().stdout(reversed)
    /// });
    /// # }
    /// ```
    pub fn program(&self, name: &str) -> Program<'_> {
        Program::new(&self.state.machine, name)
    }

    /// The ids of the processes that run, oldest first.
    #[must_use]
    pub fn running(&self) -> Vec<i64> {
        lock(&self.state.machine).processes.running()
    }

    /// The handles of the files that clients have open, oldest first.
    #[must_use]
    pub fn open_handles(&self) -> Vec<i64> {
        lock(&self.state.machine).files.open_handles()
    }

    /// Ends a process by a signal, with what it has printed so far; false if it does not run.
    #[allow(clippy::must_use_candidate, reason = "the process ends at once")]
    pub fn kill(&self, pid: i64, signal: i64) -> bool {
        lock(&self.state.machine).processes.kill(pid, signal)
    }

    /// Wakes the guest from a suspension or a halt, or switches it on after a shutdown.
    ///
    /// It then answers what has been sent meanwhile. After a suspension everything is as before;
    /// a guest that was switched off has started again.
    pub fn wake(&self) {
        if self.state.power.now() == Power::Off {
            lock(&self.state.machine).reboot();
        }
        self.state.power.set(Power::On);
    }

    /// Puts a file into the guest, with the folders above it; an older one is replaced.
    pub fn file(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.state.machine)
            .files
            .put(path.as_bytes(), content.into());
    }

    /// Puts an empty folder into the guest, with the folders above it.
    ///
    /// A folder right below `/tmp` needs none of this: it is there as soon as a path leads
    /// through it.
    pub fn folder(&self, path: &str) {
        self.special(path, Special::Folder);
    }

    /// Puts a pipe into the guest that nobody else has open.
    pub fn fifo(&self, path: &str) {
        self.special(path, Special::Fifo);
    }

    /// Puts a socket into the guest, which cannot be opened.
    pub fn socket_file(&self, path: &str) {
        self.special(path, Special::Socket);
    }

    /// Puts a symbolic link into the guest.
    pub fn symlink(&self, path: &str, target: &str) {
        self.special(path, Special::Link(target.into()));
    }

    fn special(&self, path: &str, special: Special) {
        let mut machine = lock(&self.state.machine);
        machine.files.put_special(path.as_bytes(), special);
    }

    /// What a file of the guest holds, without what a client has written and not flushed.
    #[must_use]
    pub fn file_content(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.state.machine).files.content(path.as_bytes())
    }
}
