//! Other ways to a guest of libvirt than its agent through the daemon of this host, and what that daemon tells.

use std::fs;
use std::future::IntoFuture as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::HealthState;
use qga_commands::guest::power::Outcome;
use qga_libvirt::{AgentState, Daemon, EventKind};
use qga_vm::{Domain, LibvirtHost};
use tokio::io::AsyncReadExt as _;
use tokio::time::{sleep, timeout};

use crate::case::{LIBVIRT, On, cases};
use crate::machine::{builder, domain};

cases![
    a_guest_is_reached_over_ssh_by_libvirts_own_helper on LIBVIRT,
    a_second_port_carries_what_libvirt_does_not on LIBVIRT,
    the_daemon_lists_its_domains_and_tells_what_happens_to_them on LIBVIRT,
];

/// Writes what OpenSSH's client and server need for a login on the host of the daemon. They speak with each other through
/// a pipe, since that host has no network of its own.
fn configure(folder: &Path, host: &LibvirtHost) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    for key in ["host", "user"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", &at(key)]);
        assert!(keygen.status().unwrap().success());
    }
    let server = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin prohibit-password\n",
        at("host"),
        at("user.pub")
    );
    fs::write(at("sshd_config"), server).unwrap();
    let key = fs::read_to_string(at("host.pub")).unwrap();
    fs::write(at("known_hosts"), format!("hypervisor {key}")).unwrap();
    let mut sshd = host.command("/usr/sbin/sshd");
    sshd.args(["-i", "-f", &at("sshd_config")]);
    let words: Vec<_> = sshd.get_args().map(|word| word.to_str().unwrap()).collect();
    let client = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n\
         ProxyCommand nsenter {}\n",
        at("user"),
        at("known_hosts"),
        words.join(" ")
    );
    fs::write(at("ssh_config"), client).unwrap();
    at("ssh_config")
}

async fn a_guest_is_reached_over_ssh_by_libvirts_own_helper(_: On) {
    let domain = domain().await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::DirBuilder::new().mode(0o700).create(&keys).unwrap();
    domain
        .host()
        .run(&["mkdir", "-p", "/run/sshd"])
        .await
        .unwrap();
    let config = configure(&keys, domain.host());
    let guest = Guest::builder()
        .scheme_messages(
            "libvirt+ssh",
            qga_libvirt::open_ssh_by(["ssh", "-F", &config]),
        )
        .connect(format!(
            "libvirt+ssh://root@hypervisor/system/{}",
            domain.name()
        ))
        .await
        .unwrap();
    let output = guest.command("uname").output().await.unwrap();
    assert_eq!(output.stdout_lossy(), "Linux\n");
    copy(&guest, 1 << 20).await;
    // What a program prints comes while it runs.
    let mut child = guest
        .command("sh")
        .args(["-c", "echo begun; exec sleep 600"])
        .spawn()
        .await
        .unwrap();
    let mut begun = [0; 6];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .await
        .unwrap();
    assert_eq!(&begun, b"begun\n");
    child.kill().await.unwrap();
    child.wait().await.unwrap();
    // A tree goes there and back, and is the same.
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), vec![7; 4 << 20]).unwrap();
    guest.upload(&tree, "/tmp/tree").verify(true).await.unwrap();
    let back = folder.path().join("back");
    guest
        .download("/tmp/tree", &back)
        .verify(true)
        .await
        .unwrap();
    assert!(fs::read(back.join("file")).unwrap() == vec![7; 4 << 20]);
    // Whoever gives up while the guest is frozen leaves it thawed.
    let never = guest.while_frozen(std::future::pending::<()>);
    timeout(Duration::from_secs(2), never.into_future())
        .await
        .map(drop)
        .unwrap_err();
    while guest.health().await.state != HealthState::Ready {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
    guest.host_name().await.unwrap();
    assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
}

async fn a_second_port_carries_what_libvirt_does_not(_: On) {
    const PORT: &str = "org.qemu.guest_agent.1";
    let domain = domain().await;
    start_second_agent(&domain, PORT).await;
    let address = domain.address().replacen("libvirt:", "libvirt-channel:", 1);
    let address = address.replacen(domain.name(), &format!("{}/{PORT}", domain.name()), 1);
    let guest = Guest::builder()
        .scheme("libvirt-channel", qga_libvirt::open_channel)
        .connect(address)
        .await
        .unwrap();
    assert_eq!(guest.client().transport_limits().request, None);
    copy(&guest, 3 << 20).await;
    // What libvirt itself uses is untouched.
    let own = builder().connect(domain.address()).await.unwrap();
    own.host_name().await.unwrap();
}

async fn start_second_agent(domain: &Domain, port: &str) {
    let line = format!(
        "for p in /sys/class/virtio-ports/*; do [ \"$(cat $p/name)\" = {port} ] && d=/dev/${{p##*/}}; done; \
         mkdir -p /run/ga1 && setsid qemu-ga -m virtio-serial -p $d -t /run/ga1 -f /run/ga1/pid >/dev/null 2>&1 </dev/null &"
    );
    domain.shell().unwrap().must(&line).await.unwrap();
}

/// Copies a file there and back.
async fn copy(guest: &Guest, length: usize) {
    let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
    guest.write("/tmp/copy", &bytes).await.unwrap();
    assert!(guest.read("/tmp/copy").await.unwrap() == bytes);
}

async fn the_daemon_lists_its_domains_and_tells_what_happens_to_them(_: On) {
    let domain = domain().await;
    let address = format!(
        "libvirt:///system?socket={}",
        domain.host().socket().display()
    );
    let daemon = Daemon::open(&address).await.unwrap();
    let listed = daemon.domains().await.unwrap();
    let found = listed.iter().find(|it| it.name == domain.name()).unwrap();
    assert_eq!(found.agent, AgentState::Connected);
    let mut events = daemon.events().await.unwrap();
    domain.virsh("suspend").await.unwrap();
    domain.virsh("resume").await.unwrap();
    domain.virsh("destroy").await.unwrap();
    let mut kinds = Vec::new();
    while kinds.last() != Some(&EventKind::Stopped) {
        let event = events.next().await.unwrap();
        // Other cases have domains of the same daemon.
        if event.name == domain.name() {
            kinds.push(event.kind);
        }
    }
    kinds.retain(|kind| *kind != EventKind::ShuttingDown);
    assert_eq!(
        kinds,
        [EventKind::Paused, EventKind::Resumed, EventKind::Stopped]
    );
}
