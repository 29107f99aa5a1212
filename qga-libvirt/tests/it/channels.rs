//! Ports of domains as streams of bytes.

use std::io::ErrorKind as IoKind;
use std::time::Duration;

use qga_commands::Guest;
use qga_core::{Client, ClientBuilder, Error, ErrorKind, Options};
use qga_libvirt::DomainChannel;
use qga_testserver::{DomainState, LibvirtAuth, LibvirtDaemon, TestAgent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::{Act, Ping, client, vm1};

const PORT: &str = "org.qemu.guest_agent.1";

/// A daemon whose domain `vm1` has two agents: that of libvirt, and another one.
async fn two_agents() -> (LibvirtDaemon, TestAgent, TestAgent) {
    let (daemon, own) = vm1().await;
    let other = TestAgent::start().await;
    daemon.channel("vm1", PORT, &other);
    (daemon, own, other)
}

fn builder() -> ClientBuilder {
    Client::builder()
        .scheme("libvirt-channel", qga_libvirt::open_channel)
        .options(Options::new().timeout(Duration::from_secs(20)))
}

async fn connect(daemon: &LibvirtDaemon) -> Result<Client, Error> {
    builder().connect(daemon.channel_address("vm1", PORT)).await
}

async fn raw(address: &str) -> std::io::Result<DomainChannel> {
    let rest = address.strip_prefix("libvirt-channel:").unwrap();
    qga_libvirt::open_channel(rest.to_owned()).await
}

async fn raw_port(daemon: &LibvirtDaemon) -> DomainChannel {
    raw(&daemon.channel_address("vm1", PORT)).await.unwrap()
}

fn kind(error: &Error) -> IoKind {
    let ErrorKind::Open(cause) = error.kind() else {
        panic!("{error:?}");
    };
    cause.kind()
}

#[tokio::test(start_paused = true)]
async fn another_agent_is_reached_beside_that_of_libvirt() {
    let (daemon, own, other) = two_agents().await;
    let through_libvirt = client(&daemon).await;
    let beside = connect(&daemon).await.unwrap();
    for _ in 0..3 {
        through_libvirt.execute(Ping).await.unwrap();
        beside.execute(Ping).await.unwrap();
    }
    assert_eq!(own.requests_of("guest-ping").len(), 3);
    assert_eq!(other.requests_of("guest-ping").len(), 3);
    let by_uuid = daemon.channel_address(&daemon.uuid("vm1"), PORT);
    drop(beside);
    let by_uuid = builder().connect(by_uuid).await.unwrap();
    by_uuid.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_libvirts_calls_cannot_carry_passes_both_ways() {
    let (daemon, _own, other) = two_agents().await;
    let guest = Guest::builder()
        .scheme("libvirt-channel", qga_libvirt::open_channel)
        .connect(daemon.channel_address("vm1", PORT))
        .await
        .unwrap();
    let limits = guest.client().transport_limits();
    assert_eq!((limits.request, limits.reply), (None, None));
    let bytes: Vec<u8> = (0..2_000_000_u32).flat_map(u32::to_le_bytes).collect();
    guest.write("/tmp/big", &bytes).await.unwrap();
    assert!(guest.read("/tmp/big").await.unwrap() == bytes);
    // One line of 6 MB, which is several packets.
    let mut raw = {
        drop(guest);
        raw_port(&daemon).await
    };
    let long = "x".repeat(6_000_000);
    let request = format!(r#"{{"execute":"test-act","arguments":{{"long":"{long}"}}}}"#);
    other.on("test-act").reply(long.as_str());
    raw.write_all(format!("{request}\n").as_bytes())
        .await
        .unwrap();
    raw.flush().await.unwrap();
    let expected = format!("{{\"return\": \"{long}\"}}\n");
    let mut reply = vec![0; expected.len()];
    raw.read_exact(&mut reply).await.unwrap();
    assert!(reply == expected.as_bytes());
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_client_left_unread_goes_to_no_command_of_the_next_one() {
    let (daemon, _own, other) = two_agents().await;
    other.on("test-act").up_to(1).reply(1);
    other.on("test-act").reply(2);
    let mut hasty = raw_port(&daemon).await;
    hasty
        .write_all(b"{\"execute\":\"test-act\"}\n")
        .await
        .unwrap();
    hasty.flush().await.unwrap();
    other.wait_for("test-act", 1).await;
    drop(hasty);
    let client = connect(&daemon).await.unwrap();
    assert_eq!(client.execute(Act).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_somebody_has_is_held_and_is_taken_away_only_by_force() {
    let (daemon, _own, _other) = two_agents().await;
    let mut first = raw_port(&daemon).await;
    let error = connect(&daemon).await.unwrap_err();
    assert!(error.is_held(), "{error:?}");
    let forced = format!("{}&force", daemon.channel_address("vm1", PORT));
    let second = builder().connect(forced).await.unwrap();
    second.execute(Ping).await.unwrap();
    let error = first.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), IoKind::ConnectionReset);
    assert!(error.to_string().contains("by force"), "{error}");
    first.write_all(b"x").await.unwrap_err();
    drop(first);
    second.execute(Ping).await.unwrap();
    assert!(connect(&daemon).await.unwrap_err().is_held());
}

#[tokio::test(start_paused = true)]
async fn a_port_is_free_again_as_soon_as_its_stream_was_dropped() {
    let (daemon, _own, _other) = two_agents().await;
    for _ in 0..20 {
        let client = connect(&daemon).await.unwrap();
        client.execute(Ping).await.unwrap();
    }
    for _ in 0..20 {
        drop(raw_port(&daemon).await);
    }
    // Each has a connection of its own.
    assert_eq!(daemon.connections(), 40);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_shut_down_is_free_before_it_is_dropped() {
    let (daemon, _own, _other) = two_agents().await;
    let mut first = raw_port(&daemon).await;
    first.shutdown().await.unwrap();
    assert_eq!(first.read(&mut [0; 9]).await.unwrap(), 0);
    connect(&daemon).await.unwrap().execute(Ping).await.unwrap();
    first.write_all(b"x").await.unwrap_err();
    first.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_does_not_read_lets_writers_wait_and_leaves_no_port_busy() {
    let (daemon, _own) = vm1().await;
    let other = TestAgent::start().await;
    // An agent serves one client at a time, so this one keeps it from reading on the port.
    let busy = Client::builder().connect(other.address()).await.unwrap();
    busy.execute(Ping).await.unwrap();
    daemon.channel("vm1", PORT, &other);
    let address = daemon.channel_address("vm1", PORT);
    for megabytes in [1, 3, 40] {
        let mut stream = raw(&address).await.unwrap();
        let line = vec![b' '; megabytes << 20];
        let written = timeout(Duration::from_secs(60), async {
            stream.write_all(&line).await?;
            stream.flush().await
        });
        assert_eq!(written.await.is_err(), megabytes == 40, "{megabytes}");
        drop(stream);
    }
    let stream = raw(&address).await.unwrap();
    // One each, and another one for each that the daemon could not end, since its bytes come before its end.
    assert_eq!(daemon.connections(), 7);
    let error = builder().connect(address.as_str()).await.unwrap_err();
    assert!(error.is_held(), "{error:?}");
    drop((stream, busy));
    let client = builder().connect(address).await.unwrap();
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_domain_that_is_stopped_ends_the_stream() {
    let (daemon, _own, _other) = two_agents().await;
    let mut stream = raw_port(&daemon).await;
    daemon.set_state("vm1", DomainState::Off);
    assert_eq!(stream.read(&mut [0; 9]).await.unwrap(), 0);
    stream.write_all(b"x").await.unwrap_err();
    drop(stream);
    let error = connect(&daemon).await.unwrap_err();
    assert_eq!(kind(&error), IoKind::ConnectionRefused);
    assert!(error.to_string().contains("is off"), "{error}");
    daemon.set_state("vm1", DomainState::Running);
    let client = connect(&daemon).await.unwrap();
    client.execute(Ping).await.unwrap();
    daemon.set_state("vm1", DomainState::Off);
    assert!(client.execute(Act).await.unwrap_err().is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_closes_the_channel_and_the_next_one_is_asked_again() {
    let (daemon, _own, other) = two_agents().await;
    let client = connect(&daemon).await.unwrap();
    client.execute(Ping).await.unwrap();
    daemon.kill().await;
    let error = client.execute(Act).await.unwrap_err();
    assert!(error.is_closed() || kind(&error) == IoKind::ConnectionRefused);
    daemon.resume();
    daemon.channel("vm1", PORT, &other);
    client.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_address_of_a_port_names_the_machine_too() {
    let (daemon, _own, _other) = two_agents().await;
    let address = daemon.channel_address("vm1", PORT);
    qga_libvirt::machine(&address).await.unwrap();
    qga_libvirt::machine(&daemon.channel_address("vm2", PORT))
        .await
        .map(drop)
        .unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_is_told_apart() {
    let (daemon, _own, _other) = two_agents().await;
    daemon.domain_without_channel("bare");
    let at = |domain, port| daemon.channel_address(domain, port);
    for (address, expected, words) in [
        (at("vm2", PORT), IoKind::NotFound, "no domain \"vm2\""),
        (at("bare", PORT), IoKind::NotFound, "no channel"),
        (at("vm1", "org.example"), IoKind::NotFound, "no channel"),
        (
            at("vm1", "org.qemu.guest_agent.0"),
            IoKind::InvalidInput,
            "libvirt's own",
        ),
        (at("vm1", ""), IoKind::InvalidInput, "missing"),
        (
            daemon.channel_address("vm1", PORT).replace(PORT, "?"),
            IoKind::InvalidInput,
            "question mark",
        ),
    ] {
        let error = builder().connect(address.as_str()).await.unwrap_err();
        assert_eq!(kind(&error), expected, "{address}: {error:?}");
        assert!(error.to_string().contains(words), "{address}: {error}");
    }
    daemon.auth(LibvirtAuth::PolkitRefuses);
    let error = connect(&daemon).await.unwrap_err();
    assert_eq!(kind(&error), IoKind::PermissionDenied);
}

#[tokio::test(start_paused = true)]
async fn the_port_of_libvirts_agent_is_not_opened_by_the_name_that_the_daemon_has_for_it() {
    let (daemon, _own, _other) = two_agents().await;
    let alias = daemon.channel_address("vm1", "channel0");
    let error = builder().connect(alias).await.unwrap_err();
    assert_eq!(kind(&error), IoKind::NotFound);
    client(&daemon).await.execute(Ping).await.unwrap();
}
