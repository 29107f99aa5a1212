//! What ends before, during and after a command that goes through libvirt's daemon.

use std::sync::Arc;
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::exec::Exec;
use qga_core::{Error, ErrorKind, Execution, Options};
use qga_vm::{Domain, LibvirtHost};
use tokio::time::sleep;

use crate::case::{LIBVIRT, On, cases};
use crate::machine::{Machine, builder, domain};

cases![
    a_daemon_that_is_killed_before_a_command_has_not_run_it on LIBVIRT,
    a_daemon_that_is_killed_in_a_command_may_have_run_it on LIBVIRT,
    a_machine_that_ends_before_a_command_has_not_run_it on LIBVIRT,
    a_machine_that_ends_in_a_command_may_have_run_it on LIBVIRT,
    an_agent_that_is_killed_before_a_command_has_not_run_it on LIBVIRT,
    an_agent_that_is_killed_in_a_command_may_have_run_it on LIBVIRT,
];

/// A domain on a host of its own.
async fn domain_alone() -> Domain {
    let host = Arc::new(LibvirtHost::start().await.unwrap());
    host.domain("alone").start().await.unwrap()
}

async fn connect(domain: &Domain) -> Guest {
    let options = Options::new().timeout(Duration::from_secs(20));
    let builder = builder().options(options);
    builder.connect(domain.address()).await.unwrap()
}

/// A command of which can be seen whether it has run.
async fn mark(guest: &Guest, path: &str) -> Result<(), Error> {
    let touch = Exec::new("touch").arg([path.to_owned()]);
    guest.client().execute(touch).await.map(drop)
}

/// The same, which is under way: the agent is held before it can read it.
async fn mark_under_way(domain: &Domain) -> tokio::task::JoinHandle<Result<(), Error>> {
    let guest = connect(domain).await;
    guest.execute(Ping).await.unwrap();
    let shell = domain.shell().unwrap();
    shell.must("kill -STOP $(pidof qemu-ga)").await.unwrap();
    let marking = tokio::spawn(async move { mark(&guest, "/run/mark").await });
    // The daemon does not say when it has sent it.
    sleep(Duration::from_secs(1)).await;
    assert!(!marking.is_finished());
    marking
}

async fn has_run(domain: &Domain, path: &str) -> bool {
    let test = format!("test -e {path}");
    domain.shell().unwrap().run(&test).await.unwrap().code == 0
}

fn assert_not_run(error: &Error) {
    assert!(
        error.is_closed() || matches!(error.kind(), ErrorKind::Open(_)),
        "{error:?}"
    );
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
}

fn assert_maybe_run(error: &Error) {
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun, "{error:?}");
}

async fn a_daemon_that_is_killed_before_a_command_has_not_run_it(_: On) {
    let domain = domain_alone().await;
    let guest = connect(&domain).await;
    mark(&guest, "/run/before").await.unwrap();
    domain.host().stop_daemon("KILL").await.unwrap();
    assert_not_run(&mark(&guest, "/run/mark").await.unwrap_err());
    assert!(has_run(&domain, "/run/before").await);
    assert!(!has_run(&domain, "/run/mark").await);
    domain.host().start_daemon().await.unwrap();
    // It takes the agent's port again a moment after it has said that it has it.
    domain.wait_for_agent().await.unwrap();
    // The client is as good as before.
    guest.client().execute(Ping).await.unwrap();
    domain.host().stop_daemon("TERM").await.unwrap();
    assert_not_run(&mark(&guest, "/run/mark").await.unwrap_err());
}

async fn a_daemon_that_is_killed_in_a_command_may_have_run_it(_: On) {
    let domain = domain_alone().await;
    let marking = mark_under_way(&domain).await;
    domain.host().stop_daemon("KILL").await.unwrap();
    assert_maybe_run(&marking.await.unwrap().unwrap_err());
    assert!(!has_run(&domain, "/run/mark").await);
    // And then it does, since the agent has it.
    let shell = domain.shell().unwrap();
    shell.must("kill -CONT $(pidof qemu-ga)").await.unwrap();
    while !has_run(&domain, "/run/mark").await {
        sleep(Duration::from_millis(50)).await;
    }
    domain.host().start_daemon().await.unwrap();
    // It takes the agent's port again a moment after it has said that it has it.
    domain.wait_for_agent().await.unwrap();
    let guest = connect(&domain).await;
    guest.execute(Ping).await.unwrap();
}

/// How a machine ends at once.
#[derive(Clone, Copy, Debug)]
enum End {
    Killed,
    Destroyed,
}

const ENDS: [End; 2] = [End::Killed, End::Destroyed];

impl End {
    async fn of(self, domain: &Domain) {
        match self {
            Self::Killed => domain.kill().await.unwrap(),
            Self::Destroyed => drop(domain.virsh("destroy").await.unwrap()),
        }
    }
}

async fn a_machine_that_ends_before_a_command_has_not_run_it(_: On) {
    for end in ENDS {
        let mut domain = domain().await;
        let guest = connect(&domain).await;
        mark(&guest, "/run/before").await.unwrap();
        end.of(&domain).await;
        let is_off = |state: &str| state.contains("shut off");
        domain.wait_until("domstate", is_off).await.unwrap();
        assert_not_run(&mark(&guest, "/run/mark").await.unwrap_err());
        // The next machine of the domain is served by the same client.
        domain.switch_on().await.unwrap();
        domain.wait_for_agent().await.unwrap();
        assert!(!has_run(&domain, "/run/mark").await);
        mark(&guest, "/run/mark").await.unwrap();
    }
}

async fn a_machine_that_ends_in_a_command_may_have_run_it(_: On) {
    for end in ENDS {
        let domain = domain().await;
        let marking = mark_under_way(&domain).await;
        end.of(&domain).await;
        assert_maybe_run(&marking.await.unwrap().unwrap_err());
    }
}

async fn an_agent_that_is_killed_before_a_command_has_not_run_it(_: On) {
    let machine = Machine::Domain(Box::new(domain().await));
    let guest = machine.guest().await;
    mark(&guest, "/run/before").await.unwrap();
    machine.stop_agent().await;
    let brief = Options::new().timeout(Duration::from_secs(2));
    let brief = Guest::new(guest.client().with_options(brief));
    // Before 11.3, the daemon does not say of the first one whether it was sent.
    let error = mark(&brief, "/run/mark").await.unwrap_err();
    assert!(error.is_closed() || error.is_timeout(), "{error:?}");
    let error = mark(&brief, "/run/mark").await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
    machine.start_agent().await;
    guest.execute(Ping).await.unwrap();
    assert!(machine.exists("/run/before").await && !machine.exists("/run/mark").await);
}

async fn an_agent_that_is_killed_in_a_command_may_have_run_it(_: On) {
    let domain = domain().await;
    let marking = mark_under_way(&domain).await;
    let shell = domain.shell().unwrap();
    shell.must("kill -9 $(pidof qemu-ga)").await.unwrap();
    assert_maybe_run(&marking.await.unwrap().unwrap_err());
    let guest = connect(&domain).await;
    guest.execute(Ping).await.unwrap();
    // What the agent has not read is lost with it.
    assert!(!has_run(&domain, "/run/mark").await);
    mark(&guest, "/run/mark").await.unwrap();
}
