//! A guest that begins anew, by itself or by its host, and what belongs to the agent that it had before.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileClose, FileOpen};
use qga_commands::guest::AgentResource;
use qga_commands::guest::files::File;
use qga_commands::guest::power::Outcome;
use qga_commands::guest::process::Child;
use qga_commands::{Guest, GuestError};
use qga_core::Execution;
use tokio::io::AsyncReadExt;

use crate::case::{BUSYBOX, DEBIAN, EVERY, On, cases};
use crate::machine::{Machine, ready};
use crate::power::TOLD;
use crate::raw::{Raw, id};

cases![
    a_reboot_ends_with_another_agent_and_what_the_old_one_had_is_gone on EVERY,
    pings_behind_a_reboot_are_answered_on_the_same_channel on EVERY,
    a_reset_by_the_host_ends_a_program_that_is_waited_for on SMALL,
    a_reset_by_the_host_ends_a_freeze on EVERY,
    a_reset_while_a_reboot_is_under_way_is_as_good on SMALL,
    a_guest_that_does_not_heed_its_power_button_goes_on on BUSYBOX,
    a_guest_that_heeds_its_power_button_ends_what_is_waited_for on DEBIAN,
];

/// What starts anew in a few seconds.
const SMALL: &[On] = &[On::Fake, On::Busybox];

/// What somebody has of a guest, by numbers that its agent knows.
struct Belongings {
    boot: String,
    file: File,
    program: Child,
}

async fn boot(guest: &Guest) -> String {
    let id = guest.read("/proc/sys/kernel/random/boot_id").await.unwrap();
    String::from_utf8(id).unwrap()
}

impl Belongings {
    async fn of(guest: &Guest) -> Self {
        // The library asks the next agent for files of its own, which must not use the numbers up.
        for _ in 0..10 {
            boot(guest).await;
        }
        Self {
            boot: boot(guest).await,
            file: guest.open("/etc/hostname").await.unwrap(),
            program: guest.command("sleep").arg("1000").spawn().await.unwrap(),
        }
    }

    /// The guest began anew: the numbers are given to others now, and to none of them anything happens.
    async fn assert_gone(mut self, guest: &Guest) {
        assert_ne!(boot(guest).await, self.boot);
        let number = self.file.handle();
        let client = guest.client();
        let open = || FileOpen::new("/etc/passwd").mode("r");
        let mut others = vec![client.execute(open()).await.unwrap()];
        assert!(
            others[0] <= number,
            "it counts from the beginning: {others:?}, {number}"
        );
        while others.last() != Some(&number) {
            others.push(client.execute(open()).await.unwrap());
        }
        let error = self.file.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StaleNetworkFileHandle);
        let error = self.file.close().await.unwrap_err();
        assert_agent_gone(&error, AgentResource::File(number));
        assert_eq!(error.execution(), Execution::NotRun);
        let pid = self.program.pid();
        let error = self.program.wait().await.unwrap_err();
        assert_agent_gone(&error, AgentResource::Process(pid));
        for other in others {
            client.execute(FileClose::new(other)).await.unwrap();
        }
    }
}

fn assert_agent_gone(error: &GuestError, expected: AgentResource) {
    assert!(error.is_agent_gone(), "{error:?}");
    if let GuestError::AgentGone { what, .. } = error {
        assert_eq!(*what, expected);
    }
}

async fn a_reboot_ends_with_another_agent_and_what_the_old_one_had_is_gone(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let belongings = Belongings::of(&guest).await;
        let outcome = guest.reboot().timeout(Duration::from_secs(220)).await;
        assert_eq!(outcome.unwrap(), Outcome::Back, "{is_told}");
        machine.assert_event("RESET");
        guest.wait_ready(&ready()).await.unwrap();
        belongings.assert_gone(&guest).await;
    }
}

