//! Many guests as one.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::fleet::{FailureKind, FleetError, Run};
use qga_commands::guest::GuestFacts;
use qga_commands::{Fleet, Guest, GuestError, policy};
use qga_core::{Client, Error};
use qga_testserver::{Fault, TestAgent};

/// Guests called `vm0` and so on, with their agents.
fn fleet(guests: usize) -> (Fleet, Vec<TestAgent>) {
    let (guests, agents): (Vec<_>, _) = (0..guests)
        .map(|number| {
            let (agent, stream) = TestAgent::in_memory();
            let name = format!("vm{number}");
            agent.edit_guest(|guest| guest.host_name.clone_from(&name));
            ((name, Guest::new(Client::new(stream))), agent)
        })
        .unzip();
    (Fleet::guests(guests), agents)
}

/// The results in the order of the guests.
async fn all<T>(run: &mut Run<'_, T, GuestError>) -> Vec<Result<T, GuestError>> {
    let mut results = Vec::new();
    while let Some(guest) = run.next().await {
        results.push((guest.index, guest.result));
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[tokio::test(start_paused = true)]
async fn a_program_is_run_in_each_guest_with_its_arguments() {
    let (fleet, agents) = fleet(3);
    for (number, agent) in agents.iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        agent
            .program("uname")
            .stdout(format!("6.{number}"))
            .exit(number);
    }
    let mut run = fleet.exec("uname", ["-r", "-v"]);
    for (number, output) in all(&mut run).await.into_iter().enumerate() {
        let output = output.unwrap();
        assert_eq!(output.stdout_lossy(), format!("6.{number}"));
        assert_eq!(output.status.code(), Some(i64::try_from(number).unwrap()));
        let request = &agents[number].requests_of("guest-exec")[0];
        assert_eq!(request.arguments["arg"], serde_json::json!(["-r", "-v"]));
    }
    // That a program fails is no failure of the guest.
    assert_eq!(run.summary().answered(), 3);
}

fn has_all(facts: &GuestFacts) -> bool {
    facts.os.is_some() && facts.agent_version.is_some() && facts.addresses.is_some()
}

#[tokio::test(start_paused = true)]
async fn facts_are_what_each_guest_tells_and_the_rest_is_left_out() {
    let (fleet, agents) = fleet(5);
    agents[1].disable("guest-get-osinfo");
    agents[2]
        .on("guest-network-get-interfaces")
        .error("GenericError", "no such folder");
    agents[3].on("guest-info").reply("nonsense");
    agents[4]
        .on("guest-get-host-name")
        .fault(Fault::no_answer());
    let mut run = fleet.facts();
    let mut facts = all(&mut run).await;
    assert!(facts.pop().unwrap().unwrap_err().is_timeout());
    for (number, facts) in facts.iter().enumerate() {
        let facts = facts.as_ref().unwrap();
        assert_eq!(facts.host_name, Some(format!("vm{number}")));
        assert_eq!(has_all(facts), number == 0);
        assert_eq!(facts.os.is_some(), number != 1);
        assert_eq!(facts.addresses.is_some(), number != 2);
        assert_eq!(facts.agent_version.is_some(), number != 3);
    }
    assert_eq!(run.summary().failed(FailureKind::Timeout), 1);
}

#[tokio::test(start_paused = true)]
async fn a_frozen_guest_and_one_that_may_be_told_nothing_have_facts_too() {
    let (agent, stream) = TestAgent::in_memory();
    agent.edit_guest(|guest| guest.frozen = true);
    let facts = Guest::new(Client::new(stream)).facts().await.unwrap();
    assert_eq!(facts.host_name, None);
    let (_agent, stream) = TestAgent::in_memory();
    let guest = Guest::builder().allow(["guest-ping"]).build(stream);
    let facts = guest.facts().await.unwrap();
    assert!(facts.agent_version.is_none() && !has_all(&facts));
}

#[tokio::test]
async fn guests_that_are_given_by_their_addresses_have_the_settings_of_the_builder() {
    let agent = TestAgent::start().await;
    agent.program("true").exit(0);
    let builder = Guest::builder().allow(policy::read_only());
    for fleet in [
        Fleet::new([agent.path()]),
        Fleet::named([("vm", agent.path())]),
    ] {
        let fleet = fleet.builder(builder.clone()).concurrency(3).stop_after(1);
        assert_eq!((fleet.len(), fleet.is_empty()), (1, false));
        let mut run = fleet.exec("true", [""; 0]);
        assert!(
            all(&mut run).await[0]
                .as_ref()
                .unwrap_err()
                .is_not_allowed()
        );
        assert_eq!(run.summary().failed(FailureKind::NotAllowed), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_guest_is_for_an_operation_of_several_commands() {
    let (fleet, agents) = fleet(1);
    agents[0].program("sleep").never_ends();
    let fleet = fleet.per_guest(Duration::from_secs(3));
    let mut run = fleet.exec("sleep", ["infinity"]);
    let guest = run.next().await.unwrap();
    assert!(guest.result.unwrap_err().is_timeout());
    assert!(guest.took < Duration::from_secs(4), "{:?}", guest.took);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_is_cut_off_while_it_is_frozen_is_thawed() {
    let (fleet, agents) = fleet(1);
    let fleet = fleet.per_guest(Duration::from_secs(3));
    let mut run = fleet.run(|guest| async move {
        guest
            .while_frozen(std::future::pending::<()>)
            .await
            .map(|_| ())
    });
    assert!(run.next().await.unwrap().result.unwrap_err().is_timeout());
    agents[0].wait_for("guest-fsfreeze-thaw", 1).await;
}

#[test]
fn errors_of_a_guest_are_counted_by_their_kind() {
    let path = GuestError::Path {
        action: "remove",
        path: "/etc".into(),
        kind: std::io::ErrorKind::PermissionDenied,
        reason: "no".into(),
    };
    let frozen = GuestError::Frozen {
        command: "guest-exec",
        by_this_client: true,
        address: None,
    };
    let invalid = GuestError::InvalidInput("no".into());
    let address = GuestError::Address("tcp:".parse::<qga_core::Address>().unwrap_err());
    for (error, kind) in [
        (path, FailureKind::AgentError),
        (frozen, FailureKind::Refused),
        (invalid, FailureKind::Other),
        (address, FailureKind::BadAddress),
    ] {
        assert_eq!(error.failure_kind(), kind, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn work_may_fail_with_an_error_of_its_own() {
    struct Own(FailureKind);
    impl From<Error> for Own {
        fn from(error: Error) -> Self {
            Self(error.failure_kind())
        }
    }
    impl FleetError for Own {
        fn failure_kind(&self) -> FailureKind {
            self.0
        }
    }
    let (fleet, _agents) = fleet(2);
    let mut run = fleet.run_with(|guest| async move {
        match guest.host_name().await {
            Ok(name) if name == "vm1" => Err(Own(FailureKind::Other)),
            _ => Ok(()),
        }
    });
    while run.next().await.is_some() {}
    assert_eq!(
        run.summary().to_string(),
        "1 of 2 guests answered; 1 failed: 1 for another reason"
    );
}
