//! The methods of the agent for the guest behind it.

#[cfg(unix)]
use std::ffi::OsString;
#[cfg(unix)]
use std::path::PathBuf;

use super::TestAgent;
use tokio::sync::watch;

use crate::guest::files::Special;
#[cfg(unix)]
use crate::guest::files::host::HostFiles;
use crate::guest::power::{Cause, HostView, Power};
#[cfg(unix)]
use crate::guest::processes::host::HostProcesses;
use crate::lock::lock;
use crate::{Guest, Program};

/// The guest behind the agent.
impl TestAgent {
    /// Returns the facts of the guest as they are now.
    #[must_use]
    pub fn guest(&self) -> Guest {
        lock(&self.state.machine).facts().clone()
    }

    /// Changes the facts of the guest.
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

    /// Returns the SSH keys of a user in the order of the file, or none if there is no such user or file.
    #[must_use]
    pub fn authorized_keys(&self, user: &str) -> Vec<String> {
        let machine = lock(&self.state.machine);
        let home = machine.facts().account(user).map(|account| &account.home);
        let path = home.map(|home| format!("{home}/.ssh/authorized_keys"));
        let content = path.and_then(|path| machine.files.content(path.as_bytes()));
        let text = String::from_utf8_lossy(content.as_deref().unwrap_or_default()).into_owned();
        text.lines().map(str::to_owned).collect()
    }

    /// Begins a program that `guest-exec` can run. It replaces an older one of the same name.
    ///
    /// The program takes effect with the last call on it, which says how it ends.
    ///
    /// A program whose name has no slash is found in any folder. Apart from the programs of the test,
    /// the guest has `true`, `false`, `echo`, `cat`, `env`, `printf`, `pwd`, `sleep`, and an `sh` that
    /// takes a list of these and of `exec`, `exit`, `kill`, `mkdir` and `rm`. That `sh` also knows the
    /// scripts of `qga-commands`, so copies, folders and programs whose output is streamed need no
    /// set-up. If you need a real shell, see [`host_shell`](TestAgent::host_shell).
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

    /// Lets the guest use the shell and the programs of this host, makes a new folder of the host the
    /// guest's root, and returns the path of that folder.
    ///
    /// When the agent is dropped, the folder is removed and programs that still run are killed.
    ///
    /// **Whatever a client starts from then on runs on this machine, as you.** Use this to test what a
    /// real shell does, for example with scripts of your own. Copies and the like do not need it, since
    /// the agent does them by itself.
    ///
    /// - The guest's files are those in the folder: `/srv/x` is `FOLDER/srv/x`, for a client as well as
    ///   for [`file`](TestAgent::file) and [`file_content`](TestAgent::file_content). The files that the
    ///   guest had before are not there.
    /// - A program that the test has [given](TestAgent::program) to the guest comes first; any other is
    ///   the host's. It runs in the folder. If an argument begins with a slash, it becomes a path below
    ///   the folder, unless it is a program of the host in `/bin`, `/sbin`, `/usr/bin` or `/usr/sbin`. A
    ///   path in the middle of an argument stays as it is, so let a script take its paths as arguments.
    /// - Programs take real time, also while tokio's time is paused.
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

    /// Does the same as [`host_shell`](TestAgent::host_shell), but looks for programs in this `PATH`
    /// instead of that of this process, for example in a folder with the links of busybox.
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

    /// Returns the ids of the guest's processes that are running, the oldest first.
    #[must_use]
    pub fn running_processes(&self) -> Vec<i64> {
        lock(&self.state.machine).processes.running()
    }

    /// Returns the handles of the files that clients have open, the oldest first.
    #[must_use]
    pub fn open_handles(&self) -> Vec<i64> {
        lock(&self.state.machine).files.open_handles()
    }

    /// Ends a process of the guest by a signal. What it has printed so far remains.
    ///
    /// Returns false if no such process is running.
    #[allow(clippy::must_use_candidate, reason = "the process ends at once")]
    pub fn kill_process(&self, pid: i64, signal: i64) -> bool {
        lock(&self.state.machine).processes.kill(pid, signal)
    }

    /// Kills the agent and starts it again at once, as an update does. The channel stays open; open files
    /// and processes are forgotten, and the numbers of handles go on.
    ///
    /// A reply that is under way stops where it is, and the next one follows on the same line. Requests that the
    /// agent had read are lost, and half of one too. It has not read what was sent while it was
    /// [paused](Self::pause).
    pub fn restart(&self) {
        self.state.restart_agent();
    }

