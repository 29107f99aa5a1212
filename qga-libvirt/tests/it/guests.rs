//! Guests that work.

use qga_commands::Guest;

use crate::support::{Act, Ping, client, connect, vm1};
use qga_testserver::{LibvirtDaemon, TestAgent};

#[tokio::test(start_paused = true)]
async fn a_domain_is_reached_by_its_name_and_by_its_uuid() {
    let (daemon, agent) = vm1().await;
    client(&daemon).await.execute(Ping).await.unwrap();
    let by_uuid = connect(&daemon, &daemon.uuid("vm1")).await.unwrap();
    by_uuid.execute(Ping).await.unwrap();
    assert_eq!(agent.requests_of("guest-ping").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_any_size_goes_there_and_back_within_libvirts_limits() {
    let (daemon, _agent) = vm1().await;
    let guest = Guest::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .connect_lazy(daemon.address("vm1"))
        .unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    guest.write("/tmp/big", &bytes).await.unwrap();
    assert!(guest.read("/tmp/big").await.unwrap() == bytes);
    let limits = guest.client().transport_limits();
    assert_eq!(
        (limits.request, limits.reply),
        (Some(200_000), Some(4 << 20))
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_agent_is_the_agents() {
    let (daemon, agent) = vm1().await;
    agent
        .on("test-act")
        .error("GenericError", "it did: not work");
    let error = client(&daemon).await.execute(Act).await.unwrap_err();
    assert_eq!(error.agent_error().unwrap().desc, "it did: not work");
    agent.disable("guest-ping");
    let error = client(&daemon).await.execute(Ping).await.unwrap_err();
    assert!(
        error.is_command_not_found() && error.is_disabled(),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn many_guests_share_few_connections_and_never_have_five_calls_on_one() {
    let daemon = LibvirtDaemon::start();
    let mut agents = Vec::new();
    let mut clients = Vec::new();
    for number in 0..40 {
        let agent = TestAgent::start().await;
        let name = format!("vm{number}");
        agent.on("test-act").reply(number);
        daemon.domain(&name, &agent);
        clients.push(connect(&daemon, &name).await.unwrap());
        agents.push(agent);
    }
    assert_eq!(daemon.connections(), 1);
    let mut calls = tokio::task::JoinSet::new();
    for (number, client) in (0..).zip(&clients) {
        let client = client.clone();
        calls.spawn(async move {
            for _ in 0..20 {
                assert_eq!(client.execute(Act).await.unwrap(), number);
            }
        });
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    assert!(daemon.connections() <= 4, "{}", daemon.connections());
    assert!(daemon.most_in_flight() <= 4, "{}", daemon.most_in_flight());
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_with_its_last_user() {
    let (daemon, _agent) = vm1().await;
    for count in 1..=3 {
        client(&daemon).await.execute(Ping).await.unwrap();
        assert_eq!(daemon.connections(), count);
    }
}

#[test]
fn each_runtime_has_connections_of_its_own() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let server = runtime();
    let (daemon, _agent) = server.block_on(vm1());
    let first = runtime();
    let client = first.block_on(client(&daemon));
    first.block_on(client.execute(Ping)).unwrap();
    drop(first);
    // The first one's connection has ended with it.
    let second = runtime();
    second.block_on(client.execute(Ping)).unwrap();
    assert_eq!(daemon.connections(), 2);
}
