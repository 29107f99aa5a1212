//! A machine that is paused, set back to a snapshot, or killed.

use std::io;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileOpen, FileRead};
use qga_core::{Client, ErrorKind, Execution, Stage};
use qga_testserver::TestAgent;
use serde_json::{Value, json};

use crate::case::{BUSYBOX, EVERY, On, cases};
use crate::clients::{BRIEF, assert_own_reply, patience, patient};
use crate::machine::Machine;
use crate::wire::{Valve, create, sync, synced};

cases![
    a_paused_machine_is_silent_and_then_answers_whatever_was_under_way on EVERY,
    what_came_too_late_for_its_command_is_not_the_next_ones_answer on EVERY,
    a_snapshot_taken_in_a_reply_brings_its_rest_again_and_to_nobody on BUSYBOX,
    a_command_that_a_snapshot_held_runs_again_and_its_whole_reply_is_nobodys on BUSYBOX,
    a_killed_machine_is_told_from_one_that_was_not_asked on BUSYBOX,
    who_waits_for_the_channel_is_answered_by_the_next_machine on BUSYBOX,
    a_machine_that_ends_in_order_leaves_no_socket on BUSYBOX,
];

const LARGE: u32 = 4 << 20;

async fn a_paused_machine_is_silent_and_then_answers_whatever_was_under_way(on: On) {
    let machine = Machine::start(on).await;
    machine.put("/tmp/large", LARGE).await;
    let (stream, mut valve) = Valve::connect(&machine.socket(), 10_000).await;
    let client = Client::builder().options(patience()).build(stream);

    // Before the first byte, of the client and of the agent.
    machine.pause().await;
    let asking = Guest::new(client.clone());
    let asking = tokio::spawn(async move { assert_own_reply(&asking, 1).await });
    tokio::time::sleep(BRIEF).await;
    assert!(!asking.is_finished());
    machine.resume().await;
    asking.await.unwrap();

    // In the middle of a reply.
    let handle = client.execute(FileOpen::new("/tmp/large")).await.unwrap();
    let reading = client.clone();
    let read = FileRead::new(handle).count(LARGE.into());
    let reading = tokio::spawn(async move { reading.execute(read).await });
    valve.full().await;
    machine.pause().await;
    valve.open();
    tokio::time::sleep(BRIEF).await;
    assert!(!reading.is_finished());
    machine.resume().await;
    let read = reading.await.unwrap().unwrap();
    assert_eq!(read.count, i64::from(LARGE));
    assert!(read.data.into_vec() == vec![b'x'; LARGE as usize]);
    assert_own_reply(&Guest::new(client.clone()), 2).await;
}

async fn what_came_too_late_for_its_command_is_not_the_next_ones_answer(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    let client = guest.client();
    machine.pause().await;
    let brief = client.with_options(patience().timeout(BRIEF));
    for number in 1..=3 {
        let arguments = json!({"id": number});
        let error = brief
            .execute_raw("guest-sync", arguments)
            .await
            .unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let execution = match number {
            1 => Execution::MaybeRun,
            // It was not sent, since the agent has not answered the sync before it.
            _ => Execution::NotRun,
        };
        assert_eq!(error.execution(), execution, "{error:?}");
    }
    machine.resume().await;
    for number in 4..10 {
        assert_own_reply(&guest, number).await;
    }
}

/// The agent stands still meanwhile: QEMU 7.2 cannot load a state in which a port waits for a host that does not read.
async fn a_snapshot_taken_in_a_reply_brings_its_rest_again_and_to_nobody(on: On) {
    let machine = Machine::start(on).await;
    let monitor = machine.vm().monitor();
    machine.put("/tmp/large", LARGE).await;

    // On the wire.
    let mut wire = machine.wire().await;
    wire.send(create("/tmp/large").replace("\"w\"", "\"r\""))
        .await;
    let opened: Value = serde_json::from_str(&wire.line().await).unwrap();
    let read = json!({"handle": opened["return"], "count": LARGE});
    let read = json!({"execute": "guest-file-read", "arguments": read});
    wire.send(format!("{read}\n")).await;
    wire.begin_to_read(1000).await;
    machine.hold_agent(true).await;
    wire.drain().await;
    monitor.human("savevm reply").await.unwrap();
    machine.hold_agent(false).await;
    let rest = wire.line().await;
    monitor.human("loadvm reply").await.unwrap();
    machine.hold_agent(false).await;
    let again = wire.line().await;
    assert!(
        again.len() > 10_000 && again == rest,
        "{} bytes came again",
        again.len()
    );
    drop(wire);

    let (stream, mut valve) = Valve::connect(&machine.socket(), 10_000).await;
    let client = Client::builder().options(patience()).build(stream);
    let handle = client.execute(FileOpen::new("/tmp/large")).await.unwrap();
    let reading = client.clone();
    let read = FileRead::new(handle).count(LARGE.into());
    let reading = tokio::spawn(async move { reading.execute(read).await });
    valve.full().await;
    machine.hold_agent(true).await;
    valve.open();
    tokio::time::sleep(3 * BRIEF).await;
    assert!(!reading.is_finished());
    monitor.human("savevm reply").await.unwrap();
    machine.hold_agent(false).await;
    assert_eq!(reading.await.unwrap().unwrap().count, i64::from(LARGE));
    monitor.human("loadvm reply").await.unwrap();
    machine.hold_agent(false).await;
    for number in 2..6 {
        assert_own_reply(&Guest::new(client.clone()), number).await;
    }
    let seek = json!({"handle": handle, "offset": 0, "whence": "cur"});
    let at = client.execute_raw("guest-file-seek", seek).await.unwrap();
    assert_eq!(at["position"], LARGE);
}

