//! What happens on the wire between a host and its guest.

use std::time::Duration;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileOpen, FileRead, FileWrite};
use qga_commands::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use qga_commands::guest::HealthState;
use qga_commands::guest::ready::Ready;
use qga_core::{Execution, Options, Stage};
use qga_testserver::Fault;
use qga_vm::{Channel, Vm};
use serde_json::{Value, json};

use crate::case::{BUSYBOX, EVERY, FAKE_AND_BUSYBOX, MACHINES, On, cases};
use crate::clients::{BRIEF, MINUTE, assert_own_reply, patience, patient, with_timeout};
use crate::machine::Machine;
use crate::wire::{create, sync, synced};

cases![
    a_delimited_sync_is_answered_by_an_error_then_the_mark_then_the_reply on EVERY,
    what_was_left_of_a_large_reply_is_passed_over on EVERY,
    the_late_answer_to_a_freeze_is_nobodys_and_the_next_client_can_thaw on FAKE_AND_BUSYBOX,
    half_a_request_that_was_left_breaks_plain_clients_and_not_this_one on EVERY,
    a_second_client_waits_its_turn_and_what_others_left_runs_before on EVERY,
    requests_to_a_dead_agent_are_answered_in_order_by_the_next on EVERY,
    who_leaves_while_no_agent_is_there_takes_the_requests_along on MACHINES,
    a_request_that_nobody_reads_ends_by_its_deadline on EVERY,
    requests_written_ahead_lose_no_reply_however_long_they_are on EVERY,
    what_a_serial_line_loses_is_sent_again on BUSYBOX,
    a_tcp_port_of_the_host_carries_the_same on BUSYBOX,
    a_pseudoterminal_of_the_host_carries_the_same on BUSYBOX,
];

async fn a_delimited_sync_is_answered_by_an_error_then_the_mark_then_the_reply(on: On) {
    let machine = Machine::start(on).await;
    let mut wire = machine.wire().await;
    for _ in 0..2 {
        wire.send([0xFF]).await;
        wire.send("{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": 7}}\n")
            .await;
        let error = wire.line().await;
        assert!(
            error.contains("\"error\"") && error.contains("stray"),
            "{error}"
        );
        assert_eq!(wire.line().await, "\u{ff}{\"return\": 7}\n");
    }
    drop(wire);
    assert_own_reply(&patient(&machine).await, 8).await;
}

async fn what_was_left_of_a_large_reply_is_passed_over(on: On) {
    let machine = Machine::start(on).await;
    if let Machine::Fake(agent) = &machine {
        agent.hand_on_replies();
    }
    machine.put("/tmp/large", 4 << 20).await;
    leave_a_read(&machine, "/tmp/large").await;
    let mut next = machine.wire().await;
    next.send(sync(1)).await;
    let stale = next.line().await;
    assert!(
        stale.len() > 1 << 20,
        "only {} bytes were left",
        stale.len()
    );
    assert_eq!(next.line().await, synced(1));
    drop(next);

    leave_a_read(&machine, "/tmp/large").await;
    let guest = patient(&machine).await;
    assert_own_reply(&guest, 2).await;
    machine.put("/tmp/small", 3).await;
    assert_eq!(guest.read("/tmp/small").await.unwrap(), b"xxx");
}

/// A client reads a file and leaves as soon as the reply begins.
async fn leave_a_read(machine: &Machine, path: &str) {
    let mut wire = machine.wire().await;
    wire.send(create(path).replace("\"w\"", "\"r\"")).await;
    let opened: Value = serde_json::from_str(&wire.reply().await).unwrap();
    let read = json!({
        "execute": "guest-file-read",
        "arguments": {"handle": opened["return"], "count": 4 << 20},
    });
    wire.send(format!("{read}\n")).await;
    wire.begin_to_read(1000).await;
}

/// The agent of the Debian guest runs no hook, so nothing makes its freeze slow.
async fn the_late_answer_to_a_freeze_is_nobodys_and_the_next_client_can_thaw(on: On) {
    let machine = Machine::start(on).await;
    match &machine {
        Machine::Fake(agent) => {
            agent.hand_on_replies();
            let late = Fault::delay(Duration::from_millis(300));
            agent.on("guest-fsfreeze-freeze").fault(late);
        }
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            let hook = "echo 1 >/etc/qemu/hook-takes";
            vm.shell().must(hook).await.unwrap();
        }
    }
    leave_a_freeze(&machine).await;
    let mut next = machine.wire().await;
    next.send(sync(77)).await;
    let late = next.line().await;
    assert!(
        late.starts_with("{\"return\": ") && late != synced(77),
        "{late}"
    );
    assert_eq!(next.line().await, synced(77));
    next.send("{\"execute\": \"guest-fsfreeze-thaw\"}\n").await;
    assert_eq!(next.line().await, late);
    drop(next);

    leave_a_freeze(&machine).await;
    let guest = patient(&machine).await;
    assert_own_reply(&guest, 2).await;
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Frozen);
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    let refused = guest
        .execute(FileOpen::new("/etc/hostname"))
        .await
        .unwrap_err();
    assert!(refused.is_frozen(), "{refused:?}");
    assert_eq!(refused.execution(), Execution::NotRun);
    let thawed = guest.thaw().await.unwrap();
    assert!(thawed.thawed >= Some(1), "{thawed:?}");
    guest.execute(FileOpen::new("/etc/hostname")).await.unwrap();
}

