//! An agent that is a unit of systemd, and a port that can be unplugged.

use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileClose, FileOpen};
use qga_commands::guest::process::Process;
use qga_commands::guest::{AgentResource, HealthState};
use qga_core::Client;
use serde_json::json;

use crate::agent::assert_gone;
use crate::case::{DEBIAN, On, cases};
use crate::clients::{BRIEF, assert_own_reply, patience, patient, with_timeout};
use crate::machine::Machine;

cases![
    an_agent_that_systemd_gives_up_is_silent_in_bounded_time_and_works_when_it_is_back on DEBIAN,
    a_restart_ends_the_agents_programs_but_not_those_of_other_units on DEBIAN,
    a_program_that_does_not_heed_the_restart_delays_the_next_agent on DEBIAN,
    the_agent_can_be_told_to_restart_its_own_unit on DEBIAN,
    a_port_that_was_unplugged_and_plugged_in_goes_on_with_its_connection on DEBIAN,
];

async fn an_agent_that_systemd_gives_up_is_silent_in_bounded_time_and_works_when_it_is_back(
    on: On,
) {
    let machine = Machine::start(on).await;
    let shell = machine.vm().shell();
    // A machine under load would take longer than 10 seconds for so many restarts.
    let limit = "d=/run/systemd/system/qemu-guest-agent.service.d; mkdir -p $d; \
                 printf '[Unit]\\nStartLimitIntervalSec=600\\n' >$d/limit.conf; systemctl daemon-reload";
    shell.must(limit).await.unwrap();
    let guest = patient(&machine).await;
    let kill = "old=$(pidof qemu-ga); kill -9 $old; \
                until systemctl is-failed -q qemu-guest-agent || { new=$(pidof qemu-ga) && [ \"$new\" != \"$old\" ]; }; \
                do sleep 0.05; done; systemctl is-failed -q qemu-guest-agent";
    assert_eq!(guest.health().await.state, HealthState::Ready);
    let mut survived = 0;
    while shell.run(kill).await.unwrap().code != 0 {
        guest.execute(Ping).await.unwrap();
        survived += 1;
    }
    // The first of the five starts may have been the boot.
    assert!(
        (4..=5).contains(&survived),
        "{survived} kills were survived"
    );

    let error = with_timeout(&guest, BRIEF).execute(Ping).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(guest.health().await.state, HealthState::Busy);
    let start = "systemctl reset-failed qemu-guest-agent; systemctl start qemu-guest-agent";
    shell.must(start).await.unwrap();
    assert_own_reply(&guest, 1).await;
}

async fn a_restart_ends_the_agents_programs_but_not_those_of_other_units(on: On) {
    let machine = Machine::start(on).await;
    let shell = machine.vm().shell();
    let guest = patient(&machine).await;
    for (round, end) in [
        (1, "kill -9 $(pidof qemu-ga)"),
        (2, "systemctl restart qemu-guest-agent"),
    ] {
        let own = format!("{round}001");
        let mut program = guest.command("sleep").arg(&own).start().await.unwrap();
        let detached =
            format!("setsid sleep {round}002 & systemd-run --unit=lives{round} sleep {round}003");
        guest
            .command("sh")
            .args(["-c", &detached])
            .status()
            .await
            .unwrap();
        let runs = async |number: &str| {
            shell
                .run(&format!("pgrep -f '^([^ ]*/)?sleep {number}'"))
                .await
                .unwrap()
                .code
                == 0
        };
        for number in ["001", "002", "003"] {
            assert!(runs(&format!("{round}{number}")).await, "{number}");
        }
        let another = "until new=$(pidof qemu-ga) && [ \"$new\" != \"$old\" ]; do sleep 0.05; done";
        shell
            .must(&format!("old=$(pidof qemu-ga); {end}; {another}"))
            .await
            .unwrap();
        let pid = program.pid();
        assert_gone(
            &program.wait().await.unwrap_err(),
            AgentResource::Process(pid),
        );
        for number in ["001", "002"] {
            assert!(
                !runs(&format!("{round}{number}")).await,
                "{number} after {end}"
            );
        }
        assert!(runs(&format!("{round}003")).await, "after {end}");
        shell
            .must(&format!("systemctl is-active lives{round}"))
            .await
            .unwrap();
    }
}

