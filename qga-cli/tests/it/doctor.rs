//! `qga doctor`.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::SystemTime;

use qga_core::Client;
use qga_testserver::{LibvirtDaemon, TestAgent, TestMachine};
use serde_json::{Value, json};

use crate::support::{Run, guest, run};

/// Sets the guest's clock right, as it is in most guests.
fn set_clock(agent: &TestAgent) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_nanos().try_into().unwrap();
    agent.edit_guest(|guest| guest.time = now);
}

/// The mark and the words of a stage.
#[track_caller]
fn stage<'a>(run: &'a Run, name: &str) -> (&'a str, &'a str) {
    let found = run.stdout.lines().find_map(|line| {
        let (mark, rest) = line.split_once(' ')?;
        let words = rest.trim_start().strip_prefix(name)?;
        Some((mark, words.trim_start()))
    });
    found.unwrap_or_else(|| panic!("there is no stage {name}: {}", run.stdout))
}

#[tokio::test]
async fn a_guest_that_is_well_is_told_to_be_well() {
    let (agent, address) = guest().await;
    set_clock(&agent);
    let doctor = run(&["doctor", &address]).await;
    assert_eq!(doctor.code, 0, "{}{}", doctor.stdout, doctor.stderr);
    for name in [
        "address", "file", "connect", "sync", "version", "commands", "frozen", "clock",
    ] {
        assert_eq!(stage(&doctor, name).0, "ok", "{}", doctor.stdout);
    }
    assert!(
        doctor.stdout.ends_with("all is well\n"),
        "{}",
        doctor.stdout
    );
}

