//! The clock, trims, processors and memory, as the guest itself shows them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use qga_commands::commands::cpu::{GuestLogicalProcessor, SetVcpus};
use qga_commands::commands::memory::GuestMemoryBlock;
use qga_commands::{Guest, GuestError};
use qga_core::Execution;
use qga_testserver::MemoryBlock;
use qga_vm::Vm;
use serde_json::json;
use tokio::time::sleep;

use crate::case::{BUSYBOX, DEBIAN, EVERY, FAKE_AND_BUSYBOX, MACHINES, On, cases};
use crate::machine::Machine;

cases![
    a_trim_says_for_each_filesystem_how_much_was_given_back on EVERY,
    a_minimum_that_no_filesystem_reaches_is_an_error_of_each_of_them on EVERY,
    a_clock_is_set_to_a_time on EVERY,
    a_clock_that_stood_still_is_late_and_is_set_to_the_hosts on BUSYBOX,
    a_clock_is_set_from_the_hardware on MACHINES,
    a_guest_without_hwclock_says_that_it_cannot_and_sets_nothing on MACHINES,
    an_agent_that_may_not_set_the_clock_says_so on DEBIAN,
    a_processor_goes_offline_and_comes_back_but_not_the_first on FAKE_AND_BUSYBOX,
    memory_that_is_plugged_in_is_offline_until_it_is_set_online on FAKE_AND_BUSYBOX,
];

/// No filesystem of these guests is so large.
const TOO_MUCH: u64 = 1 << 40;

async fn a_trim_says_for_each_filesystem_how_much_was_given_back(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let discards = "cat /sys/block/vd*/stat | awk \"{ sum += \\$12 } END { print sum }\"";
    let before: Option<u64> = match on {
        On::Fake => None,
        _ => Some(machine.run(discards).await.trim().parse().unwrap()),
    };

    let trimmed = guest.fstrim().await.unwrap();
    let of = |place: &str| trimmed.iter().find(|one| one.path == place).unwrap();
    let bytes = of(machine.mountpoint()).trimmed.as_ref().unwrap().unwrap();
    assert!(bytes > 0);
    if let Some(before) = before {
        let after: u64 = machine.run(discards).await.trim().parse().unwrap();
        assert!(after > before);
    }
    // What is not written to meanwhile has nothing more to give.
    let again = guest.fstrim().await.unwrap();
    let again = again.iter().find(|one| one.path == machine.mountpoint());
    assert!(again.unwrap().trimmed.as_ref().unwrap().unwrap() < bytes);
}

async fn a_minimum_that_no_filesystem_reaches_is_an_error_of_each_of_them(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let trimmed = guest.fstrim().minimum(TOO_MUCH).await.unwrap();
    let ours = trimmed.iter().find(|one| one.path == machine.mountpoint());
    let error = ours.unwrap().trimmed.as_ref().unwrap_err();
    assert_eq!(error.text(), "failed to trim: Invalid argument");
}

