//! What a test sees and does in a guest, past its agent.

use qga_testserver::TestAgent;

use crate::machine::Machine;

/// Prints `held` if a program that writes to the filesystem there sleeps until a thaw, and `free` if it could write. The
/// kernel tells in what a process sleeps.
const TRY_TO_WRITE: &str = r#"
done=/run/probe.$$
(: >"$0/.probe" && : >"$done") </dev/null >/dev/null 2>&1 &
pid=$!
until [ -e "$done" ]; do
    case $(cat /proc/$pid/wchan 2>/dev/null) in percpu_rwsem_wait) echo held; exit ;; esac
    [ -d /proc/$pid ] || [ -e "$done" ] || { echo "it cannot write at all"; exit; }
    sleep 0.02
done
echo free
"#;

impl Machine {
    /// The fake agent, where it is one.
    pub(crate) fn fake(&self) -> Option<&TestAgent> {
        match self {
            Self::Fake(agent) => Some(agent),
            Self::Real(_) | Self::Domain(_) => None,
        }
    }

    /// Runs a command in a real guest, which must succeed, and returns what it printed.
    pub(crate) async fn run(&self, command: &str) -> String {
        self.shell().must(command).await.unwrap()
    }

    /// Runs a script in a real guest with one argument, its `$0`.
    pub(crate) async fn run_script(&self, script: &str, argument: &str) -> String {
        self.run(&format!("sh -c '{script}' '{argument}'")).await
    }

    /// Where a filesystem is mounted that can be frozen.
    pub(crate) fn mountpoint(&self) -> &'static str {
        match self {
            Self::Fake(_) => "/srv",
            Self::Real(_) | Self::Domain(_) => "/mnt/data",
        }
    }

    /// A user who may get a password and SSH keys.
    pub(crate) fn user(&self) -> &'static str {
        match self {
            Self::Fake(_) => "test",
            Self::Real(_) | Self::Domain(_) => "alice",
        }
    }

    /// Starts the agent of a guest with systemd again, with a setting of its unit.
    pub(crate) async fn limit_the_agent(&self, settings: &str) {
        let folder = "/run/systemd/system/qemu-guest-agent.service.d";
        self.run(&format!(
            "mkdir -p {folder} && printf '[Service]\n{settings}\n' >{folder}/test.conf && \
             systemctl daemon-reload && systemctl restart qemu-guest-agent"
        ))
        .await;
    }

    /// Whether a program that writes to that filesystem has to wait.
    pub(crate) async fn holds_writes(&self) -> bool {
        match self {
            Self::Fake(agent) => {
                let guest = agent.guest();
                let mut mounted = guest.filesystems.iter();
                mounted.any(|mounted| mounted.mountpoint == "/srv" && mounted.frozen)
            }
            Self::Real(_) | Self::Domain(_) => match self
                .run_script(TRY_TO_WRITE, self.mountpoint())
                .await
                .trim()
            {
                "held" => true,
                "free" => false,
                other => panic!("the probe says {other:?}"),
            },
        }
    }

    /// Freezes that filesystem as an administrator of the guest does, past the agent.
    pub(crate) async fn freeze_past_the_agent(&self) {
        match self {
            Self::Fake(agent) => agent.edit_guest(|guest| {
                let mut mounted = guest.filesystems.iter_mut();
                let ours = mounted.find(|mounted| mounted.mountpoint == "/srv");
                ours.unwrap().frozen = true;
            }),
            Self::Real(_) | Self::Domain(_) => drop(self.run("fsfreeze --freeze /mnt/data").await),
        }
    }
}