#[tokio::test]
async fn what_is_at_the_path_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none").display().to_string();
    let doctor = run(&["doctor", &missing]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(stage(&doctor, "file"), ("!", "it is not there"));
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let doctor = run(&["doctor", &file.display().to_string()]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(stage(&doctor, "file").0, "!");
    assert!(
        doctor.stdout.contains("what to do (file):"),
        "{}",
        doctor.stdout
    );
    let socket = folder.path().join("left");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let doctor = run(&["doctor", &socket.display().to_string()]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(
        (stage(&doctor, "file").0, stage(&doctor, "connect").0),
        ("ok", "!")
    );
}

#[tokio::test]
async fn an_address_that_makes_no_sense_is_told() {
    for word in ["nobody", "libvrt:vm1", "tcp:host"] {
        let doctor = run(&["doctor", word]).await;
        assert_eq!(doctor.code, 125, "{word}");
        assert!(doctor.stdout.contains("address"), "{}", doctor.stdout);
    }
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_told_from_a_channel_that_nobody_has_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("silent");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let path = path.display().to_string();
    let doctor = run(&["--connect-timeout", "100ms", "doctor", &path]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(stage(&doctor, "connect").0, "ok");
    assert_eq!(stage(&doctor, "sync").0, "!");
    assert!(
        doctor.stdout.contains("systemctl status qemu-guest-agent"),
        "{}",
        doctor.stdout
    );
}

#[tokio::test]
async fn a_disabled_command_a_freeze_and_a_wrong_clock_are_told_with_what_to_do() {
    let (agent, address) = guest().await;
    agent.disable("guest-exec");
    let doctor = run(&["doctor", &address]).await;
    assert_eq!(doctor.code, 0, "{}", doctor.stderr);
    let (mark, words) = stage(&doctor, "commands");
    assert!(mark == "?" && words.ends_with("not guest-exec"), "{words}");
    assert!(doctor.stdout.contains("--block-rpcs="), "{}", doctor.stdout);
    assert_eq!(stage(&doctor, "clock").0, "?");
    let client = Client::connect(&*address).await.unwrap();
    client
        .execute_raw("guest-fsfreeze-freeze", json!({}))
        .await
        .unwrap();
    drop(client);
    let doctor = run(&["doctor", &address]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(stage(&doctor, "frozen").0, "!");
    assert!(
        doctor.stdout.contains(&format!("qga thaw {address}")),
        "{}",
        doctor.stdout
    );
}

#[tokio::test]
async fn who_holds_the_channel_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock").display().to_string();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let client = Client::builder().lock(true).connect_lazy(Path::new(&path));
    // It looks as a machine whose agent has this channel.
    let (reader, writer) = std::io::pipe().unwrap();
    let mut machine = std::process::Command::new("sh")
        .arg0("qemu-system-x86_64")
        .args(["-c", "read line <&2", "-chardev"])
        .arg(format!("socket,id=agent,path={path},server=on,wait=off"))
        .args([
            "-device",
            "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        ])
        .stdin(std::os::fd::OwnedFd::from(listener))
        .stderr(reader)
        .spawn()
        .unwrap();
    let doctor = run(&["--connect-timeout", "100ms", "doctor", &path]).await;
    drop(writer);
    machine.wait().unwrap();
    let (mark, words) = stage(&doctor, "holder");
    let listener = format!("qemu-system-x86_64 (process {}) listens", machine.id());
    let holder = format!("(process {}) is connected", std::process::id());
    assert!(
        mark == "?" && words.contains(&listener) && words.contains(&holder),
        "{words}"
    );
    drop(client);
}

#[tokio::test]
async fn what_libvirt_says_of_the_machine_is_told() {
    let agent = TestAgent::start().await;
    set_clock(&agent);
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    let address = daemon.address("vm1");
    let doctor = run(&["doctor", &address]).await;
    assert_eq!(doctor.code, 0, "{}{}", doctor.stdout, doctor.stderr);
    assert_eq!(stage(&doctor, "libvirt").0, "ok");
    daemon.set_state("vm1", qga_testserver::DomainState::Paused);
    let doctor = run(&["doctor", &address]).await;
    assert_eq!(doctor.code, 125);
    assert_eq!(stage(&doctor, "libvirt"), ("!", "the machine is paused"));
    let doctor = run(&["doctor", &daemon.address("vm2")]).await;
    assert_eq!((doctor.code, stage(&doctor, "libvirt").0), (125, "!"));
}

#[tokio::test]
async fn the_stages_have_a_shape_for_programs() {
    let (agent, address) = guest().await;
    set_clock(&agent);
    let doctor = run(&["-o", "json", "doctor", &address]).await;
    let value: Value = serde_json::from_str(&doctor.stdout).unwrap();
    let first = &value["stages"][0];
    assert_eq!(
        (
            &value["version"],
            &first["stage"],
            &first["state"],
            &first["found"]
        ),
        (
            &1.into(),
            &"address".into(),
            &"ok".into(),
            &address.as_str().into()
        )
    );
}

#[tokio::test]
async fn who_does_not_reach_a_guest_is_sent_to_the_doctor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a socket").display().to_string();
    let ping = run(&["ping", &path]).await;
    assert_eq!(ping.code, 125);
    let advice = format!("qga doctor 'unix:{path}'\n");
    assert!(ping.stderr.ends_with(&advice), "{}", ping.stderr);
    let (_agent, address) = guest().await;
    let missing = run(&["cat", &address, "/none"]).await;
    assert_eq!(missing.code, 125);
    assert!(!missing.stderr.contains("doctor"), "{}", missing.stderr);
}

#[tokio::test]
async fn what_the_monitor_says_of_the_machine_is_told() {
    let machine = TestMachine::start().await;
    set_clock(machine.agent());
    let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
    let doctor = run(&["doctor", &agent, "--monitor", &monitor]).await;
    assert_eq!(doctor.code, 0, "{}{}", doctor.stdout, doctor.stderr);
    assert_eq!(stage(&doctor, "monitor").0, "ok");
    machine.fill_disk();
    let doctor = run(&["doctor", &agent, "--monitor", &monitor]).await;
    assert_eq!((doctor.code, stage(&doctor, "monitor").0), (125, "!"));
    assert!(doctor.stdout.contains("make room"), "{}", doctor.stdout);
    machine.kill().await;
    let doctor = run(&["doctor", &agent, "--monitor", &monitor]).await;
    assert_eq!((doctor.code, stage(&doctor, "monitor").0), (125, "!"));
}
