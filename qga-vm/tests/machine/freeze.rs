//! Filesystems that are frozen, in the guest and as a disk shows them.

use std::time::Duration;

use qga_commands::capabilities::Refusal;
use qga_commands::commands::agent::{Info, Ping};
use qga_commands::commands::fs::{
    FsfreezeFreeze, FsfreezeFreezeList, FsfreezeStatus, FsfreezeThaw, GuestFsfreezeStatus,
};
use qga_commands::guest::HealthState;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::Filesystem;
use qga_vm::Filesystem as OnDisk;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use crate::case::{BUSYBOX, DEBIAN, EVERY, FAKE_AND_BUSYBOX, FAKE_AND_DEBIAN, MACHINES, On, cases};
use crate::machine::Machine;

cases![
    while_frozen_only_what_an_agent_does_then_is_sent on EVERY,
    a_guest_that_somebody_left_frozen_refuses_and_does_not_hang on EVERY,
    an_agent_that_is_killed_while_frozen_comes_back_frozen_and_is_thawed on EVERY,
    with_root_frozen_writers_and_the_journal_wait_and_the_agent_goes_on on DEBIAN,
    only_what_can_be_frozen_is_counted_and_each_device_once on EVERY,
    what_somebody_else_had_frozen_is_thawed_too_and_the_rest_counted on FAKE_AND_DEBIAN,
    a_freeze_of_nothing_leaves_alone_what_somebody_else_has_frozen on FAKE_AND_BUSYBOX,
    a_freeze_of_what_cannot_be_frozen_is_an_error_and_holds_nothing_back on EVERY,
    an_agent_that_may_not_freeze_says_which_filesystem_and_freezes_none on FAKE_AND_DEBIAN,
    a_disk_copied_while_frozen_is_clean_and_has_every_record on MACHINES,
    a_disk_copied_without_a_freeze_is_not_clean_and_lacks_records on MACHINES,
    a_slow_hook_is_waited_for on BUSYBOX,
    a_freeze_whose_reply_comes_too_late_is_never_sent_again on BUSYBOX,
    a_client_that_leaves_during_a_freeze_leaves_it_to_the_next_which_is_told on BUSYBOX,
    a_hook_that_fails_before_the_freeze_leaves_the_guest_thawed on BUSYBOX,
    a_hook_that_fails_after_the_thaw_is_told_with_what_was_thawed on BUSYBOX,
];

/// Without a guard, as a program does that ends and leaves the guest so.
async fn leave_frozen(machine: &Machine) -> i64 {
    let client = Client::connect(machine.address()).await.unwrap();
    client.execute(FsfreezeFreeze).await.unwrap()
}

fn is_frozen(error: &GuestError, by_us: bool) -> bool {
    matches!(error, GuestError::Frozen { by_this_client, .. } if *by_this_client == by_us)
}

async fn while_frozen_only_what_an_agent_does_then_is_sent(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    assert!(!machine.holds_writes().await);

    let frozen = guest.freeze().await.unwrap();
    assert!(frozen.count().is_some_and(|count| count > 0));
    assert!(machine.holds_writes().await);
    for _ in 0..300 {
        guest.execute(Ping).await.unwrap();
    }
    guest.execute(Info).await.unwrap();
    guest.client().sync().await.unwrap();
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Frozen);
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    let refused = guest.command("true").output().await.unwrap_err();
    assert!(is_frozen(&refused, true), "{refused}");
    assert_eq!(refused.execution(), Execution::NotRun);

    assert!(frozen.thaw().await.unwrap().is_complete());
    assert!(!machine.holds_writes().await);
    assert!(guest.command("true").status().await.unwrap().success());
    assert_eq!(guest.health().await.state, HealthState::Ready);
}

async fn a_guest_that_somebody_left_frozen_refuses_and_does_not_hang(on: On) {
    let machine = Machine::start(on).await;
    let count = leave_frozen(&machine).await;
    assert!(count > 0 && machine.holds_writes().await);

    // The agent itself refuses, and does so at once.
    let guest = machine.guest().await;
    let exec = guest.command("true").output().await.map(drop);
    let read = guest.read("/etc/hostname").await.map(drop);
    for refused in [exec, read, guest.host_name().await.map(drop)] {
        let refused = refused.unwrap_err();
        assert_eq!(refused.execution(), Execution::NotRun);
        // Newer agents do not say why they refuse, but tell it when they are asked.
        let error = refused.command_error().unwrap();
        let why = Refusal::explain(guest.client(), error).await;
        assert!(matches!(why, Some(Refusal::Frozen { .. })), "{refused}");
    }
    guest.execute(Ping).await.unwrap();
    guest.client().sync().await.unwrap();
    assert_eq!(guest.health().await.state, HealthState::Frozen);

    // It is not ours to thaw, unless we say so.
    let refused = guest.freeze().await.unwrap_err();
    assert!(is_frozen(&refused, false), "{refused}");
    assert!(machine.holds_writes().await);
    assert_eq!(guest.thaw().await.unwrap().thawed, Some(count));
    assert!(!machine.holds_writes().await);
    assert!(guest.command("true").status().await.unwrap().success());
}