async fn a_command_that_a_snapshot_held_runs_again_and_its_whole_reply_is_nobodys(on: On) {
    let machine = Machine::start(on).await;
    let monitor = machine.vm().monitor();
    let guest = patient(&machine).await;
    let client = guest.client();
    client.execute(Ping).await.unwrap();
    machine.hold_agent(true).await;
    let open = FileOpen::new("/tmp/opened").mode("a");
    let opening = client.clone();
    let opening = tokio::spawn(async move { opening.execute(open).await });
    tokio::time::sleep(BRIEF).await;
    monitor.human("savevm pending").await.unwrap();
    machine.hold_agent(false).await;
    let handle = opening.await.unwrap().unwrap();
    machine.vm().shell().must("rm /tmp/opened").await.unwrap();

    monitor.human("loadvm pending").await.unwrap();
    assert!(!machine.exists("/tmp/opened").await);
    machine.hold_agent(false).await;
    // It runs once more.
    machine.appears("/tmp/opened").await;
    for number in 1..6 {
        assert_own_reply(&guest, number).await;
    }
    let other = client.execute(FileOpen::new("/tmp/opened")).await.unwrap();
    assert!(other > handle, "{other} was given after {handle}");
}

async fn a_killed_machine_is_told_from_one_that_was_not_asked(on: On) {
    let Machine::Real(mut vm) = Machine::start(on).await else {
        unreachable!("it runs on machines");
    };
    let guest = Guest::connect(vm.address()).await.unwrap();
    guest.execute(Ping).await.unwrap();
    vm.monitor().command("stop", None).await.unwrap();
    let asking = guest.clone();
    let asking = tokio::spawn(async move {
        let open = FileOpen::new("/tmp/opened").mode("w");
        asking.client().execute(open).await
    });
    tokio::time::sleep(BRIEF).await;
    vm.kill().unwrap();
    let error = asking.await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Receive, Execution::MaybeRun)
    );

    assert!(vm.socket().exists());
    let error = guest.client().execute(Ping).await.unwrap_err();
    assert_refused(&error);
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Connect, Execution::NotRun)
    );
    assert!(!error.is_permanent());
    let error = Guest::connect(vm.address()).await.unwrap_err();
    assert_refused(error.command_error().unwrap());
}

fn assert_refused(error: &qga_core::Error) {
    match error.kind() {
        ErrorKind::Open(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused),
        other => panic!("{other:?}"),
    }
}

async fn who_waits_for_the_channel_is_answered_by_the_next_machine(on: On) {
    let Machine::Real(mut vm) = Machine::start(on).await else {
        unreachable!("it runs on machines");
    };
    let guest = Guest::connect(vm.address()).await.unwrap();
    guest.execute(Ping).await.unwrap();
    vm.monitor().command("stop", None).await.unwrap();
    let waiting = guest
        .client()
        .with_options(patience().wait_for_channel(true));
    let safe = waiting.clone();
    let safe = tokio::spawn(async move { safe.execute(Ping).await });
    tokio::time::sleep(BRIEF).await;
    vm.kill().unwrap();
    let opening = tokio::spawn(async move {
        waiting
            .execute(FileOpen::new("/tmp/opened").mode("w"))
            .await
    });
    // Who does not wait long is told what is wrong.
    let brief = patience().timeout(BRIEF).wait_for_channel(true);
    let brief = guest.client().with_options(brief);
    let error = brief.execute(Ping).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
    assert!(!safe.is_finished() && !opening.is_finished());

    let next = TestAgent::listen(&vm.address()).await.unwrap();
    safe.await.unwrap().unwrap();
    opening.await.unwrap().unwrap();
    assert_eq!(next.requests_of("guest-file-open").len(), 1);
}

async fn a_machine_that_ends_in_order_leaves_no_socket(on: On) {
    let Machine::Real(mut vm) = Machine::start(on).await else {
        unreachable!("it runs on machines");
    };
    let mut wire = crate::wire::Wire::connect(&vm.socket()).await;
    wire.send(sync(1)).await;
    assert_eq!(wire.line().await, synced(1));
    vm.monitor().command("quit", None).await.unwrap();
    vm.ended().await.unwrap();
    match wire.ends().await {
        Ok(count) => assert_eq!(count, 0),
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    let error = wire.try_send(&sync(2)).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    let error = Client::connect(vm.address()).await.unwrap_err();
    match error.kind() {
        ErrorKind::Open(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound),
        other => panic!("{other:?}"),
    }
}
