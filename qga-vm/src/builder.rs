//! The machine that is wanted, as QEMU's arguments.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::image::Image;

/// What leads to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// A virtio port, and a Unix socket on the host.
    Virtio,
    /// A virtio port, and a TCP port of the loopback on the host.
    VirtioTcp,
    /// A serial line, and a Unix socket on the host.
    IsaSerial,
}

/// A machine that is to be started.
#[derive(Clone, Debug)]
pub struct VmBuilder {
    pub(crate) image: Image,
    memory: String,
    processors: String,
    channel: Channel,
    can_sleep: bool,
    has_second_monitor: bool,
    port_has_id: bool,
    kernel_options: Vec<String>,
    more: Vec<String>,
}

impl VmBuilder {
    pub(crate) fn new(image: Image) -> Self {
        Self {
            image,
            memory: image.usual_memory().to_string(),
            processors: "1".to_owned(),
            channel: Channel::Virtio,
            can_sleep: false,
            has_second_monitor: false,
            port_has_id: true,
            kernel_options: Vec::new(),
            more: Vec::new(),
        }
    }

    /// Sets the memory, in QEMU's words: `256`, or `384,slots=4,maxmem=2G` for some that is added later.
    #[must_use]
    pub fn memory(mut self, memory: &str) -> Self {
        memory.clone_into(&mut self.memory);
        self
    }

    /// Sets the processors, in QEMU's words: `2`, or `1,maxcpus=4` for some that are added later.
    #[must_use]
    pub fn processors(mut self, processors: &str) -> Self {
        processors.clone_into(&mut self.processors);
        self
    }

    /// Sets what leads to the agent; it is [`Channel::Virtio`] otherwise.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channel = channel;
        self
    }

    /// Takes the kernel that wakes up from suspend. It starts more slowly.
    #[must_use]
    pub fn can_sleep(mut self) -> Self {
        self.can_sleep = true;
        self
    }

    /// Adds a second monitor, for whoever is tested; see [`Vm::second_monitor`](crate::Vm::second_monitor).
    #[must_use]
    pub fn second_monitor(mut self) -> Self {
        self.has_second_monitor = true;
        self
    }

    /// Leaves out the `id=` of the agent's port, as most command lines do.
    #[must_use]
    pub fn port_without_id(mut self) -> Self {
        self.port_has_id = false;
        self
    }

    /// Adds a word to the kernel's command line. `agent_after=2` lets the busybox guest wait before it starts its agent.
    #[must_use]
    pub fn kernel_option(mut self, word: &str) -> Self {
        self.kernel_options.push(word.to_owned());
        self
    }

    /// Adds an argument for QEMU.
    #[must_use]
    pub fn qemu(mut self, argument: &str) -> Self {
        self.more.push(argument.to_owned());
        self
    }

    /// The command that runs the machine, with its sockets and its disks in `own`.
    pub(crate) fn command(&self, image: &Path, own: &Path) -> Command {
        let mut command = Command::new("qemu-system-x86_64");
        command
            .args(["-nodefaults", "-no-user-config", "-display", "none"])
            .args(["-machine", "pc,usb=off,vmport=off,hpet=off"])
            .args(["-accel", "tcg,thread=multi", "-cpu", "qemu64"])
            .args(["-m", &self.memory, "-smp", &self.processors])
            .args(["-device", "virtio-serial-pci", "-device", "virtio-rng-pci"])
            .arg("-kernel")
            .arg(image.join(if self.can_sleep { "bzImage" } else { "vmlinux" }))
            .arg("-initrd")
            .arg(image.join("initrd"))
            .args(["-append", &self.kernel_command_line()])
            .arg("-serial")
            .arg(with_path("file:", &own.join("console"), ""))
            .arg("-mon")
            .arg("chardev=monitor,mode=control");
        for name in ["monitor", "shell"] {
            command.arg("-chardev").arg(socket(name, own));
        }
        if self.has_second_monitor {
            command.args(["-mon", "chardev=second,mode=control", "-chardev"]);
            command.arg(socket("second", own));
        }
        command
            .args([
                "-device",
                "virtserialport,id=shellport,chardev=shell,name=org.qga.shell",
            ])
            .arg("-chardev")
            .arg(match self.channel {
                Channel::VirtioTcp => {
                    "socket,id=agent,host=127.0.0.1,port=0,server=on,wait=off".into()
                }
                Channel::Virtio | Channel::IsaSerial => socket("agent", own),
            })
            .args([
                "-device",
                match self.channel {
                    Channel::IsaSerial => "isa-serial,chardev=agent,index=1",
                    _ if !self.port_has_id => {
                        "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"
                    }
                    Channel::Virtio | Channel::VirtioTcp => {
                        "virtserialport,id=agentport,chardev=agent,name=org.qemu.guest_agent.0"
                    }
                },
            ]);
        for disk in self.image.disks() {
            let file = own.join(disk).with_extension("qcow2");
            let options = format!(
                ",if=none,id={disk},format=qcow2,discard=unmap,detect-zeroes=unmap,cache=unsafe"
            );
            command
                .arg("-drive")
                .arg(with_path("file=", &file, &options))
                .args(["-device", &format!("virtio-blk-pci,drive={disk}")]);
        }
        command.args(&self.more);
        command
    }

    fn kernel_command_line(&self) -> String {
        let mut words = vec![
            "console=ttyS0 quiet panic=1 mitigations=off nokaslr random.trust_cpu=1 tsc=reliable",
        ];
        match self.image {
            Image::Busybox if self.channel == Channel::IsaSerial => words.push("agent=isa"),
            Image::Busybox => {}
            Image::Debian => words.push(
                "systemd.unit=multi-user.target systemd.show_status=0 systemd.log_level=notice",
            ),
        }
        words.extend(self.kernel_options.iter().map(String::as_str));
        words.join(" ")
    }
}

/// A socket on which QEMU listens, in this folder.
fn socket(name: &str, own: &Path) -> OsString {
    let path = own.join(name).with_extension("sock");
    with_path(
        &format!("socket,id={name},path="),
        &path,
        ",server=on,wait=off",
    )
}

fn with_path(before: &str, path: &Path, after: &str) -> OsString {
    let mut text = OsString::from(before);
    text.push(path);
    text.push(after);
    text
}
