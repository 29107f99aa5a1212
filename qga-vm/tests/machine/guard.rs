//! What undoes a freeze, whatever happens to the program that has frozen a guest.

use std::future::pending;
use std::io;
use std::process::{ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use qga_commands::commands::fs::{FsfreezeStatus, GuestFsfreezeStatus};
use qga_commands::guest::HealthState;
use qga_commands::guest::freeze::WorkOutcome;
use qga_commands::{Guest, GuestError};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::case::{
    EVERY, EVERY_AND_LIBVIRT, FAKE_AND_BUSYBOX, FAKE_BUSYBOX_AND_LIBVIRT, On, cases,
};
use crate::machine::{self, Machine};
use crate::relay::Relay;

cases![
    a_panic_while_frozen_thaws on FAKE_BUSYBOX_AND_LIBVIRT,
    a_future_that_is_dropped_while_frozen_thaws on FAKE_BUSYBOX_AND_LIBVIRT,
    a_runtime_that_ends_while_frozen_thaws on EVERY_AND_LIBVIRT,
    a_runtime_that_is_not_waited_for_thaws on FAKE_BUSYBOX_AND_LIBVIRT,
    a_channel_that_is_lost_while_frozen_is_opened_again_to_thaw on EVERY,
    a_guard_that_is_dropped_without_a_channel_thaws_once_there_is_one on FAKE_AND_BUSYBOX,
    a_program_that_is_killed_leaves_the_guest_frozen_and_the_next_is_told on EVERY_AND_LIBVIRT,
    a_program_that_ends_its_work_at_a_signal_leaves_the_guest_thawed on EVERY_AND_LIBVIRT,
];

/// Commands wait for a thaw that is under way, and are refused where none is.
async fn ends_thawed(machine: &Machine, guest: &Guest) {
    guest.host_name().await.unwrap();
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Thawed);
    assert!(!machine.holds_writes().await);
}

/// Work on a frozen guest that says when it has begun and then waits to be told to go on.
async fn work(begun: oneshot::Sender<()>, go_on: oneshot::Receiver<()>) {
    begun.send(()).unwrap();
    drop(go_on.await);
}

