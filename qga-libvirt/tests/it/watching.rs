//! What a daemon tells of its domains.

use std::io;
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::guest::power::Outcome;
use qga_core::{Client, MachineWatch as _, Options, Power};
use qga_libvirt::{AgentState, Daemon, EventKind, Events, Missed};
use qga_testserver::{DomainState, LibvirtAuth, LibvirtDaemon, TestAgent};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{Ping, builder, connect, open, vm1};

async fn kinds(events: &mut Events, count: usize) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(events.next().await.unwrap().kind);
    }
    kinds
}

#[tokio::test]
async fn domains_are_listed_by_name_with_their_agents() {
    let (daemon, agent) = vm1().await;
    daemon.domain("zoo", &agent);
    daemon.set_state("zoo", DomainState::Paused);
    daemon.domain_without_channel("bare");
    daemon.domain("off", &agent);
    daemon.set_state("off", DomainState::Off);
    daemon.set_port_open("vm1", false);
    let domains = open(&daemon).await.domains().await.unwrap();
    let domains: Vec<_> = domains
        .iter()
        .map(|it| (&*it.name, it.power, it.agent))
        .collect();
    assert_eq!(
        domains,
        [
            ("bare", Power::Running, AgentState::NoChannel),
            ("off", Power::Off, AgentState::Disconnected),
            ("vm1", Power::Running, AgentState::Disconnected),
            ("zoo", Power::Paused, AgentState::Connected),
        ]
    );
}

#[tokio::test]
async fn the_address_of_a_listed_domain_leads_to_its_agent() {
    let (daemon, _agent) = vm1().await;
    let domains = open(&daemon).await.domains().await.unwrap();
    assert_eq!(domains[0].address, daemon.address("vm1"));
    let builder = qga_core::Client::builder().scheme_messages("libvirt", qga_libvirt::open);
    let client = builder.connect(&*domains[0].address).await.unwrap();
    client.execute(Ping).await.unwrap();
}

