//! A machine that libvirt runs.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, sleep, timeout};

use super::{LibvirtHost, PAUSE};
use crate::image::Image;
use crate::shell::Shell;

const BOOT_LIMIT: Duration = Duration::from_secs(180);

/// A domain with the busybox guest. It is destroyed and undefined when this is dropped.
///
/// It has the agent's port, a port of the name `org.qemu.guest_agent.1` at which nobody listens unless a test lets
/// somebody, and the port of the [`Shell`].
#[derive(Debug)]
pub struct Domain {
    host: Arc<LibvirtHost>,
    name: String,
    shell: Option<Shell>,
}

/// A domain that is to be defined.
#[derive(Clone, Debug)]
pub struct DomainBuilder {
    host: Arc<LibvirtHost>,
    name: String,
    has_channel: bool,
}

impl DomainBuilder {
    pub(super) fn new(host: Arc<LibvirtHost>, name: &str) -> Self {
        Self {
            host,
            name: name.to_owned(),
            has_channel: true,
        }
    }

    /// Leaves out the agent's port.
    #[must_use]
    pub fn without_channel(mut self) -> Self {
        self.has_channel = false;
        self
    }

    /// Defines the domain, which is off.
    ///
    /// # Errors
    ///
    /// When the guest cannot be built, or libvirt refuses it.
    pub async fn define(self) -> Result<Domain> {
        let folder = tokio::task::spawn_blocking(|| Image::Busybox.folder()).await??;
        let disk = format!("/var/lib/libvirt/{}.qcow2", self.name);
        let base = folder.join("data.qcow2").display().to_string();
        let kinds = ["-f", "qcow2", "-F", "qcow2", "-b"];
        let create = [&["qemu-img", "create", "-q"], &kinds[..], &[&base, &disk]].concat();
        self.host.run(&create).await?;
        let inside = format!("/run/{}.xml", self.name);
        fs::write(self.host.path(&inside), self.xml(&folder, &disk)?)?;
        self.host.virsh(&["define", &inside]).await?;
        Ok(Domain {
            host: self.host,
            name: self.name,
            shell: None,
        })
    }

    /// Defines the domain and starts it. Its agent is ready, unless it has no port.
    ///
    /// # Errors
    ///
    /// When the guest cannot be built, or libvirt refuses it, or it does not start.
    pub async fn start(self) -> Result<Domain> {
        let has_channel = self.has_channel;
        let mut domain = self.define().await?;
        domain.switch_on().await?;
        if has_channel {
            domain.wait_for_agent().await?;
        }
        Ok(domain)
    }

    fn xml(&self, image: &Path, disk: &str) -> Result<String> {
        let mut ports = String::new();
        let agent = self.has_channel.then_some("org.qemu.guest_agent.0");
        for name in agent.into_iter().chain(["org.qemu.guest_agent.1"]) {
            write!(
                ports,
                "<channel type='unix'><source mode='bind'/><target type='virtio' name='{name}'/></channel>"
            )?;
        }
        let image = image.display();
        let (name, memory) = (&self.name, Image::Busybox.usual_memory());
        let shell = shell(name);
        Ok(format!(
            "<domain type='qemu'>
<name>{name}</name><memory unit='MiB'>{memory}</memory><vcpu>1</vcpu>
<os>
<type arch='x86_64' machine='pc'>hvm</type><kernel>{image}/vmlinux</kernel><initrd>{image}/initrd</initrd>
<cmdline>console=ttyS0 quiet panic=1 mitigations=off nokaslr random.trust_cpu=1 tsc=reliable</cmdline>
</os>
<features><acpi/><apic/></features><cpu mode='custom' match='exact'><model fallback='allow'>qemu64</model></cpu>
<on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>destroy</on_crash>
<devices>
<emulator>/usr/bin/qemu-system-x86_64</emulator>
<disk type='file' device='disk'>
<driver name='qemu' type='qcow2' cache='unsafe' discard='unmap'/><source file='{disk}'/><target dev='vda' bus='virtio'/>
</disk>
<controller type='usb' model='none'/><memballoon model='none'/>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
<serial type='file'><source path='/var/log/libvirt/{name}.console'/><target port='0'/></serial>
{ports}
<channel type='unix'><source mode='bind' path='{shell}'/><target type='virtio' name='org.qga.shell'/></channel>
</devices>
</domain>"
        ))
    }
}

