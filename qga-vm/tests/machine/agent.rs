//! An agent that is killed, restarted or stopped, at every stage of a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qga_commands::commands::agent::Ping;
use qga_commands::commands::exec::{Exec, ExecStatus};
use qga_commands::commands::file::{FileOpen, FileRead};
use qga_commands::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use qga_commands::guest::{AgentResource, HealthState};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution};
use qga_testserver::Fault;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use crate::case::{EVERY, FAKE_AND_BUSYBOX, MACHINES, On, cases};
use crate::clients::{BRIEF, MINUTE, assert_own_reply, patience, patient, with_timeout};
use crate::machine::Machine;
use crate::wire::{Valve, create, sync, synced};

cases![
    what_an_agent_had_not_read_when_it_was_killed_is_lost on MACHINES,
    a_command_that_ran_when_its_agent_was_killed_may_have_run on FAKE_AND_BUSYBOX,
    a_reply_that_was_torn_is_nobodys_and_the_next_is_read_off_its_line on EVERY,
    only_what_may_run_twice_is_sent_again_when_the_channel_is_lost on EVERY,
    files_and_programs_of_a_killed_agent_are_gone_and_their_numbers_are_not_used_again on EVERY,
    after_a_reboot_the_numbers_begin_anew_and_are_nobodys_of_before on EVERY,
    an_upload_goes_on_with_the_next_agent on EVERY,
    an_agent_that_is_stopped_answers_when_it_goes_on on EVERY,
    a_stream_of_pings_survives_a_restart on MACHINES,
];

pub(crate) fn assert_gone(error: &GuestError, what: AgentResource) {
    match error {
        GuestError::AgentGone { what: gone, .. } => assert_eq!(*gone, what),
        other => panic!("{other:?}"),
    }
}

/// What the agent itself says.
fn words(error: &GuestError) -> &str {
    &error.agent_error().unwrap().desc
}

/// The kernel of the guest drops what was not read when the port is closed. The fake has no such buffer: what it has not
/// read stays in the socket, and is answered by the next agent.
async fn what_an_agent_had_not_read_when_it_was_killed_is_lost(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    guest.execute(Ping).await.unwrap();
    machine.hold_agent(true).await;
    let opening = with_timeout(&guest, 3 * BRIEF);
    let open = FileOpen::new("/tmp/opened").mode("a");
    let opening = tokio::spawn(async move { opening.client().execute(open).await });
    tokio::time::sleep(BRIEF).await;
    assert!(!opening.is_finished());
    machine.kill_agent().await;
    let error = opening.await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_own_reply(&guest, 1).await;
    assert!(!machine.exists("/tmp/opened").await);
}

/// The agent of the Debian guest runs no hook, so nothing makes its freeze slow.
async fn a_command_that_ran_when_its_agent_was_killed_may_have_run(on: On) {
    let machine = Machine::start(on).await;
    match &machine {
        Machine::Fake(agent) => {
            // It is killed before it has frozen anything.
            let on = agent.on("guest-fsfreeze-freeze");
            on.with_fault(Fault::delay(MINUTE)).reply(0);
        }
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            vm.shell()
                .must("echo 60 >/etc/qemu/hook-takes")
                .await
                .unwrap();
        }
    }
    let guest = patient(&machine).await;
    let freezing = with_timeout(&guest, 4 * BRIEF);
    let freezing = tokio::spawn(async move { freezing.freeze().await.map(drop) });
    match &machine {
        Machine::Fake(agent) => drop(agent.wait_for("guest-fsfreeze-freeze", 1).await),
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            machine.appears("/var/log/fsfreeze-hook.log").await;
            vm.shell().must("rm /etc/qemu/hook-takes").await.unwrap();
        }
    }
    machine.kill_agent().await;
    let error = freezing.await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    guest.thaw().await.unwrap();
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Thawed);
    assert_own_reply(&guest, 1).await;
}

