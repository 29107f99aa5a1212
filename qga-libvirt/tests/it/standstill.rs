//! Commands to an agent whose domain does not run.

use std::time::Duration;

use qga_core::{Client, Execution, Options, Power};
use qga_testserver::{DomainState, Fault};
use serde_json::json;

use crate::support::{Act, Ping, client, vm1};

/// A client that is soon sure that a domain does not run.
fn brief(client: &Client) -> Client {
    let options = Options::new().timeout(Duration::from_secs(20));
    client.with_options(options.machine_timeout(Duration::from_millis(200)))
}

#[tokio::test]
async fn a_command_to_a_domain_that_does_not_run_ends_early_and_was_not_sent() {
    let (daemon, agent) = vm1().await;
    let client = brief(&client(&daemon).await);
    for (state, power) in [
        (DomainState::Paused, Power::Paused),
        (DomainState::Stalled, Power::Stalled),
        (DomainState::Suspended, Power::Suspended),
        (DomainState::Crashed, Power::Panicked),
    ] {
        daemon.set_state("vm1", state);
        let error = client.execute(Ping).await.unwrap_err();
        assert_eq!(error.machine_stopped(), Some(power), "{error}");
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        daemon.set_state("vm1", DomainState::Running);
        client.execute(Ping).await.unwrap();
    }
    assert_eq!(agent.requests_of("guest-ping").len(), 4);
}

#[tokio::test]
async fn a_command_that_was_sent_before_the_domain_was_paused_may_have_run() {
    let (daemon, agent) = vm1().await;
    let client = brief(&client(&daemon).await);
    let unanswered = agent.on("test-act").with_fault(Fault::no_answer());
    unanswered.reply(json!(1));
    let (acted, ()) = tokio::join!(client.execute(Act), async {
        agent.wait_for("test-act", 1).await;
        daemon.set_state("vm1", DomainState::Paused);
    });
    let error = acted.unwrap_err();
    assert_eq!(error.machine_stopped(), Some(Power::Paused), "{error}");
    assert_eq!(error.execution(), Execution::MaybeRun);
}
