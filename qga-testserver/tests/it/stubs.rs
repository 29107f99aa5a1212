use qga_testserver::{Answer, Fault, TestAgent};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use crate::wire::Wire;

fn agent() -> (TestAgent, Wire<DuplexStream>) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Wire::new(stream))
}

const HOST_NAME: &str = "{\"execute\":\"guest-get-host-name\"}";

async fn host_name(client: &mut Wire<DuplexStream>) -> String {
    let reply: Value = serde_json::from_str(&client.ask(HOST_NAME).await).unwrap();
    reply["return"]["host-name"].as_str().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_later_stub_wins_over_an_earlier_one() {
    let (agent, mut client) = agent();
    agent
        .on("guest-get-host-name")
        .reply(json!({"host-name": "early"}));
    agent
        .on("guest-get-host-name")
        .reply(json!({"host-name": "late"}));
    assert_eq!(host_name(&mut client).await, "late");
}

#[tokio::test(start_paused = true)]
async fn a_stub_is_in_force_only_once_it_is_whole() {
    let (agent, mut client) = agent();
    let stub = agent.on("guest-get-host-name").with(|_| true).up_to(1);
    assert_eq!(host_name(&mut client).await, "test-guest");
    let stub = stub.expect(1).with_fault(Fault::twice());
    assert_eq!(host_name(&mut client).await, "test-guest");
    stub.reply(json!({"host-name": "whole"}));
    assert_eq!(host_name(&mut client).await, "whole");
    assert!(client.line().await.contains("whole"));
    assert_eq!(host_name(&mut client).await, "test-guest");
}

#[tokio::test(start_paused = true)]
async fn after_its_times_a_stub_falls_through_to_the_one_below() {
    let (agent, mut client) = agent();
    agent
        .on("guest-get-host-name")
        .up_to(1)
        .reply(json!({"host-name": "below"}));
    agent
        .on("guest-get-host-name")
        .up_to(2)
        .reply(json!({"host-name": "above"}));
    let mut names = Vec::new();
    for _ in 0..4 {
        names.push(host_name(&mut client).await);
    }
    assert_eq!(names, ["above", "above", "below", "test-guest"]);
}

#[tokio::test(start_paused = true)]
async fn a_stub_is_only_for_the_arguments_it_wants() {
    let (agent, mut client) = agent();
    agent
        .on("guest-exec")
        .with(|args| args["path"] == "/bin/true")
        .reply(json!({"pid": 7}));
    let reply = client
        .ask("{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/true\"}}")
        .await;
    assert_eq!(reply, "{\"return\": {\"pid\": 7}}\n");
    let reply = client.ask("{\"execute\":\"guest-exec\"}").await;
    assert!(reply.contains("Parameter 'path' is missing"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn a_closure_computes_the_answer_from_the_request() {
    let (agent, mut client) = agent();
    agent
        .on("guest-add")
        .reply_with(|request| match request.arguments["a"].as_i64() {
            Some(a) => Answer::Return(json!(a + 1)),
            None => Answer::error("GenericError", "no a"),
        });
    let reply = client
        .ask("{\"execute\":\"guest-add\",\"arguments\":{\"a\":1},\"id\":9}")
        .await;
    assert_eq!(reply, "{\"return\": 2, \"id\": 9}\n");
    let reply = client.ask("{\"execute\":\"guest-add\",\"id\":9}").await;
    let wanted = "{\"id\": 9, \"error\": {\"class\": \"GenericError\", \"desc\": \"no a\"}}\n";
    assert_eq!(reply, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_stubs_error_has_its_class_and_text() {
    let (agent, mut client) = agent();
    agent
        .on("guest-ping")
        .error("CommandNotFound", "none of that");
    let reply = client.ask("{\"execute\":\"guest-ping\"}").await;
    let wanted = "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"none of that\"}}\n";
    assert_eq!(reply, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_that_succeeds_is_silent_and_one_that_fails_is_not() {
    let (agent, mut client) = agent();
    agent.on("guest-shutdown").error("GenericError", "no");
    agent.on("guest-shutdown").up_to(1).reply(json!({}));
    client.send("{\"execute\":\"guest-shutdown\"}").await;
    client.silence().await;
    assert!(
        client
            .ask("{\"execute\":\"guest-shutdown\"}")
            .await
            .contains("\"no\"")
    );
}

#[tokio::test(start_paused = true)]
async fn a_stub_and_its_fault_go_together() {
    let (agent, mut client) = agent();
    agent
        .on("guest-ping")
        .up_to(1)
        .with_fault(Fault::twice())
        .reply(json!("x"));
    assert_eq!(
        client.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": \"x\"}\n"
    );
    assert_eq!(client.line().await, "{\"return\": \"x\"}\n");
    assert_eq!(
        client.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": {}}\n"
    );
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "guest-ping: expected at least 2 requests, got 1")]
async fn verify_fails_when_a_stub_was_used_too_rarely() {
    let (agent, mut client) = agent();
    agent.on("guest-ping").expect(2..).reply(json!({}));
    client.ask("{\"execute\":\"guest-ping\"}").await;
    agent.verify();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "guest-ping: expected 1 request, got 2")]
async fn verify_fails_when_a_stub_was_used_too_often() {
    let (agent, mut client) = agent();
    agent.on("guest-ping").expect(1).reply(json!({}));
    client.ask("{\"execute\":\"guest-ping\"}").await;
    agent.verify();
    client.ask("{\"execute\":\"guest-ping\"}").await;
    agent.verify();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "guest-ping: expected no request, got 1")]
async fn what_is_never_expected_fails_the_test_when_the_agent_is_dropped() {
    let (agent, mut client) = agent();
    agent.on("guest-ping").expect(0).pass_through();
    client.ask("{\"execute\":\"guest-ping\"}").await;
    drop(agent);
}

#[tokio::test(start_paused = true)]
async fn a_stub_that_passes_through_counts_what_the_agent_answers() {
    let (agent, mut client) = agent();
    agent.on("guest-get-host-name").expect(2).pass_through();
    assert_eq!(host_name(&mut client).await, "test-guest");
    agent
        .on("guest-get-host-name")
        .up_to(1)
        .expect(1)
        .reply(json!({"host-name": "above"}));
    assert_eq!(host_name(&mut client).await, "above");
    assert_eq!(host_name(&mut client).await, "test-guest");
}

#[tokio::test(start_paused = true)]
async fn only_the_requests_that_a_stub_was_used_for_count() {
    let (agent, mut client) = agent();
    let named = |name| json!({"host-name": name});
    agent
        .on("guest-get-host-name")
        .expect(1)
        .reply(named("then"));
    let first = agent.on("guest-get-host-name").up_to(1).expect(1);
    first.reply(named("first"));
    assert_eq!(host_name(&mut client).await, "first");
    assert_eq!(host_name(&mut client).await, "then");
}

#[tokio::test(start_paused = true)]
async fn what_can_never_be_met_is_refused_at_the_line_of_the_stub() {
    let (agent, _client) = agent();
    let refused = |build: fn(&TestAgent)| {
        let build = std::panic::AssertUnwindSafe(|| build(&agent));
        let panic = std::panic::catch_unwind(build).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let too_many = refused(|agent| agent.on("x").up_to(1).expect(2..).reply(1));
    let wanted =
        "the stub for x answers at most 1 request, so it can never get at least 2 requests";
    assert_eq!(too_many, wanted);
    #[allow(clippy::reversed_empty_ranges, reason = "that is the mistake")]
    let empty = refused(|agent| agent.on("x").expect(3..=1).reply(1));
    assert_eq!(
        empty,
        "the range for the expected number of requests for x is empty"
    );
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "guest-sync {\"id\":1}")]
async fn dropping_the_agent_verifies_and_lists_what_did_arrive() {
    let (agent, mut client) = agent();
    agent.on("guest-ping").expect(1).reply(json!({}));
    client
        .ask("{\"execute\":\"guest-sync\",\"arguments\":{\"id\":1}}")
        .await;
    drop(agent);
}

#[tokio::test(start_paused = true)]
async fn reset_forgets_stubs_faults_and_requests() {
    let (agent, mut client) = agent();
    agent.on("guest-ping").expect(5).reply(json!(1));
    agent.fault(Fault::no_answer().always());
    client.send("{\"execute\":\"guest-ping\"}").await;
    client.silence().await;
    agent.reset();
    assert!(agent.requests().is_empty());
    assert_eq!(
        client.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": {}}\n"
    );
}