async fn a_panic_while_frozen_thaws(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let ((begun, has_begun), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
    let ours = guest.clone();
    let task = tokio::spawn(async move {
        let panics = async || {
            work(begun, goes_on).await;
            panic!("in the work on a frozen guest");
        };
        drop(ours.while_frozen(panics).await);
    });
    has_begun.await.unwrap();
    assert!(machine.holds_writes().await);
    go_on.send(()).unwrap();
    assert!(task.await.unwrap_err().is_panic());
    ends_thawed(&machine, &guest).await;
}

async fn a_future_that_is_dropped_while_frozen_thaws(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let ((begun, has_begun), (_go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
    {
        let mut frozen = Box::pin(guest.while_frozen(|| work(begun, goes_on)).into_future());
        tokio::select! {
            _ = &mut frozen => panic!("the work is not done"),
            begun = has_begun => begun.unwrap(),
        }
        assert!(machine.holds_writes().await);
    }
    ends_thawed(&machine, &guest).await;

    let ours = guest.clone();
    let (begun, has_begun) = oneshot::channel();
    let task = tokio::spawn(async move {
        let _frozen = ours.freeze().await.unwrap();
        begun.send(()).unwrap();
        pending::<()>().await;
    });
    has_begun.await.unwrap();
    assert!(machine.holds_writes().await);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    ends_thawed(&machine, &guest).await;
}

/// For a thaw that nobody can wait for.
const ENOUGH: Duration = Duration::from_secs(100);

/// A runtime of one thread, and one of two.
const RUNTIMES: [fn() -> Builder; 2] = [Builder::new_current_thread, || {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2);
    builder
}];

/// Freezes in a runtime of its own, and ends that runtime on a thread of its own.
async fn freeze_in(
    builder: fn() -> Builder,
    address: String,
    end: impl FnOnce(Runtime, qga_commands::guest::freeze::Frozen) + Send + 'static,
) {
    let (ended, has_ended) = oneshot::channel();
    thread::spawn(move || {
        let runtime = builder().enable_all().build().unwrap();
        let frozen = runtime.block_on(async {
            let guest = machine::builder().connect(address).await.unwrap();
            guest.freeze().await.unwrap()
        });
        end(runtime, frozen);
        ended.send(()).unwrap();
    });
    has_ended.await.unwrap();
}

async fn a_runtime_that_ends_while_frozen_thaws(on: On) {
    let machine = Machine::start(on).await;
    for builder in RUNTIMES {
        freeze_in(builder, machine.address(), |runtime, frozen| {
            // As an early return in `main` does.
            runtime.block_on(async move { drop(frozen) });
            drop(runtime);
        })
        .await;
        // The end of the runtime has waited for it.
        assert!(!machine.holds_writes().await);
    }
    ends_thawed(&machine, &machine.guest().await).await;
}

async fn a_runtime_that_is_not_waited_for_thaws(on: On) {
    let machine = Machine::start(on).await;
    for builder in RUNTIMES {
        freeze_in(builder, machine.address(), |runtime, frozen| {
            runtime.shutdown_background();
            drop(frozen);
        })
        .await;
        let thawed = async { while machine.holds_writes().await {} };
        timeout(ENOUGH, thawed).await.unwrap();
    }
    ends_thawed(&machine, &machine.guest().await).await;
}

async fn a_channel_that_is_lost_while_frozen_is_opened_again_to_thaw(on: On) {
    let machine = Machine::start(on).await;
    let relay = Relay::to(machine.socket());
    let guest = Guest::connect(relay.address()).await.unwrap();
    let frozen = guest.freeze().await.unwrap();

    relay.cut();
    let refused = guest.host_name().await.unwrap_err();
    assert!(matches!(refused, GuestError::Frozen { .. }), "{refused}");
    assert!(machine.holds_writes().await);
    relay.mend();
    frozen.thaw().await.unwrap();
    ends_thawed(&machine, &guest).await;
}

async fn a_guard_that_is_dropped_without_a_channel_thaws_once_there_is_one(on: On) {
    let machine = Machine::start(on).await;
    let relay = Relay::to(machine.socket());
    let guest = Guest::connect(relay.address()).await.unwrap();
    let frozen = guest.freeze().await.unwrap();

    relay.cut();
    drop(frozen);
    assert!(guest.execute(FsfreezeStatus).await.is_err());
    assert!(machine.holds_writes().await);
    relay.mend();
    ends_thawed(&machine, &guest).await;
}

/// What this program does instead of running tests, where [`FREEZES`] names the address of a guest.
const FREEZES: &str = "QGA_VM_FREEZES";
/// Whether it ends its work at SIGTERM and Ctrl-C.
const LISTENS: &str = "QGA_VM_LISTENS";

/// Freezes a guest, says so, and works on it until a signal ends this. `None` if this program is to run tests.
pub(crate) fn freeze_instead() -> Option<ExitCode> {
    let address = std::env::var(FREEZES).ok()?;
    let listens = std::env::var_os(LISTENS).is_some();
    Some(
        Runtime::new()
            .unwrap()
            .block_on(freeze_until_ended(address, listens)),
    )
}

async fn freeze_until_ended(address: String, listens: bool) -> ExitCode {
    let guest = machine::builder().connect(address).await.unwrap();
    let work = async || {
        println!("frozen");
        pending::<()>().await;
    };
    let stopped = async {
        if !listens {
            pending::<()>().await;
        }
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        io::Result::Ok(())
    };
    let (outcome, thawed) = guest.while_frozen(work).until(stopped).await.unwrap();
    match outcome {
        WorkOutcome::Stopped(Ok(())) if thawed.unwrap().is_complete() => ExitCode::from(7),
        _ => ExitCode::FAILURE,
    }
}

/// Starts this program again to freeze a guest, and waits until it has.
async fn freezing_program(address: String, listens: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .env(FREEZES, address)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    if listens {
        command.env(LISTENS, "1");
    }
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("frozen"));
    child
}

async fn send_signal(child: &Child, name: &str) {
    let pid = child.id().unwrap().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().await;
    assert!(sent.unwrap().success());
}

async fn a_program_that_is_killed_leaves_the_guest_frozen_and_the_next_is_told(on: On) {
    let machine = Machine::start(on).await;
    for signal in ["KILL", "TERM", "INT"] {
        let mut child = freezing_program(machine.address(), false).await;
        send_signal(&child, signal).await;
        assert_eq!(child.wait().await.unwrap().code(), None);
        assert!(machine.holds_writes().await);

        let next = machine.guest().await;
        assert_eq!(next.health().await.state, HealthState::Frozen);
        let told = next.freeze().await.unwrap_err();
        let not_ours = matches!(
            told,
            GuestError::Frozen {
                by_this_client: false,
                ..
            }
        );
        assert!(not_ours, "{told}");
        assert!(
            next.thaw()
                .await
                .unwrap()
                .thawed
                .is_some_and(|count| count > 0)
        );
        ends_thawed(&machine, &next).await;
    }
}

async fn a_program_that_ends_its_work_at_a_signal_leaves_the_guest_thawed(on: On) {
    let machine = Machine::start(on).await;
    for signal in ["TERM", "INT"] {
        let mut child = freezing_program(machine.address(), true).await;
        assert!(machine.holds_writes().await);
        send_signal(&child, signal).await;
        assert_eq!(child.wait().await.unwrap().code(), Some(7));
        assert!(!machine.holds_writes().await);
    }
    ends_thawed(&machine, &machine.guest().await).await;
}