async fn a_reply_that_was_torn_is_nobodys_and_the_next_is_read_off_its_line(on: On) {
    const LARGE: u32 = 8 << 20;
    let machine = Machine::start(on).await;
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
    machine.kill_agent().await;
    wire.send(sync(1)).await;
    let line = wire.line().await;
    assert!(
        line.len() > 1000 && line.ends_with(&synced(1)),
        "{} bytes",
        line.len()
    );
    drop(wire);

    // With a client. The rest of its reply never comes.
    let (stream, mut valve) = Valve::connect(&machine.socket(), 10_000).await;
    let client = Client::builder().options(patience()).build(stream);
    let handle = client.execute(FileOpen::new("/tmp/large")).await.unwrap();
    let brief = client.with_options(patience().timeout(5 * BRIEF));
    let reading = brief.execute(FileRead::new(handle).count(LARGE.into()));
    let killing = async {
        valve.full().await;
        machine.kill_agent().await;
        valve.open();
    };
    let (torn, ()) = tokio::join!(reading, killing);
    let torn = torn.unwrap_err();
    assert!(torn.is_timeout(), "{torn:?}");
    assert_eq!(torn.execution(), Execution::MaybeRun);
    assert_own_reply(&Guest::new(client), 5).await;
}

async fn only_what_may_run_twice_is_sent_again_when_the_channel_is_lost(on: On) {
    let machine = Machine::start(on).await;
    let options = patience().wait_for_channel(true);
    let builder = Guest::builder().connect_timeout(MINUTE).options(options);
    let guest = builder.connect(machine.losable_address()).await.unwrap();
    let before = guest.execute(FileOpen::new("/etc/hostname")).await.unwrap();
    machine.let_channel_be_lost().await;
    let pinging = guest.clone();
    let ping = tokio::spawn(async move { pinging.client().execute(Ping).await });
    machine.lose_channel().await;
    ping.await.unwrap().unwrap();
    assert_own_reply(&guest, 1).await;

    machine.let_channel_be_lost().await;
    let opening = guest.clone();
    let open = FileOpen::new("/tmp/opened").mode("a");
    let open = tokio::spawn(async move { opening.client().execute(open).await });
    machine.lose_channel().await;
    let error = open.await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    assert_own_reply(&guest, 2).await;
    // It ran once.
    machine.appears("/tmp/opened").await;
    let next = guest.execute(FileOpen::new("/tmp/opened")).await.unwrap();
    assert_eq!(next, before + 2);
}

async fn files_and_programs_of_a_killed_agent_are_gone_and_their_numbers_are_not_used_again(
    on: On,
) {
    let machine = Machine::start(on).await;
    machine.put("/tmp/file", 100).await;
    let guest = patient(&machine).await;
    let mut file = guest.open("/tmp/file").await.unwrap();
    let mut program = guest.command("sleep").arg("1000").start().await.unwrap();
    let (handle, pid) = (file.handle(), program.pid());
    let not_found = format!("handle '{handle}' has not been found");

    machine.kill_agent().await;
    let error = guest.execute(FileRead::new(handle)).await.unwrap_err();
    assert_eq!(words(&error), not_found);
    let error = guest.execute(ExecStatus::new(pid)).await.unwrap_err();
    assert!(words(&error).contains("'pid'"), "{error}");
    let error = file.read_u8().await.unwrap_err();
    let error: &GuestError = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_gone(error, AgentResource::File(handle));
    assert_gone(
        &file.close().await.unwrap_err(),
        AgentResource::File(handle),
    );
    assert_gone(
        &program.wait().await.unwrap_err(),
        AgentResource::Process(pid),
    );

    let next = guest.execute(FileOpen::new("/tmp/file")).await.unwrap();
    assert!(next > handle, "{next} was given after {handle}");
    assert_eq!(guest.read("/tmp/file").await.unwrap().len(), 100);
}

