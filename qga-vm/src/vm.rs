//! A machine that runs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::builder::VmBuilder;
use crate::disk::DiskSnapshot;
use crate::image::Image;
use crate::monitor::Monitor;

use crate::shell::Shell;

/// A machine. It ends when this is dropped.
#[derive(Debug)]
pub struct Vm {
    image: Image,
    address: String,
    monitor: Monitor,
    shell: Shell,
    process: Process,
    folder: TempDir,
}

/// Until an agent that starts is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// QEMU, below a shell that kills it when its standard input ends. That happens when this is dropped, and also when
/// the whole test is killed.
#[derive(Debug)]
struct Process(Child);

const WATCH: &str = r#"exec 3<&0
trap '' XFSZ # A file that may not grow is an error then, as where a quota is used up.
"$@" </dev/null 3<&- &
qemu=$!
(read -r _ <&3; kill -9 $qemu) &
watch=$!
wait $qemu
kill $watch # Or it would kill whoever gets this number next.
"#;

impl VmBuilder {
    /// Switches the machine on. It returns as soon as QEMU runs, long before there is an agent.
    ///
    /// # Errors
    ///
    /// When the guest cannot be built, or QEMU cannot be started.
    pub async fn boot(self) -> Result<Vm> {
        let image = self.image;
        let folder = tokio::task::spawn_blocking(move || image.folder()).await??;
        Vm::launch(&self, &folder, false).await
    }
}

impl Vm {
    /// Describes a machine with this guest.
    #[must_use]
    pub fn of(image: Image) -> VmBuilder {
        VmBuilder::new(image)
    }

    /// Returns what it runs.
    #[must_use]
    pub fn image(&self) -> Image {
        self.image
    }

