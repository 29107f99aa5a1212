//! Freezing and thawing.

use std::time::Duration;

use qga_commands::commands::agent::Ping;
use qga_commands::commands::fs::{FsfreezeFreeze, FsfreezeStatus};
use qga_commands::commands::os::GetHostName;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, Profile, TestAgent};
use serde_json::json;

use crate::support;

const FREEZE: &str = "guest-fsfreeze-freeze";
const THAW: &str = "guest-fsfreeze-thaw";
/// Enough for a thaw in the background.
const SETTLE: Duration = Duration::from_secs(60);

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, Guest::new(client))
}

/// Gives a thaw in the background the time that it needs.
async fn ends_thawed(agent: &TestAgent) {
    tokio::time::sleep(SETTLE).await;
    assert!(!agent.guest().frozen);
}

fn is_frozen(error: &GuestError) -> bool {
    matches!(error, GuestError::Frozen { .. }) && error.execution() == Execution::NotRun
}

fn is_maybe_frozen(error: &GuestError) -> bool {
    matches!(error, GuestError::MaybeFrozen { .. })
}

#[tokio::test(start_paused = true)]
async fn what_is_frozen_is_thawed_and_counted() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    assert!(agent.guest().frozen && frozen.count() == Some(2));
    let thawed = frozen.thaw().await.unwrap();
    assert!(thawed.is_complete() && !agent.guest().frozen);
    let frozen = guest.freeze_only(["/srv", "/none"]).await.unwrap();
    let filesystems = agent.guest().filesystems;
    assert!(!filesystems[0].frozen && filesystems[1].frozen);
    assert_eq!(frozen.count(), Some(1));
    assert!(frozen.thaw().await.unwrap().is_complete());
    ends_thawed(&agent).await;
    assert_eq!(agent.requests_of(THAW).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_of_nothing_is_an_error() {
    let (agent, guest) = guest();
    let error = guest.freeze_only(["/none"]).await.unwrap_err();
    assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
    guest.execute(GetHostName).await.unwrap();
    agent.edit_guest(|guest| guest.filesystems.clear());
    let error = guest.while_frozen(async || ()).await.unwrap_err();
    assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
    guest.execute(GetHostName).await.unwrap();
}

/// Freezes a filesystem of the guest as an administrator does there.
fn freeze_past_the_agent(agent: &TestAgent, index: usize) {
    agent.edit_guest(|guest| guest.filesystems[index].frozen = true);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_of_nothing_thaws_nothing_that_was_frozen_past_the_agent() {
    let (agent, guest) = guest();
    freeze_past_the_agent(&agent, 1);
    let error = guest.freeze_only(["/srv"]).await.unwrap_err();
    assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
    guest.execute(GetHostName).await.unwrap();
    tokio::time::sleep(SETTLE).await;
    assert!(agent.guest().filesystems[1].frozen);
    assert_eq!(agent.requests_of(THAW).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_frozen_with_nothing_frozen_is_thawed() {
    let (agent, guest) = guest();
    agent.on(FREEZE).reply(0);
    // The later one comes first.
    agent.on("guest-fsfreeze-status").up_to(1).reply("frozen");
    agent.on("guest-fsfreeze-status").up_to(1).reply("thawed");
    let error = guest.freeze().await.unwrap_err();
    assert!(matches!(error, GuestError::NothingFrozen { .. }), "{error}");
    assert_eq!(agent.requests_of(THAW).len(), 1);
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_frozen_past_the_agent_does_not_make_a_snapshot_doubtful() {
    let (agent, guest) = guest();
    freeze_past_the_agent(&agent, 1);
    let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
    let thawed = thawed.unwrap();
    assert_eq!((thawed.frozen, thawed.thawed), (Some(1), Some(2)));
    assert!(thawed.is_complete());
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_somebody_else_thaws_is_noticed() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    agent.edit_guest(|guest| {
        guest.frozen = false;
        guest.filesystems[0].frozen = false;
        guest.filesystems[1].frozen = false;
    });
    let thawed = frozen.thaw().await.unwrap();
    assert!(!thawed.is_complete());
    assert_eq!((thawed.frozen, thawed.thawed), (Some(2), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn windows_own_thaw_after_10_seconds_is_told() {
    for (seconds, complete) in [(9, true), (11, false)] {
        let (agent, guest) = guest();
        agent.profile(Profile::Windows);
        let work = async || tokio::time::sleep(Duration::from_secs(seconds)).await;
        let ((), thawed) = guest.while_frozen(work).await.unwrap();
        let thawed = thawed.unwrap();
        assert_eq!(thawed.is_complete(), complete);
        let said = thawed.error.map(|error| error.desc.contains("10 seconds"));
        assert_eq!(said, (!complete).then_some(true));
        guest.execute(GetHostName).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_frozen_is_left_alone() {
    for profile in [Profile::Qemu7_2, Profile::Qemu10_0, Profile::Windows] {
        let (agent, guest) = guest();
        agent.profile(profile);
        guest.client().execute(FsfreezeFreeze).await.unwrap();
        let error = guest.while_frozen(async || ()).await.unwrap_err();
        assert!(is_frozen(&error), "{error}");
        tokio::time::sleep(SETTLE).await;
        assert!(agent.guest().frozen);
        assert_eq!(agent.requests_of(FREEZE).len(), 1);
        guest.thaw().await.unwrap();
        let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
        assert!(thawed.unwrap().is_complete());
    }
}

#[tokio::test(start_paused = true)]
async fn while_frozen_other_commands_do_not_reach_the_agent() {
    let (agent, guest) = guest();
    agent.file("/tmp/file", "x");
    let mut program = guest.command("true");
    let file = guest.open("/tmp/file").await.unwrap();
    let ((), thawed) = guest
        .while_frozen(async || {
            let refused = [
                guest.execute(GetHostName).await.map(drop).unwrap_err(),
                guest.clone().read("/tmp/file").await.unwrap_err(),
                program.arg("x").output().await.map(drop).unwrap_err(),
                guest.freeze().await.map(drop).unwrap_err(),
            ];
            assert!(refused.iter().all(is_frozen), "{refused:?}");
            let error = guest.client().execute(GetHostName).await.unwrap_err();
            assert!(error.is_not_allowed(), "{error}");
            drop(file);
            guest.execute(Ping).await.unwrap();
            guest.execute(FsfreezeStatus).await.unwrap();
            assert!(support::requests_of(&agent, "guest-file-close").is_empty());
        })
        .await
        .unwrap();
    assert!(thawed.unwrap().is_complete());
    assert!(agent.requests_of("guest-get-host-name").is_empty());
    assert!(agent.requests_of("guest-exec").is_empty());
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(support::requests_of(&agent, "guest-file-close").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_work_begins_when_all_is_frozen_and_its_result_comes_after_the_thaw() {
    let (agent, guest) = guest();
    let work = || {
        assert!(agent.guest().frozen, "the work was begun too early");
        async { Err::<(), _>("no space") }
    };
    let (result, thawed) = guest.while_frozen(work).await.unwrap();
    let thawed = thawed.unwrap();
    assert_eq!(result, Err("no space"));
    assert!(thawed.is_complete() && !agent.guest().frozen);
}

#[tokio::test(start_paused = true)]
async fn a_freeze_whose_reply_is_lost_is_found_and_never_sent_again() {
    for (name, fault) in support::faults::faults() {
        if name.starts_with("close") {
            continue;
        }
        let (agent, guest) = guest();
        agent.on(FREEZE).fault(fault);
        let frozen = guest.freeze().await.unwrap();
        assert!(
            agent.guest().frozen && frozen.count().is_none(),
            "after {name}"
        );
        assert!(!frozen.thaw().await.unwrap().is_complete());
        assert!(!agent.guest().frozen);
        assert_eq!(agent.requests_of(FREEZE).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_did_not_happen_is_an_error_and_holds_nothing_back() {
    let (agent, guest) = guest();
    agent
        .on(FREEZE)
        .up_to(1)
        .expect(1)
        .error("CommandNotFound", "no");
    let error = guest.freeze().await.unwrap_err();
    assert!(error.command_error().unwrap().is_command_not_found());
    guest.execute(GetHostName).await.unwrap();
    agent.edit_guest(|guest| guest.filesystems[1].freeze_error = Some("I/O error".into()));
    let error = guest.while_frozen(async || ()).await.unwrap_err();
    let said = error.command_error().unwrap().agent_error().unwrap();
    assert!(said.desc.contains("/srv"), "{said:?}");
    guest.execute(GetHostName).await.unwrap();
    assert!(agent.requests_of(THAW).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_fails_halfway_and_stays_so_is_thawed() {
    let (agent, guest) = guest();
    let failed = Fault::rewrite(|reply| {
        let reply: serde_json::Value = serde_json::from_slice(&reply).unwrap();
        let error = json!({"class": "GenericError", "desc": "failed to freeze /srv"});
        let reply = json!({"id": reply["id"], "error": error});
        format!("{reply}\n").into_bytes()
    });
    agent.on(FREEZE).fault(failed);
    let error = guest.freeze().await.unwrap_err();
    assert!(is_maybe_frozen(&error), "{error}");
    ends_thawed(&agent).await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_silent_for_a_while_is_thawed_when_it_comes_back() {
    let (agent, guest) = guest();
    let silence = Fault::delay(Duration::from_secs(100));
    agent.on(FREEZE).fault(silence);
    let error = guest.freeze().await.unwrap_err();
    assert!(is_maybe_frozen(&error), "{error}");
    let error = guest.execute(GetHostName).await.unwrap_err();
    assert!(is_frozen(&error), "{error}");
    tokio::time::sleep(Duration::from_secs(100)).await;
    ends_thawed(&agent).await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_killed_while_frozen_is_thawed_when_it_is_back() {
    let (agent, guest) = guest();
    agent.on("guest-ping").fault(Fault::restart());
    let work = async || guest.execute(Ping).await.unwrap_err();
    let (_, thawed) = guest.while_frozen(work).await.unwrap();
    let thawed = thawed.unwrap();
    assert!(thawed.is_complete() && !agent.guest().frozen);
}

#[tokio::test(start_paused = true)]
async fn a_thaw_whose_reply_is_lost_is_sent_again() {
    for fault in [Fault::no_answer(), Fault::garbage("?\n"), Fault::restart()] {
        let (agent, guest) = guest();
        let frozen = guest.freeze().await.unwrap();
        agent.on(THAW).up_to(2).expect(2).fault(fault);
        let thawed = frozen.thaw().await.unwrap();
        assert_eq!((thawed.frozen, thawed.thawed), (Some(2), None));
        assert!(!agent.guest().frozen && agent.requests_of(THAW).len() == 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_fails_is_told_and_goes_on_by_itself() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    agent
        .on(THAW)
        .up_to(30)
        .expect(30)
        .error("GenericError", "no");
    let error = frozen.thaw().await.unwrap_err();
    assert!(is_maybe_frozen(&error), "{error}");
    assert!(agent.guest().frozen);
    ends_thawed(&agent).await;
    // In a minute and a half, and then in one more.
    assert_eq!(agent.requests_of(THAW).len(), 31);
}

#[tokio::test(start_paused = true)]
async fn what_the_work_has_done_is_not_lost_with_a_thaw_that_fails() {
    let (agent, guest) = guest();
    agent
        .on(THAW)
        .up_to(30)
        .expect(30)
        .error("GenericError", "no");
    let work = async || "snapshot-1";
    let (name, thawed) = guest.while_frozen(work).await.unwrap();
    assert_eq!(name, "snapshot-1");
    assert!(is_maybe_frozen(&thawed.unwrap_err()));
    ends_thawed(&agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_frozen_is_thawed() {
    let (agent, guest) = guest();
    drop(guest.freeze().await.unwrap());
    ends_thawed(&agent).await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_work_or_before_it_thaws() {
    for early in [true, false] {
        let (agent, guest) = guest();
        let task = tokio::spawn(async move {
            let work = || {
                assert!(!early, "in the closure");
                async { panic!("in the work") }
            };
            drop(guest.while_frozen(work).await);
        });
        assert!(task.await.unwrap_err().is_panic());
        ends_thawed(&agent).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_around_it_thaws() {
    let (agent, guest) = guest();
    let work = guest.while_frozen(std::future::pending::<()>);
    tokio::time::timeout(Duration::from_secs(9), work)
        .await
        .unwrap_err();
    ends_thawed(&agent).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_aborted_while_frozen_thaws() {
    let (agent, guest) = guest();
    let task = tokio::spawn(async move {
        guest
            .while_frozen(std::future::pending::<()>)
            .await
            .map(drop)
    });
    agent.wait_for(FREEZE, 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(agent.guest().frozen);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    ends_thawed(&agent).await;
}

async fn work() {
    for _ in 0..5 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_any_point_leaves_the_guest_thawed() {
    support::faults::dropped_at_every_poll(
        SETTLE,
        |_| {},
        async |guest| guest.while_frozen(work).await,
        async |agent, guest, context| {
            assert!(!agent.guest().frozen, "{context}");
            assert!(agent.requests_of(FREEZE).len() <= 1, "{context}");
            guest.execute(GetHostName).await.unwrap();
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_of_the_agent_and_a_cancel_at_any_point_leave_the_guest_thawed() {
    for fault in [Fault::restart(), Fault::close_before(), Fault::no_answer()] {
        for message in 1..8 {
            support::faults::dropped_at_every_poll(
                SETTLE * 2,
                |agent| {
                    agent.fault(fault.clone().on_reply(message));
                },
                async |guest| guest.while_frozen(work).await,
                async |agent, _, context| {
                    assert!(!agent.guest().frozen, "{fault:?}, {message}, {context}");
                    assert!(agent.requests_of(FREEZE).len() <= 1, "{context}");
                    agent.reset();
                },
            )
            .await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_fault_at_any_message_leaves_the_guest_thawed_and_sends_the_freeze_once() {
    support::faults::at_every_message(
        Duration::from_secs(180),
        |_| {},
        async |guest| {
            let result = guest
                .while_frozen(work)
                .await
                .and_then(|((), thawed)| thawed);
            tokio::time::sleep(SETTLE).await;
            result
        },
        |agent, context, result| {
            assert!(!agent.guest().frozen, "{context}");
            let freezes = agent.requests_of(FREEZE).len();
            assert!(freezes <= 1, "{context}");
            // Without a freeze nobody may believe that there was one.
            assert!(freezes == 1 || result.is_err(), "{context}");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_lost_on_the_way_is_opened_again_to_thaw() {
    for at in [FREEZE, THAW] {
        let (agent, guest) = support::faults::reconnecting().await;
        agent.on(at).up_to(1).expect(1).fault(Fault::close_before());
        let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
        let thawed = thawed.unwrap();
        assert!(!thawed.is_complete() && !agent.guest().frozen, "{at}");
        assert_eq!(agent.requests_of(FREEZE).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_tell_its_status_can_be_frozen() {
    let (agent, guest) = guest();
    agent
        .on("guest-fsfreeze-status")
        .error("CommandNotFound", "no");
    let ((), thawed) = guest.while_frozen(async || ()).await.unwrap();
    let thawed = thawed.unwrap();
    assert_eq!(thawed.frozen, Some(2));
    assert_eq!(json!(thawed.thawed), 2);
}