async fn an_agent_that_is_killed_while_frozen_comes_back_frozen_and_is_thawed(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let frozen = guest.freeze().await.unwrap();

    machine.kill_agent().await;
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Frozen);
    assert_eq!(guest.health().await.state, HealthState::Frozen);
    assert!(machine.holds_writes().await);
    let refused = guest.host_name().await.unwrap_err();
    assert!(is_frozen(&refused, true), "{refused}");

    assert!(frozen.thaw().await.unwrap().is_complete());
    assert!(!machine.holds_writes().await);
    guest.host_name().await.unwrap();
}

const ROOT_WRITERS: &str = r"
for name in one two three; do
    (while :; do echo line >>/var/tmp/$name; sleep 0.05; done) </dev/null >/dev/null 2>&1 &
    echo $!
done
";

async fn with_root_frozen_writers_and_the_journal_wait_and_the_agent_goes_on(on: On) {
    let machine = Machine::start(on).await;
    let writers = machine.run(ROOT_WRITERS).await.replace('\n', " ");
    let guest = machine.guest().await;

    let frozen = guest.freeze().await.unwrap();
    assert_eq!(frozen.count(), Some(2));
    // `logger` itself does not wait for the journal.
    machine.run("logger while-frozen").await;
    let all_wait = "for pid in $(pidof systemd-journald) $0; do
        until grep -q \"^State:.D\" /proc/$pid/status; do sleep 0.05; done
    done";
    machine.run_script(all_wait, &writers).await;
    for _ in 0..500 {
        guest.execute(Ping).await.unwrap();
    }
    let refused = guest.command("true").output().await.unwrap_err();
    assert!(is_frozen(&refused, true), "{refused}");
    machine.run_script(all_wait, &writers).await;

    assert!(frozen.thaw().await.unwrap().is_complete());
    let all_go_on = "for name in one two three; do
        old=$(wc -l </var/tmp/$name)
        until [ $(wc -l </var/tmp/$name) -gt $old ]; do sleep 0.05; done
    done
    until journalctl --quiet --grep while-frozen; do sleep 0.1; done";
    machine.run(all_go_on).await;
}

/// One more filesystem that cannot be frozen, and a second place of one that can.
async fn mount_more(machine: &Machine) {
    match machine.fake() {
        Some(agent) => agent.edit_guest(|guest| {
            let efi = Filesystem::new("vda2", "/boot/efi", "vfat", 2);
            let again = Filesystem::new("vdb", "/again", "xfs", 3);
            guest.filesystems.extend([efi, again]);
        }),
        None => drop(
            machine
                .run("mkdir -p /run/again && mount --bind /mnt/data /run/again")
                .await,
        ),
    }
}

async fn only_what_can_be_frozen_is_counted_and_each_device_once(on: On) {
    let machine = Machine::start(on).await;
    mount_more(&machine).await;
    let guest = machine.guest().await;
    let devices = match on {
        On::Fake | On::Debian => 2,
        On::Busybox | On::Libvirt => 1,
    };

    let mounted = guest.filesystems().await.unwrap();
    assert!(mounted.len() > devices);
    let frozen = guest.freeze().await.unwrap();
    assert_eq!(frozen.count(), i64::try_from(devices).ok());
    assert!(machine.holds_writes().await);
    assert!(frozen.thaw().await.unwrap().is_complete());
    assert!(!machine.holds_writes().await);
}

async fn what_somebody_else_had_frozen_is_thawed_too_and_the_rest_counted(on: On) {
    let machine = Machine::start(on).await;
    machine.freeze_past_the_agent().await;
    let guest = machine.guest().await;

    let frozen = guest.freeze().await.unwrap();
    assert_eq!(frozen.count(), Some(1));
    let thawed = frozen.thaw().await.unwrap();
    assert_eq!(thawed.thawed, Some(2));
    // All of what this has frozen was thawed by it, so a snapshot is consistent.
    assert!(thawed.is_complete());
    assert!(!machine.holds_writes().await);
}

