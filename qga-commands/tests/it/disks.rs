//! Disks, filesystems, and what a trim gives back.

use std::time::Duration;

use crate::support::faults::{TIMEOUT, can_be_done_again};
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::json;

const MINUTE: Duration = Duration::from_secs(60);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(TIMEOUT);
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

#[tokio::test(start_paused = true)]
async fn filesystems_and_disks_come_by_name() {
    let (agent, guest) = guest();
    agent.edit_guest(|guest| {
        guest.filesystems.reverse();
        guest.disks.reverse();
    });
    let filesystems = guest.filesystems().await.unwrap();
    let mounted: Vec<_> = filesystems
        .iter()
        .map(|fs| fs.mountpoint.as_str())
        .collect();
    assert_eq!(mounted, ["/", "/srv"]);
    let disks = guest.disks().await.unwrap();
    let names: Vec<_> = disks.iter().map(|disk| disk.name.as_str()).collect();
    assert_eq!(names, ["/dev/vda", "/dev/vda1", "/dev/vdb"]);
}

#[tokio::test(start_paused = true)]
async fn usage_is_from_nothing_to_full_or_not_known() {
    let sizes = [
        (Some(25), Some(100), Some(0.25), Some(75)),
        (Some(0), Some(100), Some(0.0), Some(100)),
        (Some(u64::MAX), Some(1), Some(1.0), Some(0)),
        (Some(0), Some(0), None, Some(0)),
        (None, Some(1), None, None),
        (Some(1), None, None, None),
    ];
    for (used, total, usage, free) in sizes {
        let (agent, guest) = guest();
        agent.edit_guest(|guest| {
            guest.filesystems[0].used_bytes = used;
            guest.filesystems[0].total_bytes = total;
        });
        let filesystem = &guest.filesystems().await.unwrap()[0];
        assert_eq!((filesystem.usage(), filesystem.free_bytes()), (usage, free));
    }
}

#[tokio::test(start_paused = true)]
async fn each_filesystem_tells_what_a_trim_gave_back_or_why_not() {
    let (agent, guest) = guest();
    agent.edit_guest(|guest| {
        guest.filesystems[1].trim_error = Some("failed to trim\u{1b}[31m".repeat(100));
    });
    let trimmed = guest.fstrim().minimum(4096).await.unwrap();
    assert_eq!(
        (trimmed[0].path.as_str(), &trimmed[0].trimmed),
        ("/", &Ok(Some(1 << 20)))
    );
    let error = trimmed[1].trimmed.as_ref().unwrap_err();
    assert!(error.text().contains('\u{1b}'));
    let shown = error.to_string();
    assert!(
        shown.starts_with("failed to trim\\u{1b}[31m") && shown.len() < 400,
        "{shown}"
    );
    let sent = agent.requests_of("guest-fstrim");
    assert_eq!(sent[0].arguments["minimum"], 4096);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_tells_no_bytes_or_nonsense_tells_none() {
    let (agent, guest) = guest();
    agent.on("guest-fstrim").reply(json!({"paths": [
        {"path": "C:\\"}, {"path": "/", "trimmed": -1, "minimum": -1},
    ]}));
    let trimmed = guest.fstrim().await.unwrap();
    assert!(
        trimmed
            .iter()
            .all(|filesystem| filesystem.trimmed == Ok(None))
    );
}

#[tokio::test(start_paused = true)]
async fn a_trim_has_ten_minutes_or_what_it_is_given() {
    let (agent, guest) = guest();
    let delayed = |minutes| Fault::delay(minutes * MINUTE);
    agent.on("guest-fstrim").expect(1).fault(delayed(9));
    guest.fstrim().await.unwrap();
    agent.on("guest-fstrim").expect(1).fault(delayed(59));
    guest.fstrim().timeout(60 * MINUTE).await.unwrap();
    agent.on("guest-fstrim").expect(1).fault(delayed(11));
    let error = guest.fstrim().await.unwrap_err();
    assert!(error.command_error().unwrap().is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
}

#[tokio::test(start_paused = true)]
async fn a_minimum_that_an_agent_cannot_read_is_not_sent() {
    let (agent, guest) = guest();
    let error = guest.fstrim().minimum(1 << 63).await.unwrap_err();
    assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_trim_can_be_done_again_after_any_fault() {
    can_be_done_again(
        10 * MINUTE,
        |_| {},
        async |guest: &Guest| guest.fstrim().await,
        |agent| {
            agent
                .guest()
                .filesystems
                .iter()
                .all(|fs| fs.trimmable_bytes == 0)
        },
    )
    .await;
}
