//! Guests that work.

use std::future::poll_fn;
use std::task::Poll;

use qga_commands::Guest;
use qga_commands::commands::file::{FileOpen, FileRead};

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

/// Who is let in, the driver, the domain, its agent's port, and the command. Each of them needs the reply before it.
#[tokio::test(start_paused = true)]
async fn a_first_ping_takes_five_calls_and_each_further_one_takes_one() {
    let (daemon, _agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    assert_eq!(daemon.calls(), 5);
    client.execute(Ping).await.unwrap();
    assert_eq!(daemon.calls(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_file_of_any_size_goes_there_and_back_within_libvirts_limits() {
    let (daemon, _agent) = vm1().await;
    let guest = guest(&daemon);
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    guest.write("/tmp/big", &bytes).await.unwrap();
    assert!(guest.read("/tmp/big").await.unwrap() == bytes);
    let limits = guest.client().transport_limits();
    assert_eq!(
        (limits.request, limits.reply),
        (Some(200_000), Some(4 << 20))
    );
}

fn guest(daemon: &LibvirtDaemon) -> Guest {
    let builder = Guest::builder().scheme_messages("libvirt", qga_libvirt::open);
    builder.connect_lazy(daemon.address("vm1")).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_longest_read_is_carried() {
    let (daemon, agent) = vm1().await;
    let count = 3_145_600;
    agent.file("/tmp/long", vec![b'x'; count]);
    let guest = guest(&daemon);
    let client = guest.client();
    let open = FileOpen::new("/tmp/long");
    let handle = client.execute(open).await.unwrap();
    let count = i64::try_from(count).unwrap();
    let read = client.execute(FileRead::new(handle).count(count)).await;
    assert_eq!(read.unwrap().count, count);
}

/// Libvirt gives up an agent whose reply is longer than 10 MiB.
#[tokio::test(start_paused = true)]
async fn output_that_would_break_the_agent_comes_whole_and_the_agent_stays_usable() {
    let (daemon, agent) = vm1().await;
    let bytes = vec![b'x'; 12 << 20];
    agent.program("/bin/yes").stdout(&*bytes).exit(0);
    let guest = guest(&daemon);
    let output = guest.command("/bin/yes").output().await.unwrap();
    assert!(output.status.success() && !output.truncated);
    assert!(output.stdout == bytes);
    client(&daemon).await.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_output_that_is_read_in_pieces_can_be_dropped_and_done_again() {
    let (daemon, agent) = vm1().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    agent.program("/bin/chatter").stdout(&*bytes).exit(3);
    let guest = guest(&daemon);
    let mut started = guest.command("/bin/chatter").start().await.unwrap();
    // Until one is long enough.
    for most in 1.. {
        let mut waiting = Box::pin(started.wait());
        let mut polls = 0;
        let polled = poll_fn(|cx| {
            // Who drops the question how it ended may lose the answer.
            polls += u32::from(!agent.requests_of("guest-file-read").is_empty());
            match waiting.as_mut().poll(cx) {
                Poll::Pending if polls > most => Poll::Ready(None),
                polled => polled.map(Some),
            }
        });
        if let Some(output) = polled.await {
            let output = output.unwrap();
            assert!(output.stdout == bytes, "{most}");
            assert_eq!(output.status.code(), Some(3));
            assert!(most > 3);
            return;
        }
    }
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