/// What the guest's clock says, in seconds since 1970.
async fn seconds(machine: &Machine) -> u64 {
    match machine.fake() {
        Some(agent) => u64::try_from(agent.guest().time).unwrap() / 1_000_000_000,
        None => machine.run("date +%s").await.trim().parse().unwrap(),
    }
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

const DAY: u64 = 24 * 60 * 60;
const IN_2001: u64 = 1_000_000_000;

fn is_in_2001(seconds: u64) -> bool {
    (IN_2001..IN_2001 + DAY).contains(&seconds)
}

async fn a_clock_is_set_to_a_time(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    assert!(!is_in_2001(seconds(&machine).await));
    guest
        .set_time(UNIX_EPOCH + Duration::from_secs(IN_2001))
        .await
        .unwrap();
    assert!(is_in_2001(seconds(&machine).await));
    if on != On::Fake {
        // The hardware clock too, so that it lasts.
        machine
            .run("date -s @2000000000; hwclock --hctosys --utc")
            .await;
        assert!(is_in_2001(seconds(&machine).await));
    }
}

async fn a_clock_that_stood_still_is_late_and_is_set_to_the_hosts(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    // It has stood still since its state was saved, too.
    let stood_still = Duration::from_secs(3);
    let monitor = machine.vm().monitor();
    monitor.command("stop", None).await.unwrap();
    sleep(stood_still).await;
    monitor.command("cont", None).await.unwrap();

    let offset = guest.clock_offset().await.unwrap();
    assert!(offset.as_nanos() < 0, "{offset}");
    assert!(
        offset.apart() + offset.uncertainty() >= stood_still,
        "{offset}"
    );
    let left = guest.sync_time().await.unwrap();
    assert!(left.apart() < stood_still + left.uncertainty(), "{left}");
    assert!(seconds(&machine).await.abs_diff(seconds_now()) < DAY);
}

async fn a_clock_is_set_from_the_hardware(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    machine.run(&format!("date -s @{IN_2001}")).await;
    assert!(is_in_2001(seconds(&machine).await));
    guest.set_time_from_hardware().await.unwrap();
    assert!(seconds(&machine).await.abs_diff(seconds_now()) < DAY);
}

async fn a_guest_without_hwclock_says_that_it_cannot_and_sets_nothing(on: On) {
    let machine = Machine::start(on).await;
    machine.run("mv /sbin/hwclock /sbin/hwclock-not-here").await;
    let guest = machine.guest().await;
    let set = guest
        .set_time(UNIX_EPOCH + Duration::from_secs(IN_2001))
        .await;
    for error in [set, guest.set_time_from_hardware().await].map(Result::unwrap_err) {
        let said = &error.agent_error().unwrap().desc;
        assert_eq!(said, "this feature or command is not currently supported");
        assert_eq!(error.execution(), Execution::Answered);
    }
    assert!(!is_in_2001(seconds(&machine).await));
}

async fn an_agent_that_may_not_set_the_clock_says_so(on: On) {
    let machine = Machine::start(on).await;
    machine
        .limit_the_agent("CapabilityBoundingSet=~CAP_SYS_TIME")
        .await;
    let guest = machine.guest().await;
    let time = UNIX_EPOCH + Duration::from_secs(IN_2001);
    let error = guest.set_time(time).await.unwrap_err();
    let said = &error.agent_error().unwrap().desc;
    assert!(said.ends_with("Operation not permitted"), "{said}");
    assert!(!is_in_2001(seconds(&machine).await));
}

async fn a_processor_goes_offline_and_comes_back_but_not_the_first(on: On) {
    let machine = Machine::start_as(on, |builder| builder.processors("2")).await;
    let guest = machine.guest().await;
    let online = async |guest: &Guest| {
        let vcpus = guest.vcpus().await.unwrap();
        let online: Vec<_> = vcpus.iter().map(|vcpu| vcpu.online).collect();
        if on != On::Fake {
            let seen = machine.run("nproc").await;
            let count = online.iter().filter(|online| **online).count();
            assert_eq!(seen.trim(), count.to_string());
        }
        online
    };
    assert_eq!(online(&guest).await, [true, true]);

    let first_off = [GuestLogicalProcessor::new(0, false)];
    let error = guest.set_vcpus(first_off).await.unwrap_err();
    assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    let first_off = [GuestLogicalProcessor::new(0, false)];
    let error = guest
        .client()
        .execute(SetVcpus::new(first_off))
        .await
        .unwrap_err();
    let said = &error.agent_error().unwrap().desc;
    assert_eq!(said, "logical processor #0 can't be offlined");

    let changed = guest.set_online_vcpus(1).await.unwrap();
    assert_eq!(changed, [GuestLogicalProcessor::new(1, false)]);
    assert_eq!(online(&guest).await, [true, false]);
    guest.set_online_vcpus(2).await.unwrap();
    assert_eq!(online(&guest).await, [true, true]);
}

/// Adds 128 MiB to a machine that is running.
async fn plug_memory(vm: &Vm) {
    let size = 128 << 20;
    let backend = json!({ "qom-type": "memory-backend-ram", "id": "more", "size": size });
    let dimm = json!({ "driver": "pc-dimm", "id": "dimm", "memdev": "more" });
    vm.monitor()
        .command("object-add", Some(backend))
        .await
        .unwrap();
    vm.monitor()
        .command("device_add", Some(dimm))
        .await
        .unwrap();
    let seen =
        "until grep -q offline /sys/devices/system/memory/memory*/state; do sleep 0.05; done";
    vm.shell().must(seen).await.unwrap();
}

async fn memory_that_is_plugged_in_is_offline_until_it_is_set_online(on: On) {
    let machine = Machine::start_as(on, |builder| builder.memory("256,slots=2,maxmem=1G")).await;
    let guest = machine.guest().await;
    let before = guest.memory_blocks().await.unwrap();
    assert!(before.iter().all(|block| block.online));
    assert_eq!(guest.memory_block_size().await.unwrap(), 128 << 20);
    match machine.fake() {
        Some(agent) => agent.edit_guest(|guest| {
            let mut block = MemoryBlock::new(32);
            block.online = false;
            guest.memory_blocks.push(block);
        }),
        None => plug_memory(machine.vm()).await,
    }

    let mut blocks = guest.memory_blocks().await.unwrap();
    assert_eq!(blocks.len(), before.len() + 1);
    blocks.retain(|block| !block.online);
    let [block] = &blocks[..] else {
        panic!("one block is offline: {blocks:?}");
    };
    let missing = block.phys_index + 1;
    let wanted = [block.phys_index, missing].map(|index| GuestMemoryBlock::new(index, true));
    let done = guest.set_memory_blocks(wanted).await.unwrap();
    let done: Vec<_> = done
        .iter()
        .map(|one| (one.phys_index, one.is_success()))
        .collect();
    assert_eq!(done, [(block.phys_index, true), (missing, false)]);
    assert!(
        guest
            .memory_blocks()
            .await
            .unwrap()
            .iter()
            .all(|block| block.online)
    );
    if on != On::Fake {
        let offline =
            machine.run("cat /sys/devices/system/memory/memory*/state | grep -c offline || true");
        assert_eq!(offline.await.trim(), "0");
    }
}