async fn a_freeze_of_nothing_leaves_alone_what_somebody_else_has_frozen(on: On) {
    let machine = Machine::start(on).await;
    machine.freeze_past_the_agent().await;
    let guest = machine.guest().await;

    let error = guest.freeze_only([machine.mountpoint()]).await.unwrap_err();
    assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
    assert!(machine.holds_writes().await);
    guest.host_name().await.unwrap();
    assert_eq!(guest.thaw().await.unwrap().thawed, Some(1));
    assert!(!machine.holds_writes().await);
}

async fn a_freeze_of_what_cannot_be_frozen_is_an_error_and_holds_nothing_back(on: On) {
    let machine = Machine::start(on).await;
    mount_more(&machine).await;
    let guest = machine.guest().await;
    for mountpoints in [&["/boot/efi"][..], &["/no/such/place", ""], &[]] {
        let list = FsfreezeFreezeList::new().mountpoints(mountpoints.iter().copied());
        assert_eq!(guest.client().execute(list).await.unwrap(), 0);
        let status = guest.execute(FsfreezeStatus).await.unwrap();
        assert_eq!(status, GuestFsfreezeStatus::Thawed);

        let error = guest
            .freeze_only(mountpoints.iter().copied())
            .await
            .unwrap_err();
        assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
        guest.host_name().await.unwrap();
    }
    assert!(!machine.holds_writes().await);
}

/// `PrivateTmp=` gives the unit mounts of its own, which it cannot freeze without this right.
const WITHOUT_THE_RIGHT: &str = "PrivateTmp=yes\\nCapabilityBoundingSet=~CAP_SYS_ADMIN";

async fn an_agent_that_may_not_freeze_says_which_filesystem_and_freezes_none(on: On) {
    let machine = Machine::start(on).await;
    match machine.fake() {
        Some(agent) => agent.edit_guest(|guest| {
            let mut tmp = Filesystem::new("vda1", "/var/tmp", "ext4", 2);
            tmp.freeze_error = Some("Operation not permitted".into());
            guest.filesystems.push(tmp);
        }),
        None => machine.limit_the_agent(WITHOUT_THE_RIGHT).await,
    }
    let guest = machine.guest().await;
    let mounted = guest.filesystems().await.unwrap();
    assert!(mounted.iter().any(|fs| fs.mountpoint == "/var/tmp"));

    let error = guest.freeze().await.unwrap_err();
    let said = &error.agent_error().unwrap().desc;
    assert_eq!(said, "failed to freeze /var/tmp: Operation not permitted");
    let status = guest.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Thawed);
    assert!(!machine.holds_writes().await);
    guest.host_name().await.unwrap();
}

/// Writes numbered lines for as long as the machine runs.
pub(crate) const WRITER: &str = r"
: >/mnt/data/log
(number=0; while :; do number=$((number + 1)); echo $number; done) </dev/null >>/mnt/data/log 2>/dev/null &
until [ $(wc -l </mnt/data/log) -gt 500 ]; do sleep 0.05; done
seq 1 5000 >/mnt/data/records
wc -l </mnt/data/log
";

pub(crate) fn records() -> Vec<u8> {
    let lines: Vec<_> = (1..=5000).map(|number| format!("{number}\n")).collect();
    lines.concat().into_bytes()
}

async fn a_disk_copied_while_frozen_is_clean_and_has_every_record(on: On) {
    let machine = Machine::start(on).await;
    let written: usize = machine.run(WRITER).await.trim().parse().unwrap();
    let guest = machine.guest().await;

    let copy = || machine.vm().snapshot_disk("data");
    let (disk, thawed) = guest.while_frozen(copy).await.unwrap();
    assert!(thawed.unwrap().is_complete());
    let disk = disk.unwrap();
    assert_eq!(disk.filesystem().unwrap(), OnDisk::Clean);
    assert!(disk.file("records").unwrap() == records());
    let log = String::from_utf8(disk.file("log").unwrap()).unwrap();
    // A line may be half written.
    let lines = log
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let numbers: Vec<usize> = lines.map(|line| line.trim().parse().unwrap()).collect();
    assert!(numbers.len() >= written);
    assert!(numbers.iter().copied().eq(1..=numbers.len()));
    let goes_on = "old=$(wc -l </mnt/data/log); until [ $(wc -l </mnt/data/log) -gt $old ]; do sleep 0.05; done";
    machine.run(goes_on).await;
}