async fn after_a_reboot_the_numbers_begin_anew_and_are_nobodys_of_before(on: On) {
    let machine = Machine::start(on).await;
    machine.put("/run/before", 100).await;
    let guest = patient(&machine).await;
    let mut file = guest.open("/run/before").await.unwrap();
    let handle = file.handle();
    assert!(handle >= 1000);
    machine.reset().await;
    if on == On::Fake {
        // No real machine is back sooner.
        tokio::time::sleep(3 * BRIEF).await;
    }
    // The saved state knows nothing of this guest, and what was pending at the reset is lost.
    let brief = with_timeout(&guest, 10 * BRIEF);
    while let Err(error) = brief.execute(Ping).await {
        assert!(error.is_timeout(), "{error:?}");
    }
    machine.put("/run/since", 50).await;
    let open = FileOpen::new("/run/since").mode("r+");
    let opened = guest.execute(&open).await.unwrap();
    assert!((1000..=handle).contains(&opened), "{opened} after {handle}");
    for number in opened..handle {
        assert_eq!(guest.execute(&open).await.unwrap(), number + 1);
    }
    // The old number is now that of another file, and nothing of that is touched.
    let error = file.read_u8().await.unwrap_err();
    let error: &GuestError = error.get_ref().unwrap().downcast_ref().unwrap();
    assert_gone(error, AgentResource::File(handle));
    assert_gone(
        &file.close().await.unwrap_err(),
        AgentResource::File(handle),
    );
    let read = guest.execute(FileRead::new(handle)).await.unwrap();
    assert_eq!(read.count, 50);
}

async fn an_upload_goes_on_with_the_next_agent(on: On) {
    const SIZE: u32 = 3 << 20;
    let machine = Machine::start(on).await;
    // What the agent was at when it was killed is never answered.
    let guest = with_timeout(&patient(&machine).await, 10 * BRIEF);
    let folder = tempfile::tempdir().unwrap();
    let local = folder.path().join("file");
    let content: Vec<u8> = (0..SIZE / 4).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&local, &content).unwrap();
    let (begun, mut begins) = tokio::sync::mpsc::unbounded_channel();
    let (killed, is_killed) = std::sync::mpsc::channel::<()>();
    let mut is_killed = Some(is_killed);
    let upload = guest
        .upload(&local, "/tmp/copy")
        .verify(true)
        .progress(move |now| {
            if now.bytes > now.total / 3
                && let Some(is_killed) = is_killed.take()
            {
                begun.send(()).unwrap();
                tokio::task::block_in_place(|| is_killed.recv().unwrap());
            }
        });
    let upload = tokio::spawn(upload.into_future());
    begins.recv().await.unwrap();
    machine.kill_agent().await;
    killed.send(()).unwrap();
    let copied = upload.await.unwrap().unwrap();
    assert_eq!(copied.bytes, u64::from(SIZE));
    assert!(guest.read("/tmp/copy").await.unwrap() == content);
}

async fn an_agent_that_is_stopped_answers_when_it_goes_on(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    assert_eq!(guest.health().await.state, HealthState::Ready);
    machine.hold_agent(true).await;
    // The answer of before is told for a second.
    tokio::time::sleep(2 * BRIEF).await;
    let asking = guest.clone();
    let asking = tokio::spawn(async move { assert_own_reply(&asking, 1).await });
    assert_eq!(guest.health().await.state, HealthState::Busy);
    machine.hold_agent(false).await;
    asking.await.unwrap();
}

async fn a_stream_of_pings_survives_a_restart(on: On) {
    let machine = Machine::start(on).await;
    let guest = patient(&machine).await;
    let (done, is_done) = tokio::sync::watch::channel(false);
    let pinging = with_timeout(&guest, 3 * BRIEF);
    let answered = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&answered);
    let pings = tokio::spawn(async move {
        while !*is_done.borrow() {
            match pinging.execute(Ping).await {
                Ok(_) => drop(count.fetch_add(1, Ordering::Relaxed)),
                // It was read by an agent that has ended, or waits for one that starts slowly.
                Err(error) => assert!(error.is_timeout(), "{error:?}"),
            }
        }
    });
    let more_are_answered = async || {
        let before = answered.load(Ordering::Relaxed);
        while answered.load(Ordering::Relaxed) < before + 10 {
            tokio::time::sleep(BRIEF / 10).await;
        }
    };
    more_are_answered().await;
    machine.kill_agent().await;
    if on == On::Debian {
        machine
            .vm()
            .shell()
            .must("systemctl restart qemu-guest-agent")
            .await
            .unwrap();
    }
    more_are_answered().await;
    assert_own_reply(&guest, 1).await;
    done.send(true).unwrap();
    pings.await.unwrap();
    guest.execute(Exec::new("true")).await.unwrap();
}
