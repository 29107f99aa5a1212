//! The program `qga` as its users run it.

use std::fs;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::case::{BUSYBOX_AND_LIBVIRT, On, cases};
use crate::machine::Machine;

cases![
    a_program_shows_its_output_while_it_runs_and_ends_with_its_exit_code on BUSYBOX_AND_LIBVIRT,
    a_signal_kills_the_program_in_the_guest on BUSYBOX_AND_LIBVIRT,
    a_file_is_copied_there_and_back on BUSYBOX_AND_LIBVIRT,
];

/// The program, which cargo puts beside the folder of this test.
fn qga(words: &[&str]) -> Command {
    let test = std::env::current_exe().unwrap();
    let folders = test.ancestors().skip(1).take(2);
    let mut paths = folders.map(|folder| folder.join("qga"));
    let program: Option<PathBuf> = paths.find(|path| path.is_file());
    let program = program.expect("the program qga is not built: cargo build --package qga-cli");
    let mut command = Command::new(program);
    command
        .args(words)
        .env_remove("XDG_CONFIG_HOME")
        .env("HOME", "/none")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What is printed, if it succeeds.
async fn must(words: &[&str]) -> Output {
    let output = qga(words).output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    output
}

/// Starts it, and returns its first line of output, which has come while it runs.
async fn begin(words: &[&str]) -> (Child, String) {
    let mut child = qga(words).spawn().unwrap();
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).await.unwrap();
    child.stdout = Some(stdout.into_inner());
    (child, line)
}

async fn a_program_shows_its_output_while_it_runs_and_ends_with_its_exit_code(on: On) {
    let machine = Machine::start(on).await;
    let address = machine.address();
    let line =
        "echo begun; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo wrong >&2; echo done; exit 7";
    let (child, begun) = begin(&["exec", &address, "--sh", line]).await;
    assert_eq!(begun, "begun\n");
    machine.shell().must("touch /tmp/go").await.unwrap();
    let output = child.wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(7), "{said}");
    assert_eq!((&*output.stdout, &*said), (&b"done\n"[..], "wrong\n"));
    let missing = qga(&["exec", &address, "--", "/nope"]).output().await;
    assert_eq!(missing.unwrap().status.code(), Some(127));
}

async fn a_signal_kills_the_program_in_the_guest(on: On) {
    let machine = Machine::start(on).await;
    let address = machine.address();
    let line = "echo $$; exec sleep 600";
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let (child, pid) = begin(&["exec", &address, "--sh", line]).await;
        let pid: u32 = pid.trim().parse().unwrap();
        let own = child.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", signal, &own]).status();
        assert!(sent.await.unwrap().success());
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("was killed"), "{said}");
        let is_alive = format!("if kill -0 {pid} 2>/dev/null; then echo alive; fi");
        assert_eq!(machine.shell().must(&is_alive).await.unwrap(), "");
    }
}

async fn a_file_is_copied_there_and_back(on: On) {
    let machine = Machine::start(on).await;
    let address = machine.address();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (there, back) = (format!("{address}:/tmp/copy"), path("back"));
    let words = (0..700_001_u32).map(|number| number.wrapping_mul(2_654_435_761));
    let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    fs::write(path("file"), &bytes).unwrap();
    must(&["cp", "--verify", &path("file"), &there]).await;
    let length = machine.shell().must("wc -c </tmp/copy").await.unwrap();
    assert_eq!(length.trim(), bytes.len().to_string());
    must(&["cp", &there, &back]).await;
    assert!(fs::read(&back).unwrap() == bytes);
    let printed = must(&["cp", &there, "-"]).await;
    assert!(printed.stdout == bytes);
}