/// What the case above would show if nothing was frozen.
async fn a_disk_copied_without_a_freeze_is_not_clean_and_lacks_records(on: On) {
    let machine = Machine::start(on).await;
    machine.run(WRITER).await;
    let disk = machine.vm().snapshot_disk("data").await.unwrap();
    assert_eq!(disk.filesystem().unwrap(), OnDisk::NeedsRecovery);
    assert!(disk.file("records").unwrap() != records());
}

async fn a_slow_hook_is_waited_for(on: On) {
    let machine = Machine::start(on).await;
    machine.run("echo 2 >/etc/qemu/hook-takes").await;
    let guest = machine.guest().await;
    let frozen = guest.freeze().await.unwrap();
    assert_eq!(frozen.count(), Some(1));
    assert!(machine.holds_writes().await);
    assert!(frozen.thaw().await.unwrap().is_complete());
    assert!(!machine.holds_writes().await);
    assert_eq!(
        machine.run("cat /var/log/fsfreeze-hook.log").await,
        "freeze\nthaw\n"
    );
}

async fn a_freeze_whose_reply_comes_too_late_is_never_sent_again(on: On) {
    let machine = Machine::start(on).await;
    machine.run("echo 2 >/etc/qemu/hook-takes").await;
    let guest = Guest::builder().options(Options::new().timeout(Duration::from_millis(500)));
    let guest = guest.connect(machine.address()).await.unwrap();
    // Whether the agent tells in time that it is frozen depends on this host.
    match guest.freeze().await {
        Ok(frozen) => {
            assert_eq!(frozen.count(), None);
            machine.run("rm /etc/qemu/hook-takes").await;
            assert!(!frozen.thaw().await.unwrap().is_complete());
        }
        Err(GuestError::MaybeFrozen { .. }) => {
            machine.run("rm /etc/qemu/hook-takes").await;
        }
        Err(error) => panic!("{error}"),
    }
    // It waits for a thaw in the background.
    let patient = guest.client().options().timeout(Duration::from_secs(60));
    let guest = Guest::new(guest.client().with_options(patient));
    guest.host_name().await.unwrap();
    assert!(!machine.holds_writes().await);
    let hook = machine.run("cat /var/log/fsfreeze-hook.log").await;
    assert_eq!(hook.matches("freeze").count(), 1, "{hook}");
}

async fn a_client_that_leaves_during_a_freeze_leaves_it_to_the_next_which_is_told(on: On) {
    let machine = Machine::start(on).await;
    machine.run("echo 2 >/etc/qemu/hook-takes").await;
    let mut leaves = UnixStream::connect(machine.socket()).await.unwrap();
    let request = b"{\"execute\": \"guest-fsfreeze-freeze\"}\n";
    leaves.write_all(request).await.unwrap();
    machine
        .run("until grep -q freeze /var/log/fsfreeze-hook.log; do sleep 0.02; done")
        .await;
    drop(leaves);

    // The reply to that freeze comes before ours, and is passed over.
    let guest = machine.guest().await;
    let told = guest.freeze().await.unwrap_err();
    assert!(is_frozen(&told, false), "{told}");
    assert!(machine.holds_writes().await);
    machine.run("rm /etc/qemu/hook-takes").await;
    assert_eq!(guest.thaw().await.unwrap().thawed, Some(1));
    assert!(!machine.holds_writes().await);
}

async fn a_hook_that_fails_before_the_freeze_leaves_the_guest_thawed(on: On) {
    let machine = Machine::start(on).await;
    machine.run("touch /etc/qemu/hook-fails").await;
    let guest = machine.guest().await;
    let error = guest.freeze().await.unwrap_err();
    assert!(error.agent_error().is_some(), "{error}");
    assert_eq!(
        machine.run("cat /var/log/fsfreeze-hook.log").await,
        "freeze\n"
    );
    assert!(!machine.holds_writes().await);
    guest.host_name().await.unwrap();
}

async fn a_hook_that_fails_after_the_thaw_is_told_with_what_was_thawed(on: On) {
    let machine = Machine::start(on).await;
    let guest = machine.guest().await;
    let frozen = guest.freeze().await.unwrap();
    machine.run("touch /etc/qemu/hook-fails").await;
    let thawed = frozen.thaw().await.unwrap();
    assert!(thawed.error.is_some() && !thawed.is_complete());
    assert!(!machine.holds_writes().await);
    guest.host_name().await.unwrap();
    assert_eq!(guest.client().execute(FsfreezeThaw).await.ok(), None);
}
