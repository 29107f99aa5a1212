use std::fmt;
use std::panic::Location;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::io::DuplexStream;

use super::shared::{PanicAction, Pause};
use super::{DiskSnapshot, Monitor};
use crate::guest::power::Power;
use crate::lock::lock;
use crate::stub::On;
use crate::{FaultPlan, Profile, Request, TestAgent};

/// A fake machine: an agent as in [`TestAgent`], and the monitor (QMP) of the QEMU that runs its guest, each on a socket of
/// its own.
///
/// Both go together. When the guest shuts down, reboots or is suspended, the monitor tells it as QEMU does, and what is
/// done by the monitor happens to the guest. The test may let the machine [panic](Self::panic), let the host's
/// [disk be full](Self::fill_disk), or [kill](Self::kill) QEMU.
///
/// As a real one, the monitor serves one client at a time: a second one connects and hears nothing until the first has
/// left.
///
/// ```
/// use qga_testserver::TestMachine;
/// use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
/// use tokio::net::UnixStream;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let machine = TestMachine::start().await;
/// let mut monitor = BufReader::new(UnixStream::connect(machine.monitor_path()).await?);
/// monitor.write_all(b"{\"execute\": \"qmp_capabilities\"}").await?;
/// machine.wait_for("qmp_capabilities", 1).await;
/// machine.agent().pause();
///
/// let mut lines = monitor.lines();
/// let greeting = lines.next_line().await?.unwrap();
/// assert!(greeting.starts_with("{\"QMP\": "), "{greeting}");
/// assert_eq!(lines.next_line().await?.unwrap(), "{\"return\": {}}");
/// let event = lines.next_line().await?.unwrap();
/// assert!(event.ends_with("\"event\": \"STOP\"}"), "{event}");
/// # Ok(())
/// # }
/// ```
pub struct TestMachine {
    monitor: Monitor,
    agent: TestAgent,
}

/// How many bytes an in-memory stream holds in each direction before the writer must wait.
const STREAM_CAPACITY: usize = 64 << 10;

/// The machine as it is started.
impl TestMachine {
    /// Starts a machine that runs, whose agent and whose monitor listen on sockets of their own in temporary folders.
    ///
    /// # Panics
    ///
    /// When a socket cannot be made, and outside a tokio runtime with I/O enabled.
    pub async fn start() -> Self {
        Self::with_agent(TestAgent::start().await)
    }

    /// Lets this agent's machine have a monitor.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, and outside a tokio runtime with I/O enabled.
    #[must_use]
    pub fn with_agent(agent: TestAgent) -> Self {
        match Monitor::open(&agent) {
            Ok(monitor) => Self { monitor, agent },
            #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
            Err(error) => panic!("cannot open a socket for the monitor: {error}"),
        }
    }

    /// The guest's agent.
    #[must_use]
    pub fn agent(&self) -> &TestAgent {
        &self.agent
    }

    /// The address of the monitor: `unix:` and the path of its socket.
    #[must_use]
    pub fn monitor_address(&self) -> String {
        self.monitor.address()
    }