    /// Stops the machine's processors, as a host does, until [`resume`](Self::resume). The channel stays open:
    /// nothing is read from it, and a reply that is under way does not go on.
    ///
    /// For an agent that is dead for a while, pause the machine, [restart](Self::restart) the agent, and resume the
    /// machine later. A machine that does not run is left as it is, and one that is reset runs again.
    pub fn pause(&self) {
        self.state.power.stand_still(Power::Paused);
    }

    /// Lets a machine run on that is [paused](Self::pause) or stands still otherwise.
    pub fn resume(&self) {
        self.state.power.run_on();
    }

    /// Resets the machine, and is through with it at once. The channel stays
    /// open. Beside what a [restart](Self::restart) forgets, the numbers of handles and processes begin
    /// anew, `/proc/sys/kernel/random/boot_id` is another, and nothing is frozen any more.
    pub fn reboot(&self) {
        self.state.reboot();
        if self.state.power.reset(Cause::REBOOT).is_some() {
            self.state.power.set(Power::On);
        }
    }

    /// Watches what the guest's host sees of its machine, as the events of libvirt or of QEMU's monitor tell it.
    ///
    /// ```
    /// use qga_core::{Client, MachineState, Power};
    /// use qga_testserver::{HostView, TestAgent};
    /// use tokio::sync::watch;
    ///
    /// /// Tells a client what the host sees.
    /// fn machine_of(agent: &TestAgent) -> watch::Receiver<MachineState> {
    ///     let mut views = agent.machine();
    ///     let (events, machine) = watch::channel(MachineState::new());
    ///     tokio::spawn(async move {
    ///         while views.changed().await.is_ok() {
    ///             let view: HostView = *views.borrow_and_update();
    ///             events.send_modify(|state| {
    ///                 state.port_is_open = Some(view.port_is_open);
    ///                 state.resets = view.resets;
    ///                 state.power = match view.power {
    ///                     qga_testserver::Power::On => Power::Running,
    ///                     qga_testserver::Power::Halted => Power::Running,
    ///                     qga_testserver::Power::Suspended => Power::Suspended,
    ///                     qga_testserver::Power::Paused => Power::Paused,
    ///                     qga_testserver::Power::Panicked => Power::Panicked,
    ///                     _ => Power::Off,
    ///                 };
    ///             });
    ///         }
    ///     });
    ///     machine
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let (agent, stream) = TestAgent::in_memory();
    /// let client = Client::builder().machine(&machine_of(&agent)).build(stream);
    /// agent.reboot();
    /// let mut machine = client.machine().unwrap();
    /// machine.wait_for(|state| state.resets == 1).await.unwrap();
    /// # }
    /// ```
    #[must_use]
    pub fn machine(&self) -> watch::Receiver<HostView> {
        self.state.power.watch()
    }

    /// Wakes the guest from a suspension, resets it after a halt, or switches it on after a shutdown.
    ///
    /// The agent then answers what was sent in the meantime. After a suspension everything is as before, also if the
    /// memory was saved to the disk; after a halt and a shutdown the guest has booted again. A machine that runs or is
    /// [paused](Self::pause) is left as it is.
    pub fn wake(&self) {
        match self.state.power.now() {
            Power::Halted => return self.reboot(),
            Power::Off => self.state.begin_anew(),
            Power::Suspended => {}
            Power::On | Power::Paused | Power::Panicked | Power::Stalled => return,
        }
        self.state.power.set(Power::On);
    }

    /// Puts a file into the guest, and the folders above it. It replaces an older file.
    pub fn file(&self, path: &str, content: impl Into<Vec<u8>>) {
        lock(&self.state.machine)
            .files
            .put(path.as_bytes(), content.into());
    }

    /// Puts an empty folder into the guest, and the folders above it.
    ///
    /// Folders directly below `/tmp` do not need this: they exist as soon as a path leads through them.
    pub fn folder(&self, path: &str) {
        self.special(path, Special::Folder);
    }

    /// Puts a named pipe into the guest, which no other program has open.
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

    /// Returns what a file of the guest contains, without what a client has written and not yet flushed.
    #[must_use]
    pub fn file_content(&self, path: &str) -> Option<Vec<u8>> {
        lock(&self.state.machine).files.content(path.as_bytes())
    }
}
