#[cfg(unix)]
use std::ffi::OsString;
#[cfg(unix)]
use std::path::PathBuf;

use super::TestAgent;
use crate::guest::files::Special;
#[cfg(unix)]
use crate::guest::files::host::HostFiles;
use crate::guest::power::Power;
#[cfg(unix)]
use crate::guest::processes::host::HostProcesses;
use crate::lock::lock;
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
    /// that takes a list of these and of `exec`, `exit`, `kill`, `mkdir` and `rm`. That `sh` also does
    /// what the scripts of `qga-commands` are to do, so copies, folders and programs whose output is streamed
    /// work without more. For a real shell there is [`host_shell`](TestAgent::host_shell).
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

    /// Gives the guest the host's own shell and programs, and a fresh folder of the host as its root, of which
    /// this is the path. The folder is removed with the agent, and what still runs then is killed.
    ///
    /// **What a client starts then runs on this machine, as you.** It is for tests of what a real shell does, such as
    /// of scripts of your own; copies and the like need none of this, since the agent does them by itself.
    ///
    /// - The files of the guest are those below the folder: `/srv/x` is `FOLDER/srv/x`, for a client as well as for
    ///   [`file`](TestAgent::file) and [`file_content`](TestAgent::file_content). Those that the guest had before are
    ///   not there.
    /// - A program that the test has [given](TestAgent::program) comes first. Any other is the host's. It runs in the
    ///   folder, and its arguments that begin with a slash become paths below it, unless they are programs of the
    ///   host in `/bin`, `/sbin`, `/usr/bin` or `/usr/sbin`. What stands within an argument stays as it is, so the text
    ///   of a script should take its paths as arguments.
    /// - Programs take real time, also where tokio's is paused.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let (agent, _stream) = qga_testserver::TestAgent::in_memory();
    /// let folder = agent.host_shell();
    /// agent.file("/etc/motd", "welcome\n");
    /// assert_eq!(std::fs::read(folder.join("etc/motd")).unwrap(), b"welcome\n");
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When the folder cannot be made.
    #[cfg(unix)]
    #[allow(clippy::must_use_candidate, reason = "the shell is there at once")]
    pub fn host_shell(&self) -> PathBuf {
        self.host_programs(None)
    }

    /// As [`host_shell`](TestAgent::host_shell), with programs looked for in this `PATH` instead of this process's,
    /// such as a folder of busybox's links.
    ///
    /// # Panics
    ///
    /// When the folder cannot be made.
    #[cfg(unix)]
    #[allow(clippy::must_use_candidate, reason = "the shell is there at once")]
    pub fn host_shell_with_path(&self, path: impl Into<OsString>) -> PathBuf {
        self.host_programs(Some(path.into()))
    }

    #[cfg(unix)]
    #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
    fn host_programs(&self, path: Option<OsString>) -> PathBuf {
        let files = HostFiles::new()
            .unwrap_or_else(|error| panic!("cannot make a folder for the guest: {error}"));
        let root = files.root().to_owned();
        let mut machine = lock(&self.state.machine);
        machine.files.host = Some(files);
        machine.processes.host = Some(HostProcesses::new(path));
        root
    }

    /// The ids of the processes that run, oldest first.
    #[must_use]
    pub fn running_processes(&self) -> Vec<i64> {
        lock(&self.state.machine).processes.running()
    }

    /// The handles of the files that clients have open, oldest first.
    #[must_use]
    pub fn open_handles(&self) -> Vec<i64> {
        lock(&self.state.machine).files.open_handles()
    }

    /// Ends a process by a signal, with what it has printed so far; false if it does not run.
    #[allow(clippy::must_use_candidate, reason = "the process ends at once")]
    pub fn kill_process(&self, pid: i64, signal: i64) -> bool {
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
