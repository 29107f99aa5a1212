//! What subscribers live through: runtimes and daemons that end, floods, and lists without end.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use qga_core::{MachineState, MachineWatch as _, Power};
use qga_libvirt::EventKind;
use qga_testserver::DomainState;
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use crate::support::{open, vm1};

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn events_go_on_in_another_runtime_when_that_of_their_connection_has_ended() {
    let host = runtime();
    let (daemon, _agent) = host.block_on(vm1());
    let first = runtime();
    let (opened, mut events) = first.block_on(async {
        let opened = open(&daemon).await;
        let events = opened.events().await.unwrap();
        (opened, events)
    });
    drop(first);
    runtime().block_on(async {
        assert_eq!(events.next().await.unwrap_err().events, None);
        let mut others = opened.events().await.unwrap();
        daemon.set_state("vm1", DomainState::Paused);
        assert_eq!(events.next().await.unwrap().kind, EventKind::Paused);
        assert_eq!(others.next().await.unwrap().kind, EventKind::Paused);
    });
}

#[test]
fn a_runtime_that_ends_while_events_are_opened_again_leaves_that_to_the_next() {
    let host = runtime();
    let (daemon, _agent) = host.block_on(vm1());
    let first = runtime();
    let mut events = first.block_on(async { open(&daemon).await.events().await.unwrap() });
    host.block_on(daemon.kill());
    drop(first);
    let second = runtime();
    second.block_on(async {
        let waited = timeout(Duration::from_millis(50), events.next()).await;
        waited.unwrap_err();
    });
    drop(second);
    host.block_on(async { daemon.resume() });
    runtime().block_on(async {
        assert_eq!(events.next().await.unwrap_err().events, None);
    });
}

#[tokio::test]
async fn who_has_missed_a_loss_of_the_connection_is_told_no_number() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let (mut slow, mut quick) = (
        opened.events().await.unwrap(),
        opened.events().await.unwrap(),
    );
    daemon.kill().await;
    daemon.resume();
    quick.next().await.unwrap_err();
    for _ in 0..1000 {
        daemon.set_state("vm1", DomainState::Paused);
        daemon.set_state("vm1", DomainState::Running);
        quick.next().await.unwrap();
        quick.next().await.unwrap();
    }
    assert_eq!(slow.next().await.unwrap_err().events, None);
    daemon.set_port_open("vm1", false);
    quick.next().await.unwrap();
    // The loss was told already, so from here on what is missed is counted.
    for _ in 0..1000 {
        daemon.set_state("vm1", DomainState::Paused);
        daemon.set_state("vm1", DomainState::Running);
        quick.next().await.unwrap();
        quick.next().await.unwrap();
    }
    assert!(slow.next().await.unwrap_err().events.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_each_connection_is_tried_ever_more_seldom() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let mut events = opened.events().await.unwrap();
    let before = daemon.connections();
    let listening = tokio::spawn(async move {
        loop {
            let _ = events.next().await;
        }
    });
    let breaking = async {
        loop {
            // Whoever has just connected is hung up on.
            while daemon.callbacks() < 3 {
                sleep(Duration::from_millis(10)).await;
            }
            daemon.kill().await;
            daemon.resume();
        }
    };
    timeout(Duration::from_secs(600), breaking)
        .await
        .unwrap_err();
    let tried = daemon.connections() - before;
    assert!((30..=80).contains(&tried), "{tried} connections");
    listening.abort();
}

#[tokio::test]
async fn a_thousand_domains_are_listed_over_few_connections() {
    let (daemon, agent) = vm1().await;
    for number in 0..1000 {
        daemon.domain_without_channel(&format!("vm{number:04}"));
    }
    drop(agent);
    let domains = open(&daemon).await.domains().await.unwrap();
    assert_eq!(domains.len(), 1001);
    assert!(domains.is_sorted_by(|one, other| one.name < other.name));
    assert!(daemon.connections() <= 4);
    assert!(daemon.most_in_flight() <= 4);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_nobody_has_ends_its_connection_even_while_the_daemon_is_away() {
    let (daemon, _agent) = vm1().await;
    for is_away in [false, true] {
        let machine = open(&daemon).await.machine("vm1").await.unwrap();
        let mut states = machine.watch();
        if is_away {
            daemon.kill().await;
            let unknown = |state: &MachineState| state.power == Power::Unknown;
            states.wait_for(unknown).await.unwrap();
        }
        drop((machine, states));
        let connections = daemon.connections();
        if is_away {
            daemon.resume();
            // Longer than the first pauses.
            sleep(Duration::from_millis(500)).await;
            assert_eq!(daemon.connections(), connections);
        }
        while daemon.callbacks() > 0 {
            yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_makes_no_sense_is_told_as_a_loss_and_those_after_it_are_heard() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let mut events = opened.events().await.unwrap();
    let machine = opened.machine("vm1").await.unwrap();
    for state in [DomainState::Paused, DomainState::Running] {
        daemon.tell_nonsense();
        assert_eq!(events.next().await.unwrap_err().events, None);
        daemon.set_state("vm1", state);
        events.next().await.unwrap();
    }
    let mut states = machine.watch();
    let is_running = |state: &MachineState| state.power == Power::Running;
    states.wait_for(is_running).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_at_any_moment_leaves_nothing_behind() {
    let (daemon, _agent) = vm1().await;
    let opened = open(&daemon).await;
    let mut was_ready = false;
    for polls in 0.. {
        let mut watching = Box::pin(opened.machine("vm1"));
        for _ in 0..polls {
            let polled = poll_fn(|cx| Poll::Ready(watching.as_mut().poll(cx))).await;
            was_ready = polled.is_ready();
            if was_ready {
                break;
            }
            yield_now().await;
        }
        drop(watching);
        while daemon.callbacks() > 0 {
            yield_now().await;
        }
        if was_ready {
            break;
        }
    }
    assert_eq!(opened.domains().await.unwrap().len(), 1);
}
