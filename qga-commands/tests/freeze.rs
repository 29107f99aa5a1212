//! Freezing and thawing, with an agent that goes wrong at every message.

#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use qga_commands::agent::Ping;
use qga_commands::fs::FsfreezeStatus;
use qga_commands::os::GetHostName;
use qga_commands::{Guest, GuestError};
use qga_core::{Client, Execution, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::json;

mod support;

/// An agent with three filesystems.
struct Frost(Arc<AtomicBool>);

impl Frost {
    fn begin(agent: &TestAgent) -> Self {
        let frozen = Arc::new(AtomicBool::new(false));
        for name in ["guest-fsfreeze-freeze", "guest-fsfreeze-freeze-list"] {
            let state = Arc::clone(&frozen);
            agent.on(name).reply_with(move |_| {
                assert!(!state.swap(true, Ordering::SeqCst), "frozen twice");
                json!(3)
            });
        }
        let state = Arc::clone(&frozen);
        agent.on("guest-fsfreeze-thaw").reply_with(move |_| {
            json!(if state.swap(false, Ordering::SeqCst) {
                3
            } else {
                0
            })
        });
        let state = Arc::clone(&frozen);
        agent.on("guest-fsfreeze-status").reply_with(move |_| {
            json!(if state.load(Ordering::SeqCst) {
                "frozen"
            } else {
                "thawed"
            })
        });
        Self(frozen)
    }

    fn is_frozen(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Gives a task that thaws the time to do so.
    async fn ends(&self) {
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert!(!self.is_frozen());
    }
}

fn guest() -> (TestAgent, Frost, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let frost = Frost::begin(&agent);
    let options = Options::new().timeout(Duration::from_secs(5));
    let client = Client::builder().options(options).build(stream);
    (agent, frost, Guest::new(client))
}

#[tokio::test(start_paused = true)]
async fn what_is_frozen_is_thawed_and_counted() {
    let (agent, frost, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    assert!(frost.is_frozen() && frozen.count() == Some(3));
    let thawed = frozen.thaw().await.unwrap();
    assert!(thawed.is_complete() && !frost.is_frozen());
    let frozen = guest.freeze_only(["/", "/home"]).await.unwrap();
    assert!(frozen.thaw().await.unwrap().is_complete());
    let list = agent.requests_of("guest-fsfreeze-freeze-list");
    assert_eq!(list[0].arguments["mountpoints"], json!(["/", "/home"]));
    frost.ends().await;
    assert_eq!(agent.requests_of("guest-fsfreeze-thaw").len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_has_thawed_by_itself_is_noticed() {
    let (agent, _frost, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    agent.on("guest-fsfreeze-thaw").reply(0);
    let thawed = frozen.thaw().await.unwrap();
    assert!(!thawed.is_complete());
    assert_eq!((thawed.frozen, thawed.thawed), (Some(3), Some(0)));
}

#[tokio::test(start_paused = true)]
async fn while_frozen_other_commands_do_not_reach_the_agent() {
    let (agent, _frost, guest) = guest();
    agent.file("/tmp/file", "x");
    let mut program = guest.command("true");
    let file = guest.open("/tmp/file").await.unwrap();
    let ((), _) = guest
        .while_frozen(async {
            let refused = [
                guest.execute(GetHostName).await.map(drop).unwrap_err(),
                guest.clone().read("/tmp/file").await.unwrap_err(),
                program.arg("x").output().await.map(drop).unwrap_err(),
                guest.freeze().await.map(drop).unwrap_err(),
            ];
            for error in refused {
                assert!(matches!(error, GuestError::Frozen { .. }), "{error}");
                assert_eq!(error.execution(), Execution::NotRun);
            }
            drop(file);
            guest.execute(Ping).await.unwrap();
            guest.execute(FsfreezeStatus).await.unwrap();
            assert!(agent.requests_of("guest-file-close").is_empty());
        })
        .await
        .unwrap();
    assert!(agent.requests_of("guest-get-host-name").is_empty());
    assert!(agent.requests_of("guest-exec").is_empty());
    guest.execute(GetHostName).await.unwrap();
    assert_eq!(agent.requests_of("guest-file-close").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_work_returns_comes_back_after_the_thaw() {
    let (_agent, frost, guest) = guest();
    let work = async {
        if frost.is_frozen() {
            Err::<(), _>("no space")
        } else {
            Ok(())
        }
    };
    let (result, thawed) = guest.while_frozen(work).await.unwrap();
    assert_eq!(result, Err("no space"));
    assert!(thawed.is_complete() && !frost.is_frozen());
}

#[tokio::test(start_paused = true)]
async fn a_freeze_whose_reply_is_lost_is_found_and_never_sent_again() {
    for fault in [Fault::no_answer(), Fault::garbage("?\n"), Fault::torn(3)] {
        let (agent, frost, guest) = guest();
        agent.on("guest-fsfreeze-freeze").fault(fault);
        let frozen = guest.freeze().await.unwrap();
        assert!(frost.is_frozen() && frozen.count().is_none());
        assert!(!frozen.thaw().await.unwrap().is_complete());
        assert!(!frost.is_frozen());
        assert_eq!(agent.requests_of("guest-fsfreeze-freeze").len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_did_not_happen_is_an_error_and_holds_nothing_back() {
    let (agent, _frost, guest) = guest();
    for class in ["GenericError", "CommandNotFound"] {
        agent
            .on("guest-fsfreeze-freeze")
            .error(class, "no")
            .times(1);
        let error = guest.freeze().await.unwrap_err();
        assert!(error.command_error().unwrap().agent_error().is_some());
        guest.execute(GetHostName).await.unwrap();
    }
    assert!(agent.requests_of("guest-fsfreeze-thaw").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_freeze_that_fails_and_freezes_all_the_same_is_thawed() {
    let (agent, frost, guest) = guest();
    let frozen = Arc::clone(&frost.0);
    agent.on("guest-fsfreeze-freeze").reply_with(move |_| {
        frozen.store(true, Ordering::SeqCst);
        qga_testserver::Answer::error("GenericError", "failed to freeze /home")
    });
    let error = guest.freeze().await.unwrap_err();
    assert!(matches!(error, GuestError::MaybeFrozen { .. }), "{error}");
    frost.ends().await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_silent_for_a_while_is_thawed_when_it_comes_back() {
    let (agent, frost, guest) = guest();
    let silence = Fault::delay(Duration::from_secs(100));
    agent.on("guest-fsfreeze-freeze").fault(silence);
    let error = guest.freeze().await.unwrap_err();
    assert!(matches!(error, GuestError::MaybeFrozen { .. }), "{error}");
    let error = guest.execute(GetHostName).await.unwrap_err();
    assert!(matches!(error, GuestError::Frozen { .. }), "{error}");
    tokio::time::sleep(Duration::from_secs(100)).await;
    frost.ends().await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_thaw_whose_reply_is_lost_is_sent_again() {
    for fault in [Fault::no_answer(), Fault::garbage("?\n"), Fault::restart()] {
        let (agent, frost, guest) = guest();
        let frozen = guest.freeze().await.unwrap();
        agent.on("guest-fsfreeze-thaw").fault(fault).times(2);
        let thawed = frozen.thaw().await.unwrap();
        assert_eq!((thawed.frozen, thawed.thawed), (Some(3), None));
        assert!(!frost.is_frozen());
    }
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_fails_is_told_and_goes_on_by_itself() {
    let (agent, frost, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    agent
        .on("guest-fsfreeze-thaw")
        .error("GenericError", "no")
        .times(30);
    let error = frozen.thaw().await.unwrap_err();
    assert!(matches!(error, GuestError::MaybeFrozen { .. }), "{error}");
    assert!(frost.is_frozen());
    frost.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_dropped_frozen_is_thawed() {
    let (_agent, frost, guest) = guest();
    drop(guest.freeze().await.unwrap());
    frost.ends().await;
    guest.execute(GetHostName).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_work_thaws() {
    let (_agent, frost, guest) = guest();
    let task = tokio::spawn(async move {
        drop(guest.while_frozen(async { panic!("in the work") }).await);
    });
    assert!(task.await.unwrap_err().is_panic());
    frost.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_around_it_thaws() {
    let (_agent, frost, guest) = guest();
    let work = guest.while_frozen(std::future::pending::<()>());
    tokio::time::timeout(Duration::from_secs(9), work)
        .await
        .unwrap_err();
    frost.ends().await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_at_any_point_leaves_the_guest_thawed() {
    let mut ended = false;
    for polls in 1.. {
        let (_agent, frost, guest) = guest();
        let work = guest.while_frozen(async {
            for _ in 0..5 {
                tokio::task::yield_now().await;
            }
        });
        ended = support::poll_times(work, polls).await.is_some();
        frost.ends().await;
        guest.execute(GetHostName).await.unwrap();
        if ended {
            break;
        }
    }
    assert!(ended);
}

#[cfg(unix)]
#[tokio::test]
async fn a_channel_that_is_lost_on_the_way_is_opened_again_to_thaw() {
    for at in ["guest-fsfreeze-freeze", "guest-fsfreeze-thaw"] {
        let agent = TestAgent::start().await;
        let frost = Frost::begin(&agent);
        let guest = Guest::connect(agent.address()).await.unwrap();
        agent.on(at).fault(Fault::close_before()).times(1);
        let ((), thawed) = guest.while_frozen(async {}).await.unwrap();
        assert!(!thawed.is_complete() && !frost.is_frozen(), "{at}");
        assert_eq!(agent.requests_of("guest-fsfreeze-freeze").len(), 1);
    }
}