async fn a_program_that_does_not_heed_the_restart_delays_the_next_agent(on: On) {
    let machine = Machine::start(on).await;
    let shell = machine.vm().shell();
    let guest = patient(&machine).await;
    let stubborn = "trap '' TERM; touch /run/stubborn; while :; do sleep 1; done";
    let mut program = guest
        .command("bash")
        .args(["-c", stubborn])
        .start()
        .await
        .unwrap();
    machine.appears("/run/stubborn").await;
    let old = shell.must("pidof qemu-ga").await.unwrap();
    let restart = "systemctl restart --no-block qemu-guest-agent; \
                   until systemctl show -p SubState qemu-guest-agent | grep -e -sigterm; do sleep 0.05; done; \
                   while pidof qemu-ga; do sleep 0.05; done";
    shell.must(restart).await.unwrap();
    // There is no agent as long as that program runs.
    let error = with_timeout(&guest, BRIEF).execute(Ping).await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_own_reply(&guest, 1).await;
    assert_ne!(shell.must("pidof qemu-ga").await.unwrap(), old);
    let pid = program.pid();
    assert_gone(
        &program.kill().await.unwrap_err(),
        AgentResource::Process(pid),
    );
}

async fn the_agent_can_be_told_to_restart_its_own_unit(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    let pid = "pidof qemu-ga";
    let old = machine.vm().shell().must(pid).await.unwrap();
    let mut restart = guest.command("systemctl");
    restart.args(["restart", "qemu-guest-agent"]);
    let mut restarting: Process = restart.start().await.unwrap();
    let wait = format!(
        "until new=$({pid}) && [ \"$new\" != {} ]; do sleep 0.05; done",
        old.trim()
    );
    machine.vm().shell().must(&wait).await.unwrap();
    assert_own_reply(&guest, 1).await;
    let pid = restarting.pid();
    assert_gone(
        &restarting.wait().await.unwrap_err(),
        AgentResource::Process(pid),
    );
}

async fn a_port_that_was_unplugged_and_plugged_in_goes_on_with_its_connection(on: On) {
    let machine = Machine::start(on).await;
    let (vm, shell) = (machine.vm(), machine.vm().shell());
    let stream = tokio::net::UnixStream::connect(machine.socket())
        .await
        .unwrap();
    // It cannot connect again.
    let client = Client::builder().options(patience()).build(stream);
    client.execute(Ping).await.unwrap();
    let port = json!({"id": "agentport"});
    vm.monitor()
        .command("device_del", Some(port))
        .await
        .unwrap();
    vm.monitor().event("DEVICE_DELETED", 1).await.unwrap();
    let inactive = "while systemctl is-active -q qemu-guest-agent; do sleep 0.1; done";
    shell.must(inactive).await.unwrap();
    let asking = client.clone();
    let asking = tokio::spawn(async move { asking.execute(Ping).await });
    tokio::time::sleep(BRIEF).await;
    assert!(!asking.is_finished());
    let port = json!({
        "driver": "virtserialport",
        "id": "agentport",
        "chardev": "agent",
        "name": "org.qemu.guest_agent.0",
    });
    vm.monitor()
        .command("device_add", Some(port))
        .await
        .unwrap();
    asking.await.unwrap().unwrap();
    let reply = client.execute_raw("guest-sync", json!({"id": 5})).await;
    assert_eq!(reply.unwrap(), 5);
    let opened = client
        .execute(FileOpen::new("/etc/hostname"))
        .await
        .unwrap();
    client.execute(FileClose::new(opened)).await.unwrap();
}
