//! Kills at moments at which libvirt's daemon has not noticed, or has a command in hand that runs or waits.

use std::sync::Arc;
use std::time::Duration;

use qga_commands::commands::exec::Exec;
use qga_commands::commands::fs::{
    FsfreezeFreeze, FsfreezeStatus, FsfreezeThaw, GuestFsfreezeStatus,
};
use qga_core::{Client, Error, ErrorKind, Execution, Options};
use qga_vm::{Domain, LibvirtHost};
use tokio::time::{sleep, timeout};

use crate::case::{LIBVIRT, On, cases};
use crate::machine::{domain, new_name};

cases![
    a_command_that_ran_when_the_daemon_was_killed_may_have_run on LIBVIRT,
    a_command_that_ran_when_qemu_was_killed_may_have_run on LIBVIRT,
    a_command_that_ran_when_the_agent_was_killed_may_have_run on LIBVIRT,
    a_command_that_ran_when_the_domain_was_destroyed_may_have_run on LIBVIRT,
    a_command_right_after_a_kill_ends_as_on_a_closed_channel on LIBVIRT,
    a_command_waits_for_a_paused_domain_and_has_not_run_if_that_is_destroyed on LIBVIRT,
    a_command_that_waits_has_not_run_when_the_daemon_is_killed on LIBVIRT,
];

const BRIEF: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kill {
    Daemon,
    Qemu,
    Agent,
    Domain,
}

impl Kill {
    async fn happen(self, domain: &Domain) {
        match self {
            Self::Daemon => domain.host().stop_daemon("KILL").await.unwrap(),
            Self::Qemu => domain.kill().await.unwrap(),
            Self::Agent => {
                let kill = ": >/run/no-agent && kill -9 $(pidof qemu-ga)";
                domain.shell().unwrap().must(kill).await.unwrap();
            }
            Self::Domain => drop(domain.virsh("destroy").await.unwrap()),
        }
    }

    /// Brings back what was killed.
    async fn undo(self, domain: &mut Domain) {
        match self {
            Self::Daemon => domain.host().start_daemon().await.unwrap(),
            Self::Qemu | Self::Domain => {
                let is_off = |state: &str| state.contains("shut off");
                domain.wait_until("domstate", is_off).await.unwrap();
                domain.switch_on().await.unwrap();
            }
            Self::Agent => {
                let shell = domain.shell().unwrap();
                shell.must("rm /run/no-agent").await.unwrap();
            }
        }
        domain.wait_for_agent().await.unwrap();
    }
}

async fn start(kill: Kill) -> Domain {
    if kill != Kill::Daemon {
        return domain().await;
    }
    // The daemon of the others is left alone.
    let host = Arc::new(LibvirtHost::start().await.unwrap());
    host.domain(&new_name()).start().await.unwrap()
}

async fn connect(domain: &Domain) -> Client {
    let builder = Client::builder().scheme_messages("libvirt", qga_libvirt::open);
    let options = Options::new().timeout(Duration::from_secs(60));
    let client = builder.options(options).connect(domain.address()).await;
    client.unwrap()
}

/// Makes a file on the disk of the guest.
async fn make(client: &Client, name: &str) -> Result<(), Error> {
    let script = format!(": >/mnt/data/{name}; sync");
    let exec = Exec::new("/bin/sh").arg(["-c", &script]);
    client.execute(exec).await.map(drop)
}

async fn exists(domain: &Domain, name: &str) -> bool {
    let shell = domain.shell().unwrap();
    let test = format!("test -e /mnt/data/{name}");
    shell.run(&test).await.unwrap().code == 0
}

async fn appears(domain: &Domain, path: &str) {
    let until = format!("until [ -e {path} ]; do usleep 20000; done");
    domain.shell().unwrap().must(&until).await.unwrap();
}