    /// Connects another client to the monitor in memory. It waits for its turn like any other client.
    #[must_use]
    pub fn connect_monitor(&self) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(STREAM_CAPACITY);
        let shared = &self.monitor.shared;
        if shared.ended.borrow().is_none() {
            // Who listens is there for as long as we are.
            drop(shared.clients.send(theirs));
        }
        ours
    }

    /// The path of the monitor's socket. QEMU removes the socket when it ends, unless it is killed.
    #[must_use]
    pub fn monitor_path(&self) -> &Path {
        // It was opened on one.
        self.monitor.socket().path().unwrap_or(Path::new(""))
    }

    /// Sets which version of QEMU the monitor behaves like. It says nothing of the version of the agent.
    pub fn version(&self, version: Profile) {
        lock(&self.monitor.shared.settings).version = version;
    }

    /// Lets the monitor write its objects over several lines, as `-mon pretty=on` does.
    pub fn pretty(&self) {
        lock(&self.monitor.shared.settings).is_pretty = true;
    }

    /// Gives the machine a name, as `-name` does.
    pub fn name(&self, name: &str) {
        lock(&self.monitor.shared.settings).name = Some(name.to_owned());
    }

    /// Gives the machine a UUID, as `-uuid` does. Without one it is all zeros.
    pub fn uuid(&self, uuid: &str) {
        uuid.clone_into(&mut lock(&self.monitor.shared.settings).uuid);
    }

    /// Gives the port of the agent this id instead of `ga0`.
    pub fn port_id(&self, id: &str) {
        lock(&self.monitor.shared.settings).port_id = Some(id.to_owned());
    }

    /// Takes its id from the port of the agent: then the monitor tells nothing of it by events, as with most command lines.
    pub fn port_without_id(&self) {
        lock(&self.monitor.shared.settings).port_id = None;
    }

    /// Lets QEMU end when the guest reboots, as `-no-reboot` does.
    pub fn no_reboot(&self) {
        let power = self.monitor.shared.power();
        power.edit_actions(|actions| actions.reboot_is_shutdown = true);
    }

    /// Lets QEMU stay when the guest shuts down or panics, as `-no-shutdown` does.
    pub fn no_shutdown(&self) {
        let shared = &self.monitor.shared;
        lock(&shared.settings).panic = PanicAction::Pause;
        shared
            .power()
            .edit_actions(|actions| actions.shutdown_is_pause = true);
    }

    /// Lets the guest do nothing when its power button is pressed. Otherwise it shuts down then.
    pub fn ignore_power_button(&self) {
        lock(&self.monitor.shared.settings).obeys_button = false;
    }

    /// Lets the machine wait for `cont` before it boots, as `-S` does.
    pub fn wait_for_cont(&self) {
        let shared = &self.monitor.shared;
        lock(&shared.settings).pause = Pause::Prelaunch;
        shared.power().hold();
    }

    /// Adds a disk, as `-drive id=DEVICE,file=FILE` does. There is one from the start: `drive0`, `/vm/disk.qcow2`.
    ///
    /// No file of this host is made, read or written.
    pub fn disk(&self, device: &str, file: &str) {
        lock(&self.monitor.shared.blocks).add_disk(device, file);
    }

    /// Adds a disk, as `-blockdev node-name=NODE` does: it has no device's name.
    pub fn blockdev(&self, node: &str, file: &str) {
        lock(&self.monitor.shared.blocks).add_node(node, file);
    }

    /// Lets no file be made in this folder, since it is not there.
    pub fn missing_folder(&self, folder: &str) {
        let folder = folder.trim_end_matches('/').to_owned();
        lock(&self.monitor.shared.blocks)
            .missing_folders
            .push(folder);
    }

    /// How long jobs take, such as a backup, in tokio's time. Unless this is set they take none.
    pub fn job_time(&self, time: Duration) {
        lock(&self.monitor.shared.blocks).job_time = time;
    }

    /// Lets the next job fail with this error.
    pub fn fail_job(&self, error: &str) {
        lock(&self.monitor.shared.blocks).next_failure = Some(error.to_owned());
    }
}

/// What happens to the machine.
impl TestMachine {
    /// Lets the guest's kernel panic, and tell it by a pvpanic device. What QEMU does then is up to
    /// `set-action`: unless told otherwise, it ends.
    pub fn panic(&self) {
        self.monitor.panic();
    }

    /// Lets the guest's kernel panic without a pvpanic device: the monitor tells nothing, and the agent does not answer any
    /// more.
    pub fn panic_untold(&self) {
        self.monitor.shared.power().turn(Power::On, Power::Halted);
    }

    /// Lets the host's disk be full: the machine stands still with the guest's next write, which is now, and again after a
    /// `cont`.
    pub fn fill_disk(&self) {
        self.monitor.fill_disk();
    }

    /// Makes room on the host's disk again. The machine stands still until it is let run.
    pub fn free_disk(&self) {
        self.monitor.free_disk();
    }

    /// Lets the guest close or open the port of its agent, as when the agent ends or starts. A closed port's agent does not
    /// answer.
    pub fn set_port_open(&self, is_open: bool) {
        self.monitor.shared.power().set_port(is_open);
    }

    /// Ends QEMU by `SIGTERM`.
    pub fn terminate(&self) {
        self.monitor.terminate();
    }

    /// Ends QEMU by `SIGKILL`: its monitor tells nothing, and the socket stays, where nobody listens.
    pub async fn kill(&self) {
        self.monitor.kill().await;
    }

    /// Starts a QEMU that has ended again, on the same sockets. The guest boots.
    ///
    /// # Panics
    ///
    /// When the socket cannot be made, and outside a tokio runtime with I/O enabled.
    pub async fn power_on(&self) {
        #[allow(clippy::panic, reason = "the test cannot go on, and says why")]
        if let Err(error) = self.monitor.start_again().await {
            panic!("cannot open a socket for the monitor: {error}");
        }
    }
}

