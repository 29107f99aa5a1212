//! Operations on a guest whose machine does not run, as its host tells.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::guest::power::Outcome;
use qga_commands::guest::ready::{Ready, ReadyStage};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, MachineState, Options, Power};
use qga_testserver::{TestAgent, TestMachine};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// Longer than a machine that does not run is waited for.
const SOON: Duration = Duration::from_secs(10);

const STANDING: [Power; 4] = [
    Power::Panicked,
    Power::Suspended,
    Power::Paused,
    Power::Stalled,
];

fn told() -> (TestAgent, Guest, watch::Sender<MachineState>) {
    let (agent, stream) = TestAgent::in_memory();
    let (events, machine) = watch::channel(MachineState::new());
    let client = Client::builder().machine(&machine).build(stream);
    (agent, Guest::new(client), events)
}

/// The fake's machine stands still from now on, and its host tells so.
fn stops(agent: &TestAgent, events: &watch::Sender<MachineState>, power: Power) {
    agent.pause();
    events.send_modify(|state| state.power = power);
}

fn runs(agent: &TestAgent, events: &watch::Sender<MachineState>) {
    agent.resume();
    events.send_modify(|state| state.power = Power::Running);
}

fn stage(error: GuestError) -> ReadyStage {
    match error {
        GuestError::NotReady { stage, .. } => stage,
        error => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_says_what_the_machine_is() {
    for power in STANDING.into_iter().chain([Power::Off]) {
        let (agent, guest, events) = told();
        guest.execute(Ping).await.unwrap();
        stops(&agent, &events, power);
        let start = Instant::now();
        let error = guest.read("/etc/hostname").await.unwrap_err();
        assert_eq!(error.machine_stopped(), Some(power), "{error}");
        assert!(!error.is_timeout() && start.elapsed() < SOON, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_guest_whose_machine_stands_still_is_not_waited_for_and_the_error_says_so() {
    for power in STANDING.into_iter().chain([Power::Off]) {
        let (agent, guest, events) = told();
        agent.pause();
        let start = Instant::now();
        let ready = Ready::ping();
        let (waited, ()) = tokio::join!(guest.wait_ready(&ready), async {
            sleep(SOON).await;
            stops(&agent, &events, power);
        });
        let error = waited.unwrap_err();
        assert_eq!(error.machine_stopped(), Some(power));
        assert!(!error.is_timeout());
        let said = error.to_string();
        assert!(said.ends_with(&format!("its machine {power}")), "{said}");
        assert!(start.elapsed() < 3 * SOON, "{:?}", start.elapsed());
        assert_eq!(stage(error), ReadyStage::Stopped(power));
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_still_to_be_switched_on_is_waited_for() {
    let (agent, guest, events) = told();
    stops(&agent, &events, Power::Off);
    sleep(SOON).await;
    let ready = Ready::ping();
    let (waited, ()) = tokio::join!(guest.wait_ready(&ready), async {
        sleep(3 * SOON).await;
        runs(&agent, &events);
    });
    waited.unwrap();

    stops(&agent, &events, Power::Off);
    let error = guest.wait_ready(&ready).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(error.machine_stopped(), Some(Power::Off));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_machine_is_waited_for_by_who_wants_that() {
    let (agent, guest, events) = told();
    guest.execute(Ping).await.unwrap();
    let options = Options::new().machine_timeout(Duration::MAX);
    let patient = Guest::new(guest.client().with_options(options));
    stops(&agent, &events, Power::Paused);
    let (read, ()) = tokio::join!(patient.read("/etc/hostname"), async {
        sleep(2 * SOON).await;
        runs(&agent, &events);
    });
    read.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_program_that_was_started_before_the_machine_stood_still_may_have_run() {
    let (agent, guest, events) = told();
    guest.execute(Ping).await.unwrap();
    agent.program("job").never_ends();
    let output = guest.command("job");
    let (ended, ()) = tokio::join!(output.output(), async {
        agent.wait_for("guest-exec-status", 1).await;
        stops(&agent, &events, Power::Stalled);
    });
    let error = ended.unwrap_err();
    assert_eq!(error.machine_stopped(), Some(Power::Stalled), "{error}");
    assert_ne!(error.execution(), Execution::NotRun);
}

#[tokio::test(start_paused = true)]
async fn what_is_frozen_is_thawed_after_a_pause_of_the_machine() {
    let (agent, guest, events) = told();
    let frozen = guest.freeze().await.unwrap();
    stops(&agent, &events, Power::Paused);
    let (thawed, ()) = tokio::join!(frozen.thaw(), async {
        sleep(3 * SOON).await;
        runs(&agent, &events);
    });
    thawed.unwrap();
    assert!(!agent.guest().frozen);
}

/// What the host of a machine tells a client.
fn machine_of(machine: &TestMachine) -> watch::Receiver<MachineState> {
    use qga_testserver::Power as Seen;
    let mut views = machine.agent().machine();
    let (events, told) = watch::channel(MachineState::new());
    tokio::spawn(async move {
        while views.changed().await.is_ok() {
            let view = *views.borrow_and_update();
            events.send_modify(|state| {
                state.port_is_open = Some(view.port_is_open);
                state.resets = view.resets;
                state.power = match view.power {
                    Seen::Suspended => Power::Suspended,
                    Seen::Paused => Power::Paused,
                    Seen::Panicked => Power::Panicked,
                    Seen::Stalled => Power::Stalled,
                    Seen::Off => Power::Off,
                    _ => Power::Running,
                };
            });
        }
    });
    told
}

/// A guest of a machine with a monitor, which is told what becomes of it.
async fn of_a_machine() -> (TestMachine, Guest) {
    let machine = TestMachine::start().await;
    machine.no_shutdown();
    let client = Client::builder().machine(&machine_of(&machine));
    let client = client.build(machine.agent().connect());
    (machine, Guest::new(client))
}

#[tokio::test(start_paused = true)]
async fn power_operations_prove_their_outcomes_by_the_machine() {
    let (_machine, guest) = of_a_machine().await;
    assert_eq!(guest.shutdown().await.unwrap(), Outcome::Off);
    let (_machine, guest) = of_a_machine().await;
    assert_eq!(guest.reboot().await.unwrap(), Outcome::Back);
    guest.execute(Ping).await.unwrap();
    let (machine, guest) = of_a_machine().await;
    assert_eq!(guest.suspend_ram().await.unwrap(), Outcome::Suspended);
    let error = guest.execute(Ping).await.unwrap_err();
    assert_eq!(error.machine_stopped(), Some(Power::Suspended));
    machine.agent().wake();
    guest.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_in_the_middle_of_which_the_kernel_panics_says_so() {
    let (machine, guest) = of_a_machine().await;
    machine
        .agent()
        .edit_guest(|guest| guest.stop_milliseconds = 60_000);
    let (outcome, ()) = tokio::join!(guest.shutdown().into_future(), async {
        sleep(SOON).await;
        machine.panic();
    });
    assert_eq!(outcome.unwrap(), Outcome::Panicked);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_of_the_host_is_named_and_is_over_once_there_is_room() {
    let (machine, guest) = of_a_machine().await;
    guest.execute(Ping).await.unwrap();
    machine.fill_disk();
    let error = guest.execute(Ping).await.unwrap_err();
    assert!(error.to_string().contains("full disk"), "{error}");
    machine.free_disk();
    machine.agent().resume();
    guest.execute(Ping).await.unwrap();
}
