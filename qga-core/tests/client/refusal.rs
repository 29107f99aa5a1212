//! Commands that an agent refuses in the words of its version or its maker.

use qga_core::{Client, Error, Execution};
use qga_testserver::{Profile, TestAgent};
use serde_json::Value;

use crate::support::QUICK;

fn agent() -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Client::builder().options(QUICK).build(stream))
}

async fn refused(class: &str, desc: &str) -> Error {
    let (agent, client) = agent();
    agent.on("guest-exec").error(class, desc);
    let answer = client.execute_raw("guest-exec", Value::Null).await;
    answer.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_refused_command_has_not_run_whatever_the_class_and_the_words() {
    for (class, desc, disabled, frozen) in [
        (
            "GenericError",
            "The command guest-exec has been disabled for this instance",
            true,
            false,
        ),
        (
            "CommandNotFound",
            "Command guest-exec has been disabled",
            true,
            false,
        ),
        (
            "GenericError",
            "Command not allowed while filesystem is frozen",
            false,
            true,
        ),
        ("GenericError", "unknown command", false, false),
        ("CommandDisabled", "", true, false),
        ("CommandNotFound", "", false, false),
    ] {
        let error = refused(class, desc).await;
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        assert!(error.is_command_not_found(), "{error}");
        assert_eq!(
            (error.is_disabled(), error.is_frozen()),
            (disabled, frozen),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_has_failed_may_have_done_something() {
    let error = refused("GenericError", "Command failed: sh: not found").await;
    assert_eq!(error.execution(), Execution::Answered);
    assert!(!error.is_command_not_found() && !error.is_disabled() && !error.is_frozen());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_refuses_the_delimited_sync_in_its_own_words_is_synchronized() {
    for (class, desc) in [
        (
            "GenericError",
            "The command guest-sync-delimited has been disabled for this instance",
        ),
        ("GenericError", "unsupported"),
        ("CommandNotFound", ""),
    ] {
        let (agent, client) = agent();
        agent.on("guest-sync-delimited").error(class, desc);
        client.execute_raw("guest-ping", Value::Null).await.unwrap();
    }
    for profile in [Profile::Qemu3_1, Profile::Qemu7_2, Profile::Qemu10_0] {
        let (agent, client) = agent();
        agent.profile(profile);
        agent.disable("guest-sync-delimited");
        client.execute_raw("guest-ping", Value::Null).await.unwrap();
        agent.disable("guest-exec");
        let answer = client.execute_raw("guest-exec", Value::Null).await;
        let error = answer.unwrap_err();
        assert!(error.is_disabled(), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
}
