//! What happens to an agent and its machine while a client is at work.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use qga_testserver::Fault;
use qga_vm::Image;
use serde_json::json;

use crate::machine::Machine;
use crate::wire::Wire;

/// Waits in the guest until another agent runs than `$old`.
const UNTIL_ANOTHER: &str =
    "until new=$(pidof qemu-ga) && [ \"$new\" != \"$old\" ]; do sleep 0.05; done";

const STOP_AGENT: &str =
    "touch /run/no-agent; kill -9 $(pidof qemu-ga); while pidof qemu-ga; do sleep 0.05; done";

impl Machine {
    pub(crate) fn socket(&self) -> PathBuf {
        match self {
            Self::Fake(agent) => agent.path().to_owned(),
            Self::Real(_) | Self::Domain(_) => self.vm().socket(),
        }
    }

    pub(crate) async fn wire(&self) -> Wire {
        Wire::connect(&self.socket()).await
    }

    /// The address of a channel that can be [lost](Self::lose_channel).
    pub(crate) fn losable_address(&self) -> String {
        match self {
            Self::Fake(agent) => agent.address(),
            Self::Real(_) | Self::Domain(_) => {
                let vm = self.vm();
                let link = vm.socket().with_file_name("link");
                symlink(vm.socket(), &link).unwrap();
                format!("unix:{}", link.display())
            }
        }
    }

    /// Sees to it that the next request is not answered before its channel is [lost](Self::lose_channel).
    pub(crate) async fn let_channel_be_lost(&self) {
        match self {
            Self::Fake(agent) => agent.fault(Fault::close_before()),
            Self::Real(_) | Self::Domain(_) => self.hold_agent(true).await,
        }
    }

    /// Closes the connection, after a request was written to it. Another can be opened at once.
    pub(crate) async fn lose_channel(&self) {
        let Self::Real(vm) = self else {
            // It has been closed already.
            return;
        };
        tokio::time::sleep(Duration::from_millis(700)).await;
        let link = vm.socket().with_file_name("link");
        let path = format!("{}-", std::fs::read_link(&link).unwrap().display());
        std::fs::remove_file(&link).unwrap();
        symlink(&path, &link).unwrap();
        let address = json!({"type": "unix", "data": {"path": path}});
        let data = json!({"addr": address, "server": true, "wait": false});
        let change = json!({"id": "agent", "backend": {"type": "socket", "data": data}});
        let changed = vm.monitor().command("chardev-change", Some(change)).await;
        changed.unwrap();
        self.hold_agent(false).await;
    }

    /// Kills the agent, and waits for the next one.
    pub(crate) async fn kill_agent(&self) {
        match self {
            Self::Fake(agent) => agent.restart(),
            Self::Real(_) | Self::Domain(_) => {
                let line = format!("old=$(pidof qemu-ga); kill -9 $old; {UNTIL_ANOTHER}");
                self.shell().must(&line).await.unwrap();
            }
        }
    }

    /// Kills the agent, and none comes after it.
    pub(crate) async fn stop_agent(&self) {
        match self {
            Self::Fake(agent) => {
                agent.pause();
                agent.restart();
            }
            Self::Real(vm) => {
                let stop = match vm.image() {
                    Image::Busybox => STOP_AGENT,
                    Image::Debian => "systemctl stop qemu-guest-agent",
                };
                vm.shell().must(stop).await.unwrap();
                vm.monitor().agent_port(false).await.unwrap();
            }
            Self::Domain(domain) => {
                self.run(STOP_AGENT).await;
                domain.wait_for_port(false).await.unwrap();
            }
        }
    }

    pub(crate) async fn start_agent(&self) {
        match self {
            Self::Fake(agent) => agent.resume(),
            Self::Real(vm) => {
                let start = match vm.image() {
                    Image::Busybox => "rm /run/no-agent",
                    Image::Debian => "systemctl start qemu-guest-agent",
                };
                vm.shell().must(start).await.unwrap();
            }
            Self::Domain(_) => drop(self.run("rm /run/no-agent").await),
        }
    }

    /// Lets the agent do nothing, or go on.
    pub(crate) async fn hold_agent(&self, hold: bool) {
        match self {
            Self::Fake(agent) if hold => agent.pause(),
            Self::Fake(agent) => agent.resume(),
            Self::Real(_) | Self::Domain(_) => {
                let signal = if hold { "STOP" } else { "CONT" };
                let line = format!("kill -{signal} $(pidof qemu-ga)");
                self.run(&line).await;
            }
        }
    }

    /// Stops the processors.
    pub(crate) async fn pause(&self) {
        match self {
            Self::Fake(agent) => agent.pause(),
            Self::Real(vm) => drop(vm.monitor().command("stop", None).await.unwrap()),
            Self::Domain(domain) => drop(domain.virsh("suspend").await.unwrap()),
        }
    }

    pub(crate) async fn resume(&self) {
        match self {
            Self::Fake(agent) => agent.resume(),
            Self::Real(vm) => drop(vm.monitor().command("cont", None).await.unwrap()),
            Self::Domain(domain) => drop(domain.virsh("resume").await.unwrap()),
        }
    }

    /// Puts a file with so many bytes into the guest.
    pub(crate) async fn put(&self, path: &str, bytes: u32) {
        match self {
            Self::Fake(agent) => agent.file(path, vec![b'x'; bytes as usize]),
            Self::Real(_) | Self::Domain(_) => {
                let line = format!("head -c {bytes} /dev/zero | tr '\\0' x >{path}");
                self.run(&line).await;
            }
        }
    }

    pub(crate) async fn exists(&self, path: &str) -> bool {
        match self {
            Self::Fake(agent) => agent.file_content(path).is_some(),
            Self::Real(_) | Self::Domain(_) => {
                let found = self.shell().run(&format!("test -e {path}")).await.unwrap();
                found.code == 0
            }
        }
    }

    /// Waits until there is such a file.
    pub(crate) async fn appears(&self, path: &str) {
        while !self.exists(path).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