/// What the monitor's clients do, and what goes wrong for them.
impl TestMachine {
    /// The snapshots that were taken, the oldest first. What a transaction undid is not among them.
    #[must_use]
    pub fn snapshots(&self) -> Vec<DiskSnapshot> {
        lock(&self.monitor.shared.blocks).snapshots.clone()
    }

    /// How many clients have connected to the monitor.
    #[must_use]
    pub fn connections(&self) -> usize {
        *self.monitor.shared.connections.borrow()
    }

    /// Begins a stub: what the monitor does with requests for this command, whether it knows it or not. This is for the
    /// monitor what [`TestAgent::on`] is for the agent.
    #[track_caller]
    pub fn on(&self, command: &str) -> On<'_> {
        let place = Location::caller();
        let label = format!("{place}: {command}");
        On::new(&self.monitor.shared.stubs, command, label)
    }

    /// Spoils replies of the monitor, as [`TestAgent::fault`] does for the agent.
    ///
    /// Faults of the agent's own protocol (`no_sentinel`, `restart`) do nothing here.
    pub fn fault(&self, fault: impl Into<FaultPlan>) {
        self.monitor.shared.faults.add(fault.into());
    }

    /// Sends an event to the monitor's client, if one has negotiated.
    ///
    /// ```
    /// # use serde_json::json;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # let machine = qga_testserver::TestMachine::start().await;
    /// machine.event("RTC_CHANGE", json!({"offset": 1}));
    /// # }
    /// ```
    pub fn event(&self, name: &str, data: impl Into<Value>) {
        self.monitor.shared.emit(name, data.into());
    }

    /// Sends bytes to the monitor's client, if one has negotiated. They may be nonsense.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.monitor.shared.send(bytes.as_ref());
    }

    /// Cuts the monitor's client off, whatever it has not read yet.
    pub fn cut_off(&self) {
        let cut_off = &self.monitor.shared.cut_off;
        cut_off.send_modify(|count| *count += 1);
    }

    /// Stops QEMU, as `SIGSTOP` does, or lets it go on: its monitor reads and writes nothing meanwhile, and a client that
    /// connects hears nothing.
    pub fn set_hung(&self, is_hung: bool) {
        self.monitor.shared.is_hung.send_replace(is_hung);
    }

    /// Returns all requests to the monitor, the oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.monitor.shared.arrivals.requests(|_| true)
    }

    /// Returns all requests to the monitor for one command, the oldest first.
    #[must_use]
    pub fn requests_of(&self, command: &str) -> Vec<Request> {
        self.monitor.shared.arrivals.requests_of(command)
    }

    /// Waits until `count` requests to the monitor for this command have arrived, and returns all of them.
    ///
    /// # Panics
    ///
    /// When they have not arrived after an hour of tokio's time, and outside a tokio runtime with time enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    #[track_caller]
    pub fn wait_for(&self, command: &str, count: usize) -> impl Future<Output = Vec<Request>> {
        let place = Location::caller();
        let arrivals = &self.monitor.shared.arrivals;
        arrivals.wait_for(place, command, count, |story| self.tell(story))
    }

    /// Checks that each stub of the monitor was used as often as [expected](crate::On::expect), and that no closure of the
    /// test has panicked. Dropping the machine does the same.
    ///
    /// # Panics
    ///
    /// When one of these is not so.
    #[allow(clippy::panic, reason = "that is how a test fails")]
    #[track_caller]
    pub fn verify(&self) {
        if let Some(failure) = self.failure() {
            panic!("{failure}");
        }
    }

    fn failure(&self) -> Option<String> {
        let shared = &self.monitor.shared;
        let mut unmet = shared.complaints.all();
        unmet.extend(shared.stubs.unmet());
        if unmet.is_empty() {
            return None;
        }
        unmet.push(shared.arrivals.summary());
        Some(unmet.join("\n"))
    }

    #[allow(
        clippy::print_stderr,
        reason = "it belongs to the message of the test that fails"
    )]
    fn tell(&self, story: &str) {
        eprintln!("the monitor at {}: {story}", self.monitor.address());
    }
}

impl fmt::Debug for TestMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestMachine")
            .field("monitor", &self.monitor.address())
            .field("status", &self.monitor.shared.status())
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

impl Drop for TestMachine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let arrived = || self.monitor.shared.arrivals.summary();
            self.tell(&self.failure().unwrap_or_else(arrived));
        } else {
            self.verify();
        }
    }
}
