//! Runs every example, against its own fake agent and against a real one where one is installed.

#![allow(clippy::unwrap_used)]

use std::process::Command;

/// Each program and a piece of what it prints with the fake agent.
const EXAMPLES: [(&str, &str, &str); 15] = [
    (
        "hello",
        env!("CARGO_BIN_EXE_hello"),
        "test-guest says hello",
    ),
    (
        "blocking",
        env!("CARGO_BIN_EXE_blocking"),
        "test-guest runs ",
    ),
    ("host_name", env!("CARGO_BIN_EXE_host_name"), "test-guest"),
    (
        "guest_info",
        env!("CARGO_BIN_EXE_guest_info"),
        "eth0 192.0.2.10",
    ),
    ("exec", env!("CARGO_BIN_EXE_exec"), "exit code 0: 6.12.43"),
    (
        "stream_output",
        env!("CARGO_BIN_EXE_stream_output"),
        ": done\nexit code 3",
    ),
    (
        "inventory",
        env!("CARGO_BIN_EXE_inventory"),
        "9 of 10 guests answered; 1 failed: 1 timed out",
    ),
    (
        "copy_file",
        env!("CARGO_BIN_EXE_copy_file"),
        "copied 20 bytes from /tmp/greeting",
    ),
    (
        "snapshot_freeze",
        env!("CARGO_BIN_EXE_snapshot_freeze"),
        "the snapshot is consistent",
    ),
    (
        "wait_ready",
        env!("CARGO_BIN_EXE_wait_ready"),
        "test-guest is ready",
    ),
    (
        "machine",
        env!("CARGO_BIN_EXE_machine"),
        "an agent answers that was started since (QEMU has told RESET)",
    ),
    ("libvirt", env!("CARGO_BIN_EXE_libvirt"), "domains: "),
    ("scheme", env!("CARGO_BIN_EXE_scheme"), "test-guest answers"),
    (
        "ssh_keys",
        env!("CARGO_BIN_EXE_ssh_keys"),
        "ssh-ed25519 AAAA",
    ),
    (
        "custom_command",
        env!("CARGO_BIN_EXE_custom_command"),
        "wrote 32 bytes to /tmp/qga-example.txt\nrefused: failed to open file '/no/such/file'",
    ),
];

/// The examples that change the guest, or that take no address; the keys of this machine's root are real.
const WITH_FAKE_AGENT_ONLY: [&str; 5] =
    ["hello", "libvirt", "machine", "snapshot_freeze", "ssh_keys"];

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_example_runs_with_its_own_agent() {
    for (name, program, expected) in EXAMPLES {
        let printed = run(program, &[]);
        assert!(printed.contains(expected), "{name} printed {printed:?}");
    }
}

#[test]
fn every_example_is_in_the_list() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin");
    let mut found = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.trim_end_matches(".rs");
        assert!(EXAMPLES.iter().any(|example| example.0 == name), "{name}");
        found += 1;
    }
    assert_eq!(found, EXAMPLES.len());
}

#[tokio::test]
async fn every_example_runs_with_a_real_agent() {
    for (name, program, _) in EXAMPLES {
        if WITH_FAKE_AGENT_ONLY.contains(&name) {
            continue;
        }
        let Some(agent) = real_agents::start(&[]).await else {
            return;
        };
        let address = agent.address();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file").display().to_string();
        let printed = tokio::task::spawn_blocking(move || run(program, &[&address, &file]));
        assert!(!printed.await.unwrap().is_empty(), "{name} printed nothing");
    }
}
