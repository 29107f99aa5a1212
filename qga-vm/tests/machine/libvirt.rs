//! Guests whose agents are reached through libvirt's daemon.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileOpen, FileRead, FileSeek, QgaSeek};
use qga_commands::guest::power::Outcome;
use qga_commands::{Guest, GuestError};
use qga_core::{ErrorKind, Execution, MessageTransport, Options};
use qga_libvirt::Daemon;
use qga_vm::Domain;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::case::{LIBVIRT, On, cases};
use crate::machine::{builder, domain, libvirt_host, new_name, ready};

cases![
    a_sync_of_a_caller_is_answered_here_and_the_agent_stays_usable on LIBVIRT,
    a_request_that_fits_arrives_and_a_longer_one_is_not_sent on LIBVIRT,
    a_read_that_is_too_long_is_refused_and_the_file_stays_where_it_is on LIBVIRT,
    a_long_output_comes_whole_and_the_agent_stays_usable on LIBVIRT,
    a_file_of_64_mib_goes_there_and_back on LIBVIRT,
    an_error_of_the_agent_is_the_agents_and_not_libvirts on LIBVIRT,
    what_cannot_be_reached_is_told_with_the_reason on LIBVIRT,
    a_domain_that_starts_becomes_ready on LIBVIRT,
    a_paused_domain_is_waited_for on LIBVIRT,
    a_reboot_ends_with_the_next_agent on LIBVIRT,
    a_shutdown_ends_when_the_domain_is_off on LIBVIRT,
];

const PING: &str = r#"{"execute":"guest-ping"}"#;

async fn connect(domain: &Domain) -> Guest {
    builder().connect(domain.address()).await.unwrap()
}