#[tokio::test]
async fn a_domain_and_its_daemon_are_found_by_the_address_of_its_agent() {
    let (daemon, agent) = vm1().await;
    daemon.domain("vm2", &agent);
    daemon.set_state("vm1", DomainState::Off);
    let by_name = daemon.address("vm1");
    let by_uuid = daemon.address(&daemon.uuid("vm1"));
    for address in [by_name, by_uuid] {
        let (daemon, domain) = Daemon::of(&address).await.unwrap();
        assert_eq!((&*domain.name, domain.power), ("vm1", Power::Off));
        assert_eq!(daemon.domains().await.unwrap().len(), 2, "{address}");
    }
    let nobody = Daemon::of(&daemon.address("nobody")).await.unwrap_err();
    assert_eq!(nobody.kind(), io::ErrorKind::NotFound);
    let senseless = Daemon::of("unix:/run/vm1.sock").await.unwrap_err();
    assert_eq!(senseless.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn what_happens_to_a_domain_is_told_in_order() {
    let (daemon, agent) = vm1().await;
    let mut events = open(&daemon).await.events().await.unwrap();
    daemon.set_state("vm1", DomainState::Paused);
    daemon.set_state("vm1", DomainState::Running);
    daemon.set_port_open("vm1", false);
    daemon.set_state("vm1", DomainState::Off);
    daemon.domain("vm2", &agent);
    let first = events.next().await.unwrap();
    assert_eq!((&*first.name, first.kind), ("vm1", EventKind::Paused));
    assert_eq!(first.uuid, daemon.uuid("vm1"));
    assert_eq!(
        kinds(&mut events, 7).await,
        [
            EventKind::Resumed,
            EventKind::AgentDisconnected,
            EventKind::ShuttingDown,
            EventKind::Stopped,
            EventKind::Defined,
            EventKind::Started,
            EventKind::AgentConnected,
        ]
    );
    daemon.undefine("vm1");
    assert_eq!(events.next().await.unwrap().kind, EventKind::Undefined);
}

#[tokio::test]
async fn all_who_listen_share_a_connection_which_ends_with_the_last() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let before = daemon.connections();
    let mut one = opened.events().await.unwrap();
    let mut other = open(&daemon).await.events().await.unwrap();
    assert_eq!(daemon.connections(), before + 1);
    assert_eq!(daemon.callbacks(), 3);
    daemon.set_state("vm1", DomainState::Paused);
    assert_eq!(one.next().await.unwrap(), other.next().await.unwrap());
    drop((one, other));
    while daemon.callbacks() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn after_a_restart_of_the_daemon_it_is_told_that_events_were_missed() {
    let (daemon, _agent) = vm1().await;
    let mut events = open(&daemon).await.events().await.unwrap();
    daemon.kill().await;
    daemon.set_state("vm1", DomainState::Paused);
    daemon.resume();
    let missed = events.next().await.unwrap_err();
    assert_eq!(missed.events, None, "{missed}");
    daemon.set_state("vm1", DomainState::Running);
    assert_eq!(events.next().await.unwrap().kind, EventKind::Resumed);
}

#[tokio::test]
async fn who_is_slow_is_told_how_many_events_were_missed() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let (mut slow, mut quick) = (
        opened.events().await.unwrap(),
        opened.events().await.unwrap(),
    );
    for _ in 0..1000 {
        daemon.set_state("vm1", DomainState::Paused);
        daemon.set_state("vm1", DomainState::Running);
        quick.next().await.unwrap();
        quick.next().await.unwrap();
    }
    let Err(Missed {
        events: Some(count),
        ..
    }) = slow.next().await
    else {
        panic!("nothing was missed");
    };
    for _ in count..2000 {
        slow.next().await.unwrap();
    }
    daemon.set_port_open("vm1", false);
    assert_eq!(
        slow.next().await.unwrap().kind,
        EventKind::AgentDisconnected
    );
}

#[tokio::test]
async fn a_machine_is_known_as_it_is_and_as_it_changes() {
    let (daemon, _agent) = vm1().await;
    daemon.set_state("vm1", DomainState::Paused);
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let mut states = machine.watch();
    let first = *states.borrow_and_update();
    assert_eq!(
        (first.power, first.port_is_open),
        (Power::Paused, Some(true))
    );
    for (state, power) in [
        (DomainState::Running, Power::Running),
        (DomainState::Suspended, Power::Suspended),
        (DomainState::Running, Power::Running),
        (DomainState::Crashed, Power::Panicked),
        (DomainState::Off, Power::Off),
    ] {
        daemon.set_state("vm1", state);
        states.wait_for(|state| state.power == power).await.unwrap();
    }
    assert_eq!(states.borrow().port_is_open, Some(false));
    daemon.tell_reset("vm1");
    states.wait_for(|state| state.resets == 1).await.unwrap();
}

#[tokio::test]
async fn of_a_machine_whose_daemon_has_gone_nothing_is_known_until_it_is_back() {
    let (daemon, _agent) = vm1().await;
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let mut states = machine.watch();
    daemon.kill().await;
    states
        .wait_for(|state| state.power == Power::Unknown)
        .await
        .unwrap();
    daemon.set_state("vm1", DomainState::Paused);
    daemon.resume();
    states
        .wait_for(|state| state.power == Power::Paused)
        .await
        .unwrap();
    assert_eq!(states.borrow().port_is_open, Some(true));
    daemon.kill().await;
    states
        .wait_for(|state| state.power == Power::Unknown)
        .await
        .unwrap();
    daemon.undefine("vm1");
    daemon.resume();
    states
        .wait_for(|state| state.power == Power::Off)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_a_shutdown_is_proven_by_the_daemon() {
    let (daemon, _agent) = vm1().await;
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let guest = Guest::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .machine(&machine)
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
    assert_eq!(machine.watch().borrow().power, Power::Off);
}

#[tokio::test(start_paused = true)]
async fn a_reboot_is_seen_and_the_guest_is_back() {
    let (daemon, _agent) = vm1().await;
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let guest = Guest::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .machine(&machine)
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
    assert!(machine.watch().borrow().resets >= 1);
}

#[tokio::test(start_paused = true)]
async fn a_suspend_is_seen_and_so_is_the_waking() {
    let (daemon, agent) = vm1().await;
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let guest = Guest::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .machine(&machine)
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    assert_eq!(guest.suspend_ram().await.unwrap(), Outcome::Suspended);
    agent.wake();
    let mut states = machine.watch();
    states
        .wait_for(|state| state.power == Power::Running)
        .await
        .unwrap();
    guest.host_name().await.unwrap();
}

#[tokio::test]
async fn who_may_only_look_lists_and_listens_and_reaches_no_agent() {
    let (daemon, _agent) = vm1().await;
    daemon.auth(LibvirtAuth::PolkitRefuses);
    let opened = open(&daemon).await;
    assert!(opened.is_read_only());
    assert_eq!(opened.domains().await.unwrap().len(), 1);
    let mut events = opened.events().await.unwrap();
    daemon.set_state("vm1", DomainState::Paused);
    assert_eq!(events.next().await.unwrap().kind, EventKind::Paused);
    let error = connect(&daemon, "vm1").await.unwrap_err();
    assert!(error.to_string().contains("polkit"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_away_is_not_asked_for_until_it_is_told_to_be_back() {
    let (daemon, _agent) = vm1().await;
    daemon.set_port_open("vm1", false);
    let client = builder()
        .options(Options::new().timeout(Duration::from_secs(3600)))
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    let before = daemon.calls();
    let ping = tokio::spawn(async move { client.execute(Ping).await });
    // Nothing but time passes.
    tokio::time::sleep(Duration::from_secs(600)).await;
    let looks = daemon.calls() - before;
    assert!(looks <= 80, "{looks} calls in ten minutes");
    daemon.set_port_open("vm1", true);
    ping.await.unwrap().unwrap();
}

#[tokio::test]
async fn addresses_of_no_daemon_are_refused() {
    for (address, kind) in [
        ("vm1", io::ErrorKind::InvalidInput),
        ("libvirt:vm1", io::ErrorKind::InvalidInput),
        ("libvirt:///system/vm1", io::ErrorKind::InvalidInput),
        ("libvirt:///nonsense", io::ErrorKind::InvalidInput),
        (
            "libvirt:///system?socket=/none/libvirt-sock",
            io::ErrorKind::NotFound,
        ),
    ] {
        let error = Daemon::open(address).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{address}: {error}");
    }
    let (daemon, _agent) = vm1().await;
    let error = open(&daemon).await.machine("vm2").await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn a_client_is_told_what_its_machine_does() {
    let agent = TestAgent::start().await;
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    let machine = qga_libvirt::machine(&daemon.address("vm1")).await.unwrap();
    let client: Client = builder()
        .machine(&machine)
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    agent.pause();
    let mut states = client.machine().unwrap();
    states
        .wait_for(|state| state.power == Power::Paused)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_runs_on_another_host_now_is_not_told_to_be_off() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let machine = opened.machine("vm1").await.unwrap();
    daemon.set_state("vm1", DomainState::Migrated);
    let mut states = machine.watch();
    states.changed().await.unwrap();
    assert_eq!(states.borrow().power, Power::Unknown);
    // Who asks is told the same.
    let asked = opened.machine("vm1").await.unwrap();
    assert_eq!(asked.watch().borrow().power, Power::Unknown);
    assert_eq!(opened.domains().await.unwrap()[0].power, Power::Unknown);
    daemon.set_state("vm1", DomainState::Running);
    states
        .wait_for(|state| state.power == Power::Running)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_happened_before_a_machine_was_looked_at_is_not_told_as_news() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let mut events = opened.events().await.unwrap();
    daemon.set_busy(true);
    let before = daemon.calls();
    let watching = tokio::spawn(async move { opened.machine("vm1").await.unwrap() });
    // It asks for the domain, for its XML and for its state, and each time something happens before the answer.
    for question in 1..=3 {
        while daemon.calls() < before + question {
            sleep(Duration::from_millis(10)).await;
        }
        daemon.set_state("vm1", DomainState::Off);
        daemon.set_state("vm1", DomainState::Running);
        daemon.tell_reset("vm1");
        while events.next().await.unwrap().kind != EventKind::Rebooted {}
        daemon.set_busy(false);
        yield_now().await;
        daemon.set_busy(question < 3);
    }
    let machine = watching.await.unwrap();
    let states = machine.watch();
    sleep(Duration::from_secs(1)).await;
    assert!(!states.has_changed().unwrap(), "{:?}", states.borrow());
    assert_eq!(states.borrow().resets, 0);
    daemon.tell_reset("vm1");
    let mut states = machine.watch();
    states.wait_for(|state| state.resets == 1).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_could_not_be_looked_at_is_looked_at_again() {
    let (daemon, _agent) = vm1().await;
    let machine = open(&daemon).await.machine("vm1").await.unwrap();
    let mut states = machine.watch();
    daemon.kill().await;
    for _ in 0..3 {
        daemon.fail_question(1, 0, "it is about to start");
    }
    daemon.resume();
    for power in [Power::Unknown, Power::Running] {
        let waited = states.wait_for(|state| state.power == power);
        let waited = timeout(Duration::from_secs(60), waited).await;
        drop(waited.unwrap().unwrap());
    }
    assert_eq!(states.borrow().port_is_open, Some(true));
}

#[tokio::test(start_paused = true)]
async fn a_guest_of_which_something_is_told_without_end_does_not_have_the_daemon_asked_without_end()
{
    let (daemon, _agent) = vm1().await;
    daemon.set_port_open("vm1", false);
    let client = builder()
        .options(Options::new().timeout(Duration::from_secs(3600)))
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    let before = daemon.calls();
    let ping = tokio::spawn(async move { client.execute(Ping).await });
    for _ in 0..1000 {
        daemon.tell_reset("vm1");
        sleep(Duration::from_millis(10)).await;
    }
    let looks = daemon.calls() - before;
    assert!(looks <= 300, "{looks} calls in ten seconds");
    daemon.set_port_open("vm1", true);
    ping.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_guest_of_libvirt_has_proven_outcomes_without_being_told_of_its_machine() {
    let (daemon, agent) = vm1().await;
    let guest = Guest::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .connect(daemon.address("vm1"))
        .await
        .unwrap();
    // From the channel alone, a guest that sleeps is only silent.
    assert_eq!(guest.suspend_ram().await.unwrap(), Outcome::Suspended);
    agent.wake();
    assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
    while daemon.callbacks() > 0 {
        tokio::task::yield_now().await;
    }
}