/// Makes a file once the channel is back, which must be the only thing to wait for.
async fn make_in_the_end(client: &Client, name: &str) {
    while let Err(error) = make(client, name).await {
        assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// The agent runs a hook before it freezes, which takes a while.
async fn in_the_middle(kill: Kill) {
    let mut domain = start(kill).await;
    let client = connect(&domain).await;
    let slow = "echo 3 >/etc/qemu/hook-takes; rm -f /var/log/fsfreeze-hook.log";
    domain.shell().unwrap().must(slow).await.unwrap();
    let freezing = client.clone();
    let freezing = tokio::spawn(async move { freezing.execute(FsfreezeFreeze).await });
    appears(&domain, "/var/log/fsfreeze-hook.log").await;
    assert!(!freezing.is_finished());
    kill.happen(&domain).await;
    let error = freezing.await.unwrap().unwrap_err();
    assert_eq!(
        error.execution(),
        Execution::MaybeRun,
        "{kill:?}: {error:?}"
    );
    assert!(error.is_closed(), "{kill:?}: {error:?}");
    kill.undo(&mut domain).await;
    // The reply that came too late is nobody's.
    thaw(&client).await;
    let status = client.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Thawed);
    make_in_the_end(&client, "at_last").await;
    appears(&domain, "/mnt/data/at_last").await;
}

async fn thaw(client: &Client) {
    while let Err(error) = client.execute(FsfreezeThaw).await {
        assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn a_command_that_ran_when_the_daemon_was_killed_may_have_run(_: On) {
    in_the_middle(Kill::Daemon).await;
}

async fn a_command_that_ran_when_qemu_was_killed_may_have_run(_: On) {
    in_the_middle(Kill::Qemu).await;
}

async fn a_command_that_ran_when_the_agent_was_killed_may_have_run(_: On) {
    in_the_middle(Kill::Agent).await;
}

async fn a_command_that_ran_when_the_domain_was_destroyed_may_have_run(_: On) {
    in_the_middle(Kill::Domain).await;
}

/// The daemon may not have noticed, and has several words for that.
async fn a_command_right_after_a_kill_ends_as_on_a_closed_channel(_: On) {
    for kill in [Kill::Qemu, Kill::Domain] {
        let mut domain = domain().await;
        let client = connect(&domain).await;
        make(&client, "before").await.unwrap();
        appears(&domain, "/mnt/data/before").await;
        domain.shell().unwrap().must("sync").await.unwrap();
        kill.happen(&domain).await;
        let error = make(&client, "after").await.unwrap_err();
        let is_closed = error.is_closed() || matches!(error.kind(), ErrorKind::Open(_));
        assert!(is_closed, "{kill:?}: {error:?}");
        kill.undo(&mut domain).await;
        make_in_the_end(&client, "later").await;
        appears(&domain, "/mnt/data/later").await;
        assert!(exists(&domain, "before").await && !exists(&domain, "after").await);
    }
}

async fn a_command_waits_for_a_paused_domain_and_has_not_run_if_that_is_destroyed(_: On) {
    let mut domain = domain().await;
    let client = connect(&domain).await;
    domain.virsh("suspend").await.unwrap();
    let mut making = Box::pin(make(&client, "resumed"));
    assert!(timeout(BRIEF, &mut making).await.is_err());
    domain.virsh("resume").await.unwrap();
    making.await.unwrap();
    appears(&domain, "/mnt/data/resumed").await;

    domain.virsh("suspend").await.unwrap();
    let mut making = Box::pin(make(&client, "destroyed"));
    assert!(timeout(BRIEF, &mut making).await.is_err());
    Kill::Domain.happen(&domain).await;
    let error = making.await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
    assert!(error.to_string().contains("is off"), "{error}");
    Kill::Domain.undo(&mut domain).await;
    make_in_the_end(&client, "later").await;
    appears(&domain, "/mnt/data/later").await;
    assert!(!exists(&domain, "destroyed").await);
}

async fn a_command_that_waits_has_not_run_when_the_daemon_is_killed(_: On) {
    let domain = start(Kill::Daemon).await;
    let client = connect(&domain).await;
    domain.virsh("suspend").await.unwrap();
    let mut making = Box::pin(make(&client, "waiting"));
    assert!(timeout(BRIEF, &mut making).await.is_err());
    Kill::Daemon.happen(&domain).await;
    let error = making.await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
    domain.host().start_daemon().await.unwrap();
    domain.virsh("resume").await.unwrap();
    domain.wait_for_agent().await.unwrap();
    make_in_the_end(&client, "later").await;
    appears(&domain, "/mnt/data/later").await;
    assert!(!exists(&domain, "waiting").await);
}
