//! `qga raw` and `qga dial-stdio`, alone and as the other side of ssh.

use std::process::Stdio;

use std::os::unix::fs::{PermissionsExt as _, symlink};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::support::{ended, guest, qga, run, run_with};

#[tokio::test]
async fn any_command_is_sent_with_its_arguments() {
    let (agent, address) = guest().await;
    agent.edit_guest(|guest| guest.host_name = "raw".into());
    let name = run(&["raw", &address, "guest-get-host-name"]).await;
    assert_eq!((name.code, &*name.stdout), (0, "{\"host-name\":\"raw\"}\n"));
    agent
        .on("vendor-set")
        .reply_with(|request| request.arguments.clone());
    for args in [
        &[
            "raw",
            &address,
            "vendor-set",
            "{\"text\": \"x\", \"count\": 3}",
        ][..],
        &["raw", &address, "vendor-set", "text=x", "count=3"],
    ] {
        let sent = run(args).await;
        assert_eq!(
            sent.stdout, "{\"count\":3,\"text\":\"x\"}\n",
            "{}",
            sent.stderr
        );
    }
    let none = run(&["raw", &address, ""]).await;
    assert!(none.stderr.contains("<COMMAND>"), "{}", none.stderr);
    let refused = run(&["raw", &address, "guest-none"]).await;
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("guest-none"), "{}", refused.stderr);
}

#[tokio::test]
async fn bytes_are_carried_to_a_socket_and_back() {
    let (_agent, address) = guest().await;
    let mut child = qga(&["dial-stdio", &address])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    stdin
        .write_all(b"{\"execute\": \"guest-ping\"}\n")
        .await
        .unwrap();
    let mut reply = [0; 15];
    stdout.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"{\"return\": {}}\n");
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn what_is_answered_after_the_input_has_ended_is_carried_too() {
    let (_agent, address) = guest().await;
    let carried = run_with(
        &["dial-stdio", &address],
        b"{\"execute\": \"guest-ping\"}\n",
    )
    .await;
    assert_eq!(
        (carried.code, &*carried.stdout),
        (0, "{\"return\": {}}\n"),
        "{}",
        carried.stderr
    );
}

#[tokio::test]
async fn a_channel_that_is_no_socket_of_its_own_is_carried_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vsock");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("vsock-proxy:{}:1024", path.display());
    let carried = async { run_with(&["dial-stdio", &address], b"there").await };
    let machine = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut told = [0; 13];
        stream.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"CONNECT 1024\n");
        stream.write_all(b"OK 1\nback").await.unwrap();
        let mut told = [0; 5];
        stream.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"there");
    };
    let (carried, ()) = tokio::join!(carried, machine);
    assert_eq!((carried.code, &*carried.stdout), (0, "back"));
}

#[tokio::test]
async fn what_cannot_be_carried_is_told_with_its_address() {
    for address in [
        "/none/qga.sock",
        "exec:cat",
        "nonsense:x",
        "tcp:127.0.0.1:1",
        "vsock-proxy:/none:1",
        "serial:/dev/none",
    ] {
        let run = run(&["dial-stdio", address]).await;
        assert_eq!((run.code, &*run.stdout), (125, ""), "{address}");
        assert!(run.stderr.contains(address), "{address}: {}", run.stderr);
    }
}

/// A program in the place of `ssh` that runs its last argument here, and finds `qga`.
fn other_host(folder: &std::path::Path) -> String {
    let ssh = folder.join("ssh");
    let script = "#!/bin/sh\nfor line; do :; done\nexec /bin/sh -c \"$line\"\n";
    std::fs::write(&ssh, script).unwrap();
    std::fs::set_permissions(&ssh, std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink(env!("CARGO_BIN_EXE_qga"), folder.join("qga")).unwrap();
    format!("{}:/bin:/usr/bin", folder.display())
}

#[tokio::test]
async fn a_guest_of_another_host_is_reached_by_the_program_that_is_installed_there() {
    let (agent, _) = guest().await;
    agent.program("uname").stdout("Linux\n").exit(3);
    let folder = tempfile::tempdir().unwrap();
    let path = other_host(folder.path());
    let address = format!("ssh://hypervisor{}", agent.path().display());
    let mut exec = qga(&["exec", &address, "--", "uname"]);
    let run = ended(exec.env("PATH", &path).output().await.unwrap());
    assert_eq!((run.code, &*run.stdout), (3, "Linux\n"), "{}", run.stderr);
    let missing = format!("ssh://hypervisor{}-missing", agent.path().display());
    let mut ping = qga(&["ping", &missing]);
    let run = ended(ping.env("PATH", &path).output().await.unwrap());
    assert_eq!(run.code, 125);
    let words = run.stderr.contains("-missing") && run.stderr.contains("no such socket");
    assert!(words, "{}", run.stderr);
}

#[tokio::test]
async fn a_vsock_port_of_another_host_is_dialled_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = other_host(folder.path());
    // Nobody has this number, whether or not there is vsock here.
    let mut ping = qga(&["ping", "ssh://hypervisor/vsock:4294967290:1024"]);
    let run = ended(ping.env("PATH", &path).output().await.unwrap());
    assert_eq!(run.code, 125);
    assert!(
        run.stderr.contains("connect at vsock:4294967290:1024"),
        "{}",
        run.stderr
    );
}
