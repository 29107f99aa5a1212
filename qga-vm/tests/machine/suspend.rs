//! A guest that sleeps.

use std::time::Duration;

use qga_commands::commands::power::{SuspendDisk, SuspendHybrid};
use qga_commands::guest::power::Outcome;
use qga_testserver::Power;
use tokio::io::AsyncReadExt;

use crate::case::{BUSYBOX, EVERY, MACHINES, On, cases};
use crate::machine::{Machine, ready};
use crate::power::TOLD;

cases![
    a_guest_that_sleeps_answers_after_it_was_woken_as_the_same on EVERY,
    a_guest_that_wakes_up_by_a_reset_has_another_agent on BUSYBOX,
    a_sleep_that_the_guest_cannot_have_is_an_error on MACHINES,
];

async fn wake(machine: &Machine) {
    match machine {
        Machine::Fake(agent) => {
            assert_eq!(agent.machine().borrow().power, Power::Suspended);
            agent.wake();
        }
        Machine::Real(_) | Machine::Domain(_) => {
            let vm = machine.vm();
            vm.monitor().event("SUSPEND", 1).await.unwrap();
            vm.monitor().command("system_wakeup", None).await.unwrap();
        }
    }
}

async fn a_guest_that_sleeps_answers_after_it_was_woken_as_the_same(on: On) {
    for is_told in TOLD {
        let machine = Machine::start_as(on, qga_vm::VmBuilder::can_sleep).await;
        let guest = machine.guest_told(is_told).await;
        let mut file = guest.open("/etc/hostname").await.unwrap();
        let outcome = guest.suspend_ram().await.unwrap();
        if is_told {
            assert_eq!(outcome, Outcome::Suspended);
        } else {
            assert_eq!(outcome, Outcome::Silent);
        }
        let patience = ready();
        let (ready, ()) = tokio::join!(guest.wait_ready(&patience), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            wake(&machine).await;
        });
        ready.unwrap();
        file.read_u8().await.unwrap();
        file.close().await.unwrap();
    }
}

/// As it is with a kernel that QEMU starts without a BIOS.
async fn a_guest_that_wakes_up_by_a_reset_has_another_agent(on: On) {
    for is_told in TOLD {
        let machine = Machine::start(on).await;
        let guest = machine.guest_told(is_told).await;
        let file = guest.open("/etc/hostname").await.unwrap();
        let expected = [Outcome::Silent, Outcome::Suspended][usize::from(is_told)];
        assert_eq!(guest.suspend_ram().await.unwrap(), expected);
        wake(&machine).await;
        guest.wait_ready(&ready()).await.unwrap();
        machine.assert_event("RESET");
        let error = file.close().await.unwrap_err();
        assert!(error.is_agent_gone(), "{error:?}");
    }
}

/// The fake guest can have every sleep.
async fn a_sleep_that_the_guest_cannot_have_is_an_error(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest_that_may_fail().await;
    let mut file = guest.open("/etc/hostname").await.unwrap();
    let disk = guest.suspend_disk().await.unwrap_err();
    let hybrid = guest.suspend_hybrid().await.unwrap_err();
    let [disk, hybrid] = [&disk, &hybrid].map(|error| {
        let said = error.agent_error();
        said.unwrap_or_else(|| panic!("{error:?}")).desc.clone()
    });
    if on == On::Debian {
        assert!(
            disk.contains("child process has failed to suspend"),
            "{disk}"
        );
        assert!(hybrid.contains("unknown guest suspend mode"), "{hybrid}");
    }
    guest.execute(SuspendDisk).await.unwrap_err();
    guest.execute(SuspendHybrid).await.unwrap_err();
    file.read_u8().await.unwrap();
}