impl Domain {
    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the host that it is on.
    #[must_use]
    pub fn host(&self) -> &Arc<LibvirtHost> {
        &self.host
    }

    /// Returns the address of its agent.
    #[must_use]
    pub fn address(&self) -> String {
        self.host.address(&self.name)
    }

    /// Returns a shell in the guest that does not need its agent.
    ///
    /// # Errors
    ///
    /// When it was never switched on.
    pub fn shell(&self) -> Result<&Shell> {
        self.shell.as_ref().context("the domain is off")
    }

    /// Starts the domain, and waits for nothing in its guest.
    ///
    /// # Errors
    ///
    /// When libvirt refuses it.
    pub async fn switch_on(&mut self) -> Result<()> {
        self.virsh("start").await?;
        self.shell = Some(Shell::connect(&self.host.path(&shell(&self.name))).await?);
        Ok(())
    }

    /// Runs a command of `virsh` on this domain, such as `suspend`.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn virsh(&self, command: &str) -> Result<String> {
        self.host.virsh(&[command, &self.name]).await
    }

    /// Gives the agent a request by `virsh`, and returns its reply.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn ask_by_virsh(&self, request: &str) -> Result<String> {
        let words = ["qemu-agent-command", &self.name, request];
        Ok(self.host.virsh(&words).await?.trim().to_owned())
    }

    /// Waits until the agent answers libvirt.
    ///
    /// # Errors
    ///
    /// When it does not within minutes.
    pub async fn wait_for_agent(&self) -> Result<()> {
        let answered = async {
            self.wait_for_port(true).await?;
            let ping = r#"{"execute":"guest-ping"}"#;
            // Without a time of its own, one whose answer is lost would be waited for to the end.
            let words = ["qemu-agent-command", "--timeout", "5", &self.name, ping];
            while self.host.virsh(&words).await.is_err() {
                sleep(PAUSE).await;
            }
            Ok(())
        };
        match timeout(BOOT_LIMIT, answered).await {
            Ok(answered) => answered,
            Err(_) => bail!("{} has no agent: {}", self.name, self.console()),
        }
    }

    /// Waits until libvirt says that the guest has its agent's port open (`true`), or not.
    ///
    /// # Errors
    ///
    /// When the domain is gone, or it does not come to that within minutes.
    pub async fn wait_for_port(&self, is_open: bool) -> Result<()> {
        let wanted = if is_open { "connected" } else { "disconnected" };
        let wanted = format!("name='org.qemu.guest_agent.0' state='{wanted}'");
        self.wait_until("dumpxml", |xml| xml.contains(&wanted))
            .await
    }

    /// Waits until what `virsh` prints of this domain is as wanted.
    ///
    /// # Errors
    ///
    /// When `virsh` fails, or it does not come to that within minutes.
    pub async fn wait_until(&self, command: &str, is_so: impl Fn(&str) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let told = self.virsh(command).await?;
            if is_so(&told) {
                return Ok(());
            }
            if begun.elapsed() > BOOT_LIMIT {
                bail!("{command} says {told}");
            }
            sleep(PAUSE).await;
        }
    }

    /// Kills QEMU.
    ///
    /// # Errors
    ///
    /// When it does not run.
    pub async fn kill(&self) -> Result<()> {
        let pid = format!("/run/libvirt/qemu/{}.pid", self.name);
        let script = r#"kill -9 "$(cat "$0")""#;
        self.host.run(&["sh", "-c", script, &pid]).await.map(drop)
    }

    /// Returns what the guest has written to its console.
    #[must_use]
    pub fn console(&self) -> String {
        let path: PathBuf = self
            .host
            .path(&format!("/var/log/libvirt/{}.console", self.name));
        fs::read(path).map_or_else(
            |_| String::new(),
            |text| String::from_utf8_lossy(&text).into_owned(),
        )
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        let script = r#"kill -9 "$(cat "/run/libvirt/qemu/$0.pid")"
virsh --quiet "destroy $0; undefine $0"
rm -f "/var/lib/libvirt/$0.qcow2" "/run/$0.xml" "/run/shells/$0""#;
        let mut command = self.host.command("sh");
        // Whatever is not there any more needs not be ended.
        drop(command.args(["-c", script, &self.name]).output());
    }
}

/// The socket of a domain's shell, on the host.
fn shell(name: &str) -> String {
    format!("/run/shells/{name}")
}