/// Whether the agent answers others too.
async fn is_usable(domain: &Domain) {
    let answer = domain.ask_by_virsh(PING).await.unwrap();
    assert_eq!(answer, r#"{"return":{}}"#);
}

async fn a_sync_of_a_caller_is_answered_here_and_the_agent_stays_usable(_: On) {
    let domain = domain().await;
    let address = domain.address();
    let rest = address.strip_prefix("libvirt:").unwrap();
    let mut agent = qga_libvirt::open(rest.into()).await.unwrap();
    for name in ["guest-sync", "guest-sync-delimited"] {
        let request = json!({"execute": name, "arguments": {"id": 77}, "id": 5}).to_string();
        let deadline = Instant::now() + Duration::from_secs(60);
        let reply = agent.call(request.as_bytes(), deadline.into_std()).await;
        let reply: Value = serde_json::from_slice(&reply.unwrap()).unwrap();
        assert_eq!(reply, json!({"return": 77, "id": 5}));
        is_usable(&domain).await;
    }
}

async fn a_request_that_fits_arrives_and_a_longer_one_is_not_sent(_: On) {
    let domain = domain().await;
    let guest = connect(&domain).await;
    let printf = async |length: usize| {
        // One argument may have 128 KiB.
        let words = ["1", &"x".repeat(length / 2), &"y".repeat(length / 2)].map(str::to_owned);
        let mut command = guest.command("sh");
        command
            .args(["-c", "printf %s \"$2$3\" | wc -c", "sh"])
            .args(words);
        command.output().await
    };
    let output = printf(195_000).await.unwrap();
    assert_eq!(output.stdout_lossy().trim(), "195000");
    let error = printf(201_000).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
    // The agent knows no such argument of it.
    let fits = json!({"id": "z".repeat(199_900)});
    let raw = guest.client().execute_raw("guest-ping", fits).await;
    assert_eq!(raw.unwrap_err().execution(), Execution::Answered);
    let long = json!({"id": "z".repeat(200_000)});
    let raw = guest.client().execute_raw("guest-ping", long).await;
    assert_eq!(raw.unwrap_err().execution(), Execution::NotRun);
    is_usable(&domain).await;
    guest.execute(Ping).await.unwrap();
}

async fn a_read_that_is_too_long_is_refused_and_the_file_stays_where_it_is(_: On) {
    const LONGEST: i64 = 3_145_600;
    let domain = domain().await;
    let shell = domain.shell().unwrap();
    shell
        .must("head -c 4000000 /dev/zero >/run/long")
        .await
        .unwrap();
    let guest = connect(&domain).await;
    let client = guest.client();
    let handle = client.execute(FileOpen::new("/run/long")).await.unwrap();
    let error = client.execute(FileRead::new(handle).count(LONGEST + 1));
    let error = error.await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
    let seek = FileSeek::new(handle, 0, QgaSeek::Current);
    assert_eq!(client.execute(seek).await.unwrap().position, 0);
    let read = client.execute(FileRead::new(handle).count(LONGEST)).await;
    assert_eq!(read.unwrap().count, LONGEST);
    is_usable(&domain).await;
}

async fn a_long_output_comes_whole_and_the_agent_stays_usable(_: On) {
    let domain = domain().await;
    let guest = connect(&domain).await;
    let length = 12 << 20;
    let mut command = guest.command("head");
    command.args(["-c", &length.to_string(), "/dev/zero"]);
    let output = command.output().await.unwrap();
    assert!(output.status.success() && !output.truncated);
    assert!(output.stdout == vec![0; length]);
    is_usable(&domain).await;
    // Nor has the guest kept it.
    let left = domain.shell().unwrap().must("ls /tmp").await;
    assert!(!left.unwrap().contains("qga-"));
}

async fn a_file_of_64_mib_goes_there_and_back(_: On) {
    const LENGTH: u64 = 64 << 20;
    let domain = domain().await;
    let guest = connect(&domain).await;
    // Of no period, so that no piece can stand in for another.
    let numbers = (0..LENGTH / 8).map(|number| number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let bytes: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
    let folder = tempfile::tempdir().unwrap();
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    std::fs::write(&here, &bytes).unwrap();
    guest.upload(&here, "/mnt/data/image").await.unwrap();
    guest.download("/mnt/data/image", &back).await.unwrap();
    assert!(std::fs::read(&back).unwrap() == bytes);
}

async fn an_error_of_the_agent_is_the_agents_and_not_libvirts(_: On) {
    let domain = domain().await;
    let guest = connect(&domain).await;
    let error = guest.read("/no/such/file").await.unwrap_err();
    let said = error.agent_error().unwrap();
    assert!(said.desc.contains("No such file"), "{said:?}");
    assert_eq!(error.execution(), Execution::Answered);
    let unknown = guest.client().execute_raw("guest-unknown", Value::Null);
    let error = unknown.await.unwrap_err();
    assert!(error.is_command_not_found(), "{error:?}");
    domain.virsh("destroy").await.unwrap();
    let error = guest.execute(Ping).await.unwrap_err();
    assert!(error.agent_error().is_none(), "{error:?}");
}

async fn what_cannot_be_reached_is_told_with_the_reason(_: On) {
    let host = libvirt_host().await;
    let off = host.domain(&new_name()).define().await.unwrap();
    let without = host.domain(&new_name()).without_channel();
    let without = without.start().await.unwrap();
    for (address, reason) in [
        (host.address("nobody"), "has no domain \"nobody\""),
        (off.address(), "is off"),
        (without.address(), "no channel for the guest agent"),
        (
            "libvirt:///system/x?socket=/nowhere".to_owned(),
            "is libvirt installed",
        ),
    ] {
        let error = builder().connect(address).await.unwrap_err();
        let cause = error.command_error().unwrap();
        assert!(matches!(cause.kind(), ErrorKind::Open(_)), "{error:?}");
        assert_eq!(error.execution(), Execution::NotRun);
        assert!(error.to_string().contains(reason), "{error}");
    }
}

async fn a_domain_that_starts_becomes_ready(_: On) {
    let host = libvirt_host().await;
    let mut domain = host.domain(&new_name()).define().await.unwrap();
    domain.switch_on().await.unwrap();
    let guest = connect(&domain).await;
    guest.wait_ready(&ready()).await.unwrap();
    guest.execute(Ping).await.unwrap();
}

async fn a_paused_domain_is_waited_for(_: On) {
    let domain = domain().await;
    let guest = connect(&domain).await;
    domain.virsh("suspend").await.unwrap();
    let brief = Options::new().timeout(Duration::from_secs(1));
    let error = guest.client().with_options(brief).execute(Ping).await;
    let error = error.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    let mut ping = Box::pin(guest.client().execute(Ping).into_future());
    let early = timeout(Duration::from_millis(500), &mut ping).await;
    early.unwrap_err();
    domain.virsh("resume").await.unwrap();
    ping.await.unwrap();
}

/// A guest whose client is told by the daemon what becomes of its machine, or is not.
async fn guest_told(domain: &Domain, is_told: bool) -> Guest {
    let options = Options::new().timeout(Duration::from_secs(10));
    let builder = builder().options(options);
    if !is_told {
        return builder.connect(domain.address()).await.unwrap();
    }
    let address = format!(
        "libvirt:///system?socket={}",
        domain.host().socket().display()
    );
    let daemon = Daemon::open(&address);
    let machine = daemon.await.unwrap().machine(domain.name()).await.unwrap();
    let builder = builder.machine(&machine);
    builder.connect(domain.address()).await.unwrap()
}

async fn a_reboot_ends_with_the_next_agent(_: On) {
    for is_told in [false, true] {
        let domain = domain().await;
        let guest = guest_told(&domain, is_told).await;
        let file = guest.open("/etc/hostname").await.unwrap();
        let boot = guest.read("/proc/sys/kernel/random/boot_id").await.unwrap();
        let outcome = guest.reboot().timeout(Duration::from_secs(220)).await;
        assert_eq!(outcome.unwrap(), Outcome::Back, "{is_told}");
        guest.wait_ready(&ready()).await.unwrap();
        let next = guest.read("/proc/sys/kernel/random/boot_id").await.unwrap();
        assert_ne!(boot, next);
        let error = file.close().await.unwrap_err();
        assert!(matches!(error, GuestError::AgentGone { .. }), "{error:?}");
    }
}

async fn a_shutdown_ends_when_the_domain_is_off(_: On) {
    for is_told in [false, true] {
        let domain = domain().await;
        let guest = guest_told(&domain, is_told).await;
        assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off, "{is_told}");
        let is_off = |state: &str| state.contains("shut off");
        domain.wait_until("domstate", is_off).await.unwrap();
        let error = guest.execute(Ping).await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
    }
}