    /// Returns the address of its agent, such as `unix:/tmp/.tmpzzKV4H/agent.sock`.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Returns the path of its agent's socket, where the channel has one.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("agent.sock")
    }

    /// Returns its monitor.
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Returns the path of the [second monitor](VmBuilder::second_monitor).
    #[must_use]
    pub fn second_monitor(&self) -> PathBuf {
        self.folder.path().join("second.sock")
    }

    /// Returns the folder of its disks and its sockets, which goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the name and the version of what emulates the machine, such as `QEMU 7.2.22`.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub async fn emulator(&self) -> Result<String> {
        let told = self.monitor.command("query-version", None).await?;
        let version = &told["qemu"];
        let number = |part| {
            version[part]
                .as_u64()
                .context("QEMU does not say its version")
        };
        Ok(format!(
            "QEMU {}.{}.{}",
            number("major")?,
            number("minor")?,
            number("micro")?
        ))
    }

    /// Returns a shell in the guest that does not need its agent.
    #[must_use]
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// Returns what the guest has written to its console.
    #[must_use]
    pub fn console(&self) -> String {
        let path = self.folder.path().join("console");
        fs::read(path).map_or_else(
            |_| String::new(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        )
    }

    /// Returns the id of QEMU's process.
    ///
    /// # Errors
    ///
    /// When it has ended.
    pub fn qemu(&self) -> Result<u32> {
        self.process.qemu()
    }

    /// Kills QEMU, as a host does that runs out of memory. Its socket stays behind.
    ///
    /// # Errors
    ///
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// Waits until QEMU has ended by itself.
    ///
    /// # Errors
    ///
    /// When the host says nothing of the process.
    pub async fn ended(&mut self) -> Result<()> {
        while self.process.0.try_wait()?.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Keeps the disk as it is at this moment, without the guest noticing, and returns it.
    ///
    /// # Errors
    ///
    /// When QEMU refuses it, or the disk cannot be read.
    pub async fn snapshot_disk(&self, disk: &str) -> Result<DiskSnapshot> {
        let overlay = self.folder.path().join(format!("{disk}-after.qcow2"));
        let arguments = json!({ "device": disk, "snapshot-file": overlay, "format": "qcow2" });
        self.monitor
            .command("blockdev-snapshot-sync", Some(arguments))
            .await?;
        let disk = self.folder.path().join(disk).with_extension("qcow2");
        tokio::task::spawn_blocking(move || DiskSnapshot::of(&disk)).await?
    }

    /// Starts QEMU with the disks of `origin`, from the saved state there or from nothing.
    pub(crate) async fn launch(builder: &VmBuilder, origin: &Path, saved: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("vm").tempdir()?;
        let image = if saved {
            origin.parent().context("a state has no image")?
        } else {
            origin
        };
        for disk in builder.image.disks() {
            let name = format!("{disk}.qcow2");
            overlay(&origin.join(&name), &folder.path().join(&name))?;
        }
        let mut command = builder.command(image, folder.path());
        if saved {
            command
                .arg("-incoming")
                .arg(format!("exec:cat '{}'", origin.join("state").display()));
        }
        let said = folder.path().join("qemu.log");
        let mut process = Process::start(&command, &said)?;
        let connected = Monitor::connect(&folder.path().join("monitor.sock")).await;
        let Ok(monitor) = connected else {
            process.kill()?;
            bail!("QEMU does not start: {}", fs::read_to_string(&said)?);
        };
        let vm = Self {
            image: builder.image,
            address: address(&monitor).await?,
            monitor,
            shell: Shell::connect(&folder.path().join("shell.sock")).await?,
            process,
            folder,
        };
        if saved {
            vm.settle().await?;
        }
        Ok(vm)
    }

    /// Waits until its agent has answered.
    pub(crate) async fn wait_for_agent(&self) -> Result<()> {
        let address = self.address();
        let request = b"\xFF{\"execute\": \"guest-ping\"}\n";
        let is_answer = |line: &[u8]| line.starts_with(b"{\"return\"");
        if let Some(path) = address.strip_prefix("unix:") {
            let stream = UnixStream::connect(path).await?;
            ask(stream, request, is_answer).await
        } else {
            let address = address.trim_start_matches("tcp:");
            ask(TcpStream::connect(address).await?, request, is_answer).await
        }
    }

    /// Waits until the machine runs.
    pub(crate) async fn settle(&self) -> Result<()> {
        while self.monitor.command("query-status", None).await?["running"] != true {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Ends the machine and leaves its disks in this folder.
    pub(crate) fn take_disks(mut self, folder: &Path) -> Result<()> {
        self.kill()?;
        for disk in self.image.disks() {
            let name = format!("{disk}.qcow2");
            let kept = folder.join(&name);
            fs::copy(self.folder.path().join(&name), &kept)?;
        }
        Ok(())
    }
}

impl Process {
    fn start(qemu: &Command, said: &Path) -> Result<Self> {
        let child = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(qemu.get_program())
            .args(qemu.get_args())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(said)?)
            .spawn()
            .context("cannot run a shell")?;
        Ok(Self(child))
    }

    /// It is a child of the shell, beside the one that watches it.
    fn qemu(&self) -> Result<u32> {
        let shell = self.0.id();
        let children = fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))?;
        let is_qemu = |child: &&str| {
            let name = fs::read_to_string(format!("/proc/{child}/comm"));
            name.is_ok_and(|name| name.starts_with("qemu"))
        };
        let child = children.split_whitespace().find(is_qemu);
        Ok(child.context("QEMU has ended")?.parse()?)
    }

    fn kill(&mut self) -> Result<()> {
        drop(self.0.stdin.take());
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.kill());
    }
}

/// The agent's address, which QEMU knows: it has chosen the TCP port.
async fn address(monitor: &Monitor) -> Result<String> {
    let ports = monitor.command("query-chardev", None).await?;
    let agent = ports
        .as_array()
        .and_then(|ports| ports.iter().find(|port| port["label"] == "agent"))
        .context("QEMU has no channel to an agent")?;
    // Such as `disconnected:unix:/tmp/x,server=on`.
    let file = agent["filename"].as_str().unwrap_or_default();
    let address = file.trim_start_matches("disconnected:");
    let address = address.split(',').next().unwrap_or_default();
    ensure!(
        !address.is_empty(),
        "QEMU does not say where the agent is: {file}"
    );
    Ok(address.to_owned())
}

/// Sends the request again and again, since a serial line loses what comes early, until a line is its answer.
async fn ask<S>(stream: S, request: &[u8], is_answer: impl Fn(&[u8]) -> bool) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut is_answered = false;
    while !is_answered {
        stream.write_all(request).await?;
        // To the last answer: what is left would be in the saved state.
        while let Ok(read) = timeout(PATIENCE, stream.read_until(b'\n', &mut line)).await {
            ensure!(read? > 0, "the channel of the agent has ended");
            is_answered |= is_answer(&line);
            line.clear();
        }
    }
    Ok(())
}

/// A disk that begins as `base` is, and leaves it alone.
fn overlay(base: &Path, disk: &Path) -> Result<()> {
    let output = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b"])
        .arg(base)
        .arg(disk)
        .stdin(Stdio::null())
        .output()
        .context("cannot run qemu-img")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cannot make a disk: {said}");
    Ok(())
}