/// A client freezes the guest, which takes a while, and leaves.
async fn leave_a_freeze(machine: &Machine) {
    let mut wire = machine.wire().await;
    match machine {
        Machine::Fake(agent) => {
            let before = agent.requests_of("guest-fsfreeze-freeze").len();
            wire.send("{\"execute\": \"guest-fsfreeze-freeze\"}\n")
                .await;
            agent.wait_for("guest-fsfreeze-freeze", before + 1).await;
        }
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            vm.shell()
                .must("rm -f /var/log/fsfreeze-hook.log")
                .await
                .unwrap();
            wire.send("{\"execute\": \"guest-fsfreeze-freeze\"}\n")
                .await;
            machine.appears("/var/log/fsfreeze-hook.log").await;
        }
    }
}

async fn half_a_request_that_was_left_breaks_plain_clients_and_not_this_one(on: On) {
    let machine = Machine::start(on).await;
    leave_half_a_request(&machine).await;
    let mut plain = machine.wire().await;
    plain.send(sync(1)).await;
    let answer = plain.line().await;
    assert!(answer.contains("\"error\""), "{answer}");
    assert!(!plain.lines_so_far().await.contains("return"));
    drop(plain);

    leave_half_a_request(&machine).await;
    assert_own_reply(&patient(&machine).await, 2).await;
}

async fn leave_half_a_request(machine: &Machine) {
    let mut wire = machine.wire().await;
    wire.send("{\"execute\": \"guest-file-open\", \"arguments\": {\"path\": \"/etc/host")
        .await;
    // Who leaves at once takes it along.
    assert_eq!(wire.lines_so_far().await, "");
}

async fn a_second_client_waits_its_turn_and_what_others_left_runs_before(on: On) {
    let machine = Machine::start(on).await;
    let first = machine.guest().await;
    let mut other = machine.wire().await;
    other.send(create("/tmp/left")).await;
    assert!(other.is_silent().await);
    drop(other);
    let second = Guest::builder()
        .options(Options::new().timeout(2 * MINUTE))
        .connect_timeout(MINUTE)
        .connect_lazy(machine.address())
        .unwrap();
    let error = with_timeout(&second, BRIEF)
        .execute(FileOpen::new("/tmp/no").mode("w"))
        .await
        .unwrap_err();
    let error = error.command_error().unwrap();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Sync, Execution::NotRun)
    );
    assert_eq!(second.health().await.state, HealthState::Starting);

    assert_own_reply(&first, 1).await;
    assert!(!machine.exists("/tmp/left").await);
    drop(first);
    assert_own_reply(&second, 2).await;
    // What was sent by a client that has gone was carried out before that.
    assert!(machine.exists("/tmp/left").await);
    assert!(!machine.exists("/tmp/no").await);
}

async fn requests_to_a_dead_agent_are_answered_in_order_by_the_next(on: On) {
    let machine = Machine::start(on).await;
    machine.stop_agent().await;
    let mut wire = machine.wire().await;
    for number in 1..=5 {
        wire.send(sync(number)).await;
    }
    assert!(wire.is_silent().await);
    machine.start_agent().await;
    for number in 1..=5 {
        assert_eq!(wire.line().await, synced(number));
    }
    drop(wire);

    let guest = patient(&machine).await;
    machine.stop_agent().await;
    let mut asked = tokio::task::JoinSet::new();
    for number in 1..=5 {
        let guest = guest.clone();
        asked.spawn(async move { assert_own_reply(&guest, number).await });
    }
    let none = tokio::time::timeout(BRIEF, asked.join_next()).await;
    assert!(none.is_err(), "a dead agent has answered");
    assert_eq!(guest.health().await.state, HealthState::Busy);
    machine.start_agent().await;
    while let Some(answered) = asked.join_next().await {
        answered.unwrap();
    }
}

/// The fake reads on to the end of a stream, as the agent does that listens by itself; QEMU reads nothing while the
/// guest has the port closed.
async fn who_leaves_while_no_agent_is_there_takes_the_requests_along(on: On) {
    let machine = Machine::start(on).await;
    machine.stop_agent().await;
    for left in [create("/tmp/left"), create("/tmp/half").replace('}', "")] {
        let mut wire = machine.wire().await;
        wire.send(left).await;
        drop(wire);
    }
    let guest = Guest::builder()
        .options(Options::new().timeout(2 * MINUTE))
        .connect_lazy(machine.address())
        .unwrap();
    let asking = guest.clone();
    let asking = tokio::spawn(async move { assert_own_reply(&asking, 1).await });
    machine.start_agent().await;
    asking.await.unwrap();
    assert!(!machine.exists("/tmp/left").await);
}