async fn pings_behind_a_reboot_are_answered_on_the_same_channel(on: On) {
    let machine = Machine::start(on).await;
    let mut client = Raw::connect(&machine.address()).await;
    client.send("guest-shutdown", r#""mode":"reboot""#, 1).await;
    if let Machine::Real(vm) = &machine {
        vm.monitor().event("RESET", 1).await.unwrap();
    }
    for number in 2..5 {
        client.send("guest-ping", "", number).await;
    }
    for number in 2..5 {
        assert_eq!(id(&client.line().await.unwrap()), number);
    }
}

async fn a_reset_by_the_host_ends_a_program_that_is_waited_for(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let mut belongings = Belongings::of(&guest).await;
        let wait = belongings.program.wait();
        let (waited, ()) = tokio::join!(wait, async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            machine.reset().await;
        });
        let error = waited.unwrap_err();
        // The question may have gone to the old agent, or stand before the new one for too long.
        assert!(error.is_agent_gone() || error.is_timeout(), "{error:?}");
        guest.wait_ready(&ready()).await.unwrap();
        belongings.assert_gone(&guest).await;
    }
}

async fn a_reset_by_the_host_ends_a_freeze(on: On) {
    let told = if on == On::Debian { &[true] } else { &TOLD[..] };
    for is_told in told.iter().copied() {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let before = boot(&guest).await;
        let frozen = guest.freeze().await.unwrap();
        machine.reset().await;
        if on == On::Debian {
            // It may take longer to start than a thaw is waited for.
            guest.wait_ready(&ready()).await.unwrap();
        }
        let thawed = frozen.thaw().await.unwrap();
        assert!(!thawed.is_complete(), "{thawed:?}");
        assert_ne!(boot(&guest).await, before);
        let frozen = guest.freeze().await.unwrap();
        assert!(frozen.thaw().await.unwrap().is_complete());
    }
}

async fn a_reset_while_a_reboot_is_under_way_is_as_good(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        match &machine {
            Machine::Fake(agent) => agent.edit_guest(|guest| guest.stop_milliseconds = 60_000),
            Machine::Real(_) | Machine::Domain(_) => {
                let vm = machine.vm();
                let slow = "sed -i -e '2i : >/run/asked' -e 's/sleep 0.2/sleep 60/' /sbin/shutdown";
                vm.shell().must(slow).await.unwrap();
            }
        }
        let guest = machine.guest_told(is_told).await;
        let belongings = Belongings::of(&guest).await;
        let (outcome, ()) = tokio::join!(guest.reboot().into_future(), async {
            match &machine {
                Machine::Fake(agent) => drop(agent.wait_for("guest-shutdown", 1).await),
                Machine::Real(_) | Machine::Domain(_) => {
                    let vm = machine.vm();
                    let asked = "until [ -e /run/asked ]; do usleep 10000; done";
                    vm.shell().must(asked).await.unwrap();
                }
            }
            machine.reset().await;
        });
        assert_eq!(outcome.unwrap(), Outcome::Back, "{is_told}");
        guest.wait_ready(&ready()).await.unwrap();
        belongings.assert_gone(&guest).await;
    }
}

async fn press(machine: &Machine) {
    let monitor = machine.vm().monitor();
    monitor.command("system_powerdown", None).await.unwrap();
    monitor.event("POWERDOWN", 1).await.unwrap();
}

async fn a_guest_that_does_not_heed_its_power_button_goes_on(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest_told(true).await;
    let mut program = guest.command("sleep").arg("1").spawn().await.unwrap();
    press(&machine).await;
    assert!(program.wait().await.unwrap().success());
    guest.execute(Ping).await.unwrap();
}

async fn a_guest_that_heeds_its_power_button_ends_what_is_waited_for(on: On) {
    for is_told in TOLD {
        let mut machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let mut program = guest.command("sleep").arg("1000").spawn().await.unwrap();
        let (waited, ()) = tokio::join!(program.wait(), press(&machine));
        assert!(waited.is_err() || !waited.unwrap().success());
        machine.ended().await;
        let error = guest.execute(Ping).await.unwrap_err();
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
    }
}
