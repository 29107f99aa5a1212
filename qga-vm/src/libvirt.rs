//! A libvirt daemon of the tests' own.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

mod domain;

pub use domain::{Domain, DomainBuilder};

/// A host on which a libvirt daemon runs, with the domains that tests define there.
///
/// It has mounts and processes of its own: what the daemon keeps on a disk is in memory here, neither a libvirt of the
/// system nor its domains are seen or touched, and everything in it ends when this is dropped, and also when the whole
/// test is killed.
#[derive(Debug)]
pub struct LibvirtHost {
    /// `unshare`, whose only child is the first process of the host.
    process: Child,
}

/// The first process of the host, which ends with its standard input, and all others with it. Until then it collects
/// what becomes of QEMU: libvirt waits for the number of a process to be free.
///
/// `/run/lock` is for byte channels. Libvirt's other drivers are left out, since they look at the devices and the
/// networks of the system. The files of another libvirt can be laid over those of the system. Debian's build of the driver
/// does not start without the user and the group `libvirt-qemu`, which only a package makes that also starts a daemon of
/// the system; where they are missing they exist on this host alone.
const FIRST: &str = r#"set -e
if [ -n "$1" ]; then mount -t overlay -o "lowerdir=$1/usr:/usr" overlay /usr; fi
for folder in /run /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
mkdir -p /run/lock /run/drivers /run/shells
ln -s /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so /run/drivers/
for names in passwd:x:64055:64055::/nonexistent:/bin/false group:x:64055:; do
    file=/etc/${names%%:*}
    if ! grep -q '^libvirt-qemu:' "$file"; then
        { cat "$file"; echo "libvirt-qemu:${names#*:}"; } >"/run/${names%%:*}"
        mount --bind "/run/${names%%:*}" "$file"
    fi
done
cat >/etc/libvirt/libvirtd.conf <<end
auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
max_clients = 500
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
end
cat >/etc/libvirt/qemu.conf <<end
security_driver = "none"
stdio_handler = "file"
lock_manager = "nop"
cgroup_controllers = [ ]
namespaces = [ ]
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
end
exec 3<&0
cat <&3 >/dev/null &
echo begun
exec >/dev/null
wait
"#;

/// The programs without which there is none.
const PROGRAMS: [&str; 6] = ["libvirtd", "virsh", "unshare", "nsenter", "ssh", "sshd"];

impl LibvirtHost {
    /// Returns what this host lacks to run a libvirt daemon beside [real machines](crate::missing).
    #[must_use]
    pub fn missing() -> Vec<&'static str> {
        PROGRAMS
            .into_iter()
            .filter(|name| crate::program(name).is_none())
            .collect()
    }

    /// Makes the host and starts the daemon, which is ready. `QGA_LIBVIRT` may name a folder with the files of another
    /// libvirt, as its packages have them.
    ///
    /// # Errors
    ///
    /// When this user may not make it, or the daemon cannot be started.
    pub async fn start() -> Result<Self> {
        let mut process = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", FIRST, "sh"])
            .arg(std::env::var_os("QGA_LIBVIRT").unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run unshare")?;
        let stdout = process.stdout.take();
        let host = Self { process };
        let begun = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            if let Some(stdout) = stdout {
                BufReader::new(stdout).read_line(&mut line)?;
            }
            std::io::Result::Ok(line)
        });
        ensure!(
            begun.await?? == "begun\n",
            "the host of the daemon cannot be made"
        );
        host.start_daemon().await?;
        Ok(host)
    }

    /// Returns where a file of the host is, seen from outside.
    #[must_use]
    pub fn path(&self, inside: &str) -> PathBuf {
        format!("/proc/{}/root{inside}", self.process.id()).into()
    }

    /// Returns the path of the daemon's socket, seen from outside.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.path("/run/libvirt/libvirt-sock")
    }

    /// Returns the address of a domain's agent.
    #[must_use]
    pub fn address(&self, domain: &str) -> String {
        format!(
            "libvirt:///system/{domain}?socket={}",
            self.socket().display()
        )
    }

    /// Returns a command that runs on the host. There, `qemu:///system` is this daemon.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let process = format!("/proc/{}/ns", self.process.id());
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount={process}/mnt"))
            .arg(format!("--pid={process}/pid_for_children"))
            .args([OsStr::new("--"), program.as_ref()])
            .env("LIBVIRT_DRIVER_DIR", "/run/drivers")
            .env("LIBVIRT_DEFAULT_URI", "qemu:///system")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command on the host, which must succeed, and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn run(&self, words: &[&str]) -> Result<String> {
        let (program, arguments) = words.split_first().context("no command")?;
        let mut command = self.command(program);
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{words:?}: {said}");
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs `virsh` with these words, which must succeed, and returns what it printed.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn virsh(&self, words: &[&str]) -> Result<String> {
        self.run(&[&["virsh", "--quiet"], words].concat()).await
    }

    /// Starts the daemon, which finds the domains that it had before.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub async fn start_daemon(&self) -> Result<()> {
        self.run(&["libvirtd", "--daemon", "--pid-file", "/run/libvirtd.pid"])
            .await
            .with_context(|| self.log())
            .map(drop)
    }

    /// Sends a signal to the daemon, such as `KILL`, and waits for its end. Its domains run on.
    ///
    /// # Errors
    ///
    /// When there is no daemon.
    pub async fn stop_daemon(&self, signal: &str) -> Result<()> {
        let script = r#"pid=$(cat /run/libvirtd.pid) && kill -s "$0" $pid && while [ -d /proc/$pid ]; do sleep 0.02; done"#;
        self.run(&["sh", "-c", script, signal]).await.map(drop)
    }

    /// Returns the name and the version of the daemon, such as `libvirt 9.0.0`.
    ///
    /// # Errors
    ///
    /// When it cannot be asked.
    pub async fn version(&self) -> Result<String> {
        let told = self.virsh(&["version", "--daemon"]).await?;
        let line = told.lines().find_map(|line| {
            let (_, version) = line.split_once("Running against daemon: ")?;
            Some(format!("libvirt {}", version.trim()))
        });
        line.with_context(|| format!("virsh does not say it: {told}"))
    }

    /// Returns what the daemon has to complain about.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("/var/log/libvirt/libvirtd.log")).unwrap_or_default()
    }

    /// Describes a domain with the busybox guest. The name is to be its own on this host.
    #[must_use]
    pub fn domain(self: &std::sync::Arc<Self>, name: &str) -> DomainBuilder {
        DomainBuilder::new(self.clone(), name)
    }
}

impl Drop for LibvirtHost {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It may have ended by itself; then there is nothing to do.
        drop(self.process.wait());
    }
}

/// Until a domain is looked at again that is not ready.
const PAUSE: Duration = Duration::from_millis(100);