async fn a_request_that_nobody_reads_ends_by_its_deadline(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    let open = FileOpen::new("/tmp/written").mode("w");
    let handle = guest.execute(open).await.unwrap();
    machine.hold_agent(true).await;
    let large = FileWrite::new(handle, vec![b'x'; 4 << 20]);
    let error = with_timeout(&guest, BRIEF)
        .client()
        .execute(large)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::MaybeRun)
    );
    machine.hold_agent(false).await;
    assert_own_reply(&guest, 1).await;
    let written = guest.read("/tmp/written").await.unwrap();
    assert!(written.is_empty(), "{} bytes were written", written.len());
    // What was sent whole may have run, and has.
    machine.hold_agent(true).await;
    let small = FileWrite::new(handle, b"small");
    let error = with_timeout(&guest, BRIEF)
        .client()
        .execute(small)
        .await
        .unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Receive, Execution::MaybeRun)
    );
    machine.hold_agent(false).await;
    let close = qga_commands::commands::file::FileClose::new(handle);
    guest.execute(close).await.unwrap();
    assert_eq!(guest.read("/tmp/written").await.unwrap(), b"small");
}

async fn requests_written_ahead_lose_no_reply_however_long_they_are(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    for length in [40, 1500, 3000, 100_000] {
        let missing = FileOpen::new(format!("/{}", "x".repeat(length)));
        let commands = std::iter::repeat_n(missing, 60);
        let mut results = guest.client().pipeline(commands).in_flight(64);
        while let Some(result) = results.next().await {
            let error = result.unwrap_err();
            assert!(error.agent_error().is_some(), "{length}: {error:?}");
        }
    }
}

async fn what_a_serial_line_loses_is_sent_again(on: On) {
    let vm = Vm::of(on.image()).channel(Channel::IsaSerial);
    let machine = Machine::Real(Box::new(
        vm.kernel_option("agent_after=1").boot().await.unwrap(),
    ));
    let mut wire = machine.wire().await;
    wire.send(sync(1)).await;
    let vm = machine.vm();
    vm.shell()
        .must("until pidof qemu-ga; do sleep 0.1; done")
        .await
        .unwrap();
    let answer = wire.lines_so_far().await;
    assert!(!answer.contains(&synced(1)), "nothing was lost: {answer}");
    drop(wire);

    machine.reset().await;
    let ready = Ready::ping().timeout(2 * MINUTE);
    let guest = ready.connect(machine.address()).await.unwrap();
    assert_own_reply(&guest, 2).await;
    machine.put("/tmp/file", 20_000).await;
    assert_eq!(guest.read("/tmp/file").await.unwrap().len(), 20_000);
}

async fn a_tcp_port_of_the_host_carries_the_same(on: On) {
    let vm = Vm::of(on.image()).channel(Channel::VirtioTcp);
    let machine = Machine::Real(Box::new(vm.start().await.unwrap()));
    assert!(machine.address().starts_with("tcp:127.0.0.1:"));
    machine.put("/tmp/large", 3 << 20).await;
    let guest = patient(&machine).await;
    guest.execute(Ping).await.unwrap();
    let handle = guest.execute(FileOpen::new("/tmp/large")).await.unwrap();
    let read = guest
        .execute(FileRead::new(handle).count(3 << 20))
        .await
        .unwrap();
    assert_eq!(read.count, 3 << 20);
    machine.kill_agent().await;
    assert_own_reply(&guest, 1).await;
}

async fn a_pseudoterminal_of_the_host_carries_the_same(on: On) {
    let vm = Vm::of(on.image())
        .qemu("-chardev")
        .qemu("pty,id=pty")
        .qemu("-device")
        .qemu("virtserialport,chardev=pty,name=org.qga.pty");
    let machine = Machine::Real(Box::new(vm.start().await.unwrap()));
    let vm = machine.vm();
    let agent = "name=$(grep -lx org.qga.pty /sys/class/virtio-ports/*/name); port=${name%/name}; mkdir /run/other; \
                 qemu-ga -m virtio-serial -p /dev/${port##*/} -t /run/other -f /run/other/pid >/dev/null 2>&1 &";
    vm.shell().must(agent).await.unwrap();
    let ports = vm.monitor().command("query-chardev", None).await.unwrap();
    let ports = ports.as_array().unwrap();
    let port = ports.iter().find(|port| port["label"] == "pty").unwrap();
    let path = port["filename"].as_str().unwrap();
    let path = path.trim_start_matches("pty:");
    let builder = Guest::builder().options(patience());
    let guest = builder.connect(format!("serial:{path}")).await.unwrap();
    assert_own_reply(&guest, 1).await;
    machine.put("/tmp/large", 1 << 20).await;
    assert_eq!(guest.read("/tmp/large").await.unwrap().len(), 1 << 20);
}
