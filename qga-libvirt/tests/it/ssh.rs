//! Daemons on other hosts. A script stands for OpenSSH's client: it runs on this host what it is to run on another one.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use qga_core::{Client, ClientBuilder, ErrorKind};
use qga_testserver::LibvirtDaemon;

use crate::support::{Ping, vm1};

/// Another host, and the way to it.
struct OtherHost(tempfile::TempDir);

impl OtherHost {
    /// A host that has these programs, with their scripts, beside a shell.
    fn new(programs: &[(&str, String)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink("/bin/sh", bin.join("sh")).unwrap();
        for (name, script) in programs {
            write_program(&bin.join(name), script);
        }
        let log = folder.path().join("log");
        let ssh = format!(
            "printf '%s\\n' \"$*\" >> {}; for command; do :; done; PATH={} exec /bin/sh -c \"$command\"",
            log.display(),
            bin.display()
        );
        write_program(&folder.path().join("ssh"), &ssh);
        Self(folder)
    }

    fn builder(&self) -> ClientBuilder {
        let ssh = self.0.path().join("ssh").display().to_string();
        Client::builder().scheme_messages("libvirt+ssh", qga_libvirt::open_ssh_by([ssh]))
    }

    /// What ssh was called with, a line a call.
    fn calls(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.path().join("log")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

fn write_program(path: &Path, script: &str) {
    fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

/// Carries bytes between its standard input and output and the daemon's socket.
fn carrier(daemon: &LibvirtDaemon) -> String {
    let python = "import os, socket, sys, threading
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
def back():
    while (b := s.recv(65536)): os.write(1, b)
    os._exit(0)
threading.Thread(target=back).start()
while (b := os.read(0, 65536)): s.sendall(b)
os._exit(1)";
    let path = std::env::var("PATH").unwrap();
    let socket = daemon.path().display().to_string();
    format!("PATH='{path}' exec python3 -c '{python}' {socket}")
}

#[tokio::test]
async fn libvirts_own_helper_leads_to_the_daemon_of_another_host() {
    let (daemon, _agent) = vm1().await;
    let helper = format!(
        "[ \"$1\" = qemu:///system ] || exit 3; {}",
        carrier(&daemon)
    );
    let host = OtherHost::new(&[("virt-ssh-helper", helper)]);
    let client = host
        .builder()
        .connect("libvirt+ssh://root@helper.test:2222/system/vm1")
        .await
        .unwrap();
    client.execute(Ping).await.unwrap();
    let calls = host.calls();
    assert_eq!(calls.len(), 1);
    for word in ["BatchMode=yes", "-p 2222", "-l root", "-- helper.test"] {
        assert!(calls[0].contains(word), "{word}: {}", calls[0]);
    }
}

#[tokio::test]
async fn without_the_helper_the_socket_is_reached_by_a_program_of_that_host() {
    let (daemon, _agent) = vm1().await;
    let socat = carrier(&daemon).replace(
        &daemon.path().display().to_string(),
        "\"${2#UNIX-CONNECT:}\"",
    );
    let host = OtherHost::new(&[("socat", socat)]);
    let address = format!(
        "libvirt+ssh://socat.test/system/vm1?socket={}",
        daemon.path().display()
    );
    let client = host.builder().connect(address.as_str()).await.unwrap();
    client.execute(Ping).await.unwrap();
}

#[tokio::test]
async fn all_guests_of_a_host_share_its_connections() {
    let (daemon, agent) = vm1().await;
    for number in 0..20 {
        daemon.domain(&format!("guest{number}"), &agent);
    }
    let host = OtherHost::new(&[("virt-ssh-helper", carrier(&daemon))]);
    let mut connecting = tokio::task::JoinSet::new();
    for number in 0..20 {
        let builder = host.builder();
        connecting.spawn(async move {
            let address = format!("libvirt+ssh://shared.test/system/guest{number}");
            builder.connect(address.as_str()).await.map(drop)
        });
    }
    while let Some(connected) = connecting.join_next().await {
        connected.unwrap().unwrap();
    }
    assert!(host.calls().len() <= 4, "{} logins", host.calls().len());
}

#[tokio::test]
async fn what_is_missing_or_fails_there_is_told() {
    let failing = "echo 'error: no daemon here' >&2; exit 1".to_owned();
    for (name, programs, words) in [
        ("nothing.test", &[][..], "virt-ssh-helper"),
        (
            "failing.test",
            &[("virt-ssh-helper", failing)][..],
            "no daemon here",
        ),
    ] {
        let host = OtherHost::new(programs);
        let address = format!("libvirt+ssh://{name}/session/vm1");
        let error = host.builder().connect(address.as_str()).await.unwrap_err();
        let ErrorKind::Open(_) = error.kind() else {
            panic!("{error:?}");
        };
        let text = error.to_string();
        assert!(text.contains(words) && text.contains(name), "{text}");
    }
}
