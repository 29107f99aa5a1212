//! What somebody reads whose test fails.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use qga_testserver::{Fault, Invocation, Profile, Script, TestAgent};
use serde_json::{Value, json};

use crate::caller::Caller;

/// What the agent says when it verifies.
fn complaint(agent: &TestAgent) -> String {
    let verify = AssertUnwindSafe(|| agent.verify());
    text(&*catch_unwind(verify).unwrap_err())
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
}

#[tokio::test(start_paused = true)]
async fn a_stub_that_refuses_is_not_absent() {
    let mut caller = Caller::new();
    let stub = |agent: &TestAgent, mode| {
        let stub = agent.on("vend-set-mode");
        stub.with(move |args| args["mode"] == mode).reply(json!({}));
    };
    stub(&caller.agent, 1);
    let said = caller.call("vend-set-mode", json!({"mode": 2})).await;
    assert_eq!(
        said,
        "the stub for vend-set-mode does not accept {\"mode\":2}"
    );
    stub(&caller.agent, 3);
    let said = caller.call("vend-set-mode", json!({"mode": 2})).await;
    assert_eq!(
        said,
        "none of the 2 stubs for vend-set-mode accepts {\"mode\":2}"
    );
    caller.agent.on("vend-set-mode").up_to(0).reply(json!({}));
    let said = caller.call("vend-set-mode", json!({"mode": 2})).await;
    let wanted = "none of the 3 stubs for vend-set-mode answers: \
                  the arguments {\"mode\":2} do not suit 2, and 1 answered as often as allowed";
    assert_eq!(said, wanted);
    let said = caller.get("vend-get-mode").await;
    assert_eq!(said, "The command vend-get-mode has not been found");
}

#[tokio::test(start_paused = true)]
async fn a_stub_that_is_used_up_is_not_absent() {
    let mut caller = Caller::new();
    caller.agent.on("vend-once").up_to(1).reply(json!({}));
    assert_eq!(caller.get("vend-once").await, json!({}));
    let said = caller.get("vend-once").await;
    assert_eq!(
        said,
        "the stub for vend-once has answered as often as it may"
    );
    caller.agent.on("vend-once").up_to(0).reply(json!({}));
    let said = caller.get("vend-once").await;
    let wanted = "all 2 stubs for vend-once have answered as often as they may";
    assert_eq!(said, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_stub_that_refuses_leaves_a_known_command_to_the_agent() {
    let mut caller = Caller::new();
    let stub = caller.agent.on("guest-get-host-name").with(|_| false);
    stub.reply(json!({}));
    let said = caller.get("guest-get-host-name").await;
    assert_eq!(said, json!({"host-name": "test-guest"}));
}

#[tokio::test(start_paused = true)]
async fn an_expectation_is_named_by_the_line_of_its_stub() {
    let mut caller = Caller::new();
    let line = line!() + 1;
    caller.agent.on("guest-ping").expect(2).reply(json!({}));
    caller.get("guest-ping").await;
    let complaint = complaint(&caller.agent);
    let place = format!("{}:{line}:", file!());
    assert!(complaint.contains(&place), "{complaint}");
    assert!(complaint.contains("guest-ping: expected 2 requests, got 1\n"));
    assert!(complaint.ends_with("requests that have arrived:\n  guest-ping {}"));
    caller.agent.reset();
}

#[tokio::test(start_paused = true)]
async fn an_unmet_expectation_says_what_came_instead() {
    let mut caller = Caller::new();
    let agent = &caller.agent;
    let refusing = agent.on("guest-exec").with(|args| args["path"] == "ls");
    refusing.expect(1).reply(json!({"pid": 7}));
    agent.on("guest-ping").expect(1).reply(json!({}));
    agent.on("guest-ping").reply(json!({}));
    agent.on("guest-get-time").expect(1).pass_through();
    agent.disable("guest-get-time");
    caller.call("guest-exec", json!({"path": "pwd"})).await;
    caller.get("guest-ping").await;
    caller.get("guest-get-time").await;
    let complaint = complaint(&caller.agent);
    let wanted = [
        "guest-exec: expected 1 request, got 0; it did not accept 1 more, the last with {\"path\":\"pwd\"}\n",
        "guest-ping: expected 1 request, got 0; the later stub ",
        "guest-ping got 1 request\n",
        "guest-get-time: expected 1 request, got 0; the command was disabled for 1 more\n",
    ];
    for wanted in wanted {
        assert!(complaint.contains(wanted), "{complaint}");
    }
    caller.agent.reset();
}

#[tokio::test(start_paused = true)]
async fn a_list_of_requests_is_of_the_latest_and_of_their_beginnings() {
    let mut caller = Caller::new();
    let long = json!({"a": "\u{e9}".repeat(1000)});
    caller.call("guest-first", json!({})).await;
    for _ in 0..50 {
        caller.call("guest-x", long.clone()).await;
    }
    caller.agent.on("guest-ping").expect(1).reply(json!({}));
    let complaint = complaint(&caller.agent);
    assert!(
        complaint.contains("the latest 50 of 51 requests that have arrived:\n  guest-x {"),
        "{complaint}"
    );
    assert!(!complaint.contains("guest-first"), "{complaint}");
    assert!(
        complaint.lines().all(|line| line.len() < 500),
        "{complaint}"
    );
    caller.agent.reset();
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_closure_of_the_test_is_told_and_the_agent_goes_on() {
    let mut caller = Caller::new();
    let fail = |args: &Value| -> bool { panic!("bad arguments {args}") };
    let agent = &caller.agent;
    agent.on("x-with").with(fail).reply(json!({}));
    agent
        .on("x-reply")
        .reply_with(|_| -> Value { panic!("bad request") });
    let broken = Fault::rewrite(|_| panic!("bad bytes"));
    agent.on("x-bytes").with_fault(broken).reply(json!({}));
    let broken = Fault::rewrite_return(|_| panic!("bad return"));
    agent.on("x-return").with_fault(broken).reply(json!({}));
    agent
        .program("job")
        .runs(|call: &Invocation| -> Script { panic!("bad call of {}", call.path) });
    let cases = [
        ("x-with", json!({"a": 1}), "bad arguments {\"a\":1}"),
        ("x-reply", json!({}), "bad request"),
        ("x-bytes", json!({}), "bad bytes"),
        ("x-return", json!({}), "bad return"),
        ("guest-exec", json!({"path": "job"}), "bad call of job"),
    ];
    for (command, arguments, wanted) in &cases {
        let said = caller.call(command, arguments.clone()).await;
        assert_eq!(said, format!("a closure of the test panicked: {wanted}"));
    }
    let complaint = complaint(&caller.agent);
    for (command, arguments, wanted) in &cases {
        let line = format!("{command} {arguments}: a closure of the test panicked: {wanted}\n");
        assert!(complaint.contains(&line), "{complaint}");
    }
    caller.agent.reset();
    caller.agent.verify();
    assert_eq!(caller.get("guest-ping").await, json!({}));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_shown_as_json_and_text() {
    let mut caller = Caller::new();
    let path = json!({"path": "\u{e9}"});
    caller.call("guest-file-open", path).await;
    let request = &caller.agent.requests()[0];
    assert_eq!(request.to_string(), "guest-file-open {\"path\":\"\u{e9}\"}");
    let shown = format!("{request:?}");
    let wanted = "Request { name: \"guest-file-open\", arguments: {\"path\":\"\u{e9}\"}, id: none, \
                  raw: b\"{\\\"arguments\\\":{\\\"path\\\":\\\"\\xc3\\xa9\\\"},";
    assert!(shown.starts_with(wanted), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_program_is_shown_with_its_input_as_text() {
    let mut caller = Caller::new();
    let shown = |call: &Invocation| Script::new().stdout(format!("{call:?}"));
    caller.agent.program("job").runs(shown);
    let call = json!({"path": "job", "input-data": "YeQK", "capture-output": true});
    let pid = caller.call("guest-exec", call).await["pid"].clone();
    let ended = caller.call("guest-exec-status", json!({"pid": pid})).await;
    let out = STANDARD
        .decode(ended["out-data"].as_str().unwrap())
        .unwrap();
    let wanted = "Invocation { path: \"job\", args: [], env: None, stdin: b\"a\\xe4\\n\", current_dir: \"/\" }";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
}

#[test]
fn a_script_is_shown_with_its_output_as_text() {
    let shown = format!("{:?}", Script::new().stdout("a\n").stdout_zeros(3));
    assert!(shown.contains("b\"a\\n\""), "{shown}");
    assert!(shown.contains("3 zeros"), "{shown}");
}

#[test]
fn a_text_that_names_no_fault_and_no_profile_is_an_error_that_lists_them() {
    let fault = "tron".parse::<Fault>().unwrap_err();
    let profile = "1.0".parse::<Profile>().unwrap_err();
    let errors: [Box<dyn std::error::Error + Send + Sync>; 2] = [fault.into(), profile.into()];
    let said = errors.map(|error| error.to_string());
    assert!(
        said[0].starts_with("there is no fault `tron` (did you mean `torn`?); the faults are "),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("there is no profile `1.0`; the profiles are 3.1, "),
        "{said:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_is_shown_in_short() {
    let (agent, _stream) = TestAgent::in_memory();
    agent.on("guest-ping").reply(json!({}));
    let shown = format!("{agent:?}");
    assert!(shown.contains("messages.rs"), "{shown}");
    assert!(shown.len() < 300, "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_what_never_comes_ends_and_says_what_came() {
    let mut caller = Caller::new();
    caller.get("guest-ping").await;
    let line = line!() + 1;
    let wait = async move { drop(caller.agent.wait_for("guest-ping", 2).await) };
    let panic = tokio::spawn(wait).await.unwrap_err().into_panic();
    let said = text(&*panic);
    let wanted = format!("{}:{line}:", file!());
    assert!(said.starts_with(&wanted), "{said}");
    let wanted = "waiting for 2 requests for guest-ping, 1 so far; requests that have arrived:";
    assert!(said.contains(wanted), "{said}");
}

const CHILD: &str = "QGA_TESTSERVER_MISTAKE";

/// A mistake, the line that it is made on, and what is said of it.
async fn mistake(number: usize) -> Option<(u32, &'static str)> {
    let is_child = std::env::var_os(CHILD).is_some();
    let Caller { agent, mut client } = Caller::new();
    let make = |mistake: &dyn Fn()| {
        if is_child {
            mistake();
        }
    };
    Some(match number {
        0 => {
            let line = line!() + 1;
            make(&|| drop(agent.address()));
            (line, "an agent in memory has no socket: use connect()")
        }
        1 => {
            let line = line!() + 1;
            make(&|| drop(agent.path().to_owned()));
            (line, "the agent has no Unix socket")
        }
        2 => {
            let line = line!() + 1;
            make(&|| agent.fault(Fault::twice().on_reply(0)));
            (line, "a fault for reply 0: the next reply is number 1")
        }
        3 => {
            let line = line!() + 1;
            make(&|| agent.fault(Fault::twice().by_chance(50.0)));
            (line, "a probability is from 0 to 1, not 50")
        }
        4 => {
            let line = line!() + 1;
            make(&|| agent.on("x").up_to(1).expect(2).reply(1));
            (
                line,
                "the stub for x answers at most 1 request, so it can never get 2 requests",
            )
        }
        5 => {
            make(&|| agent.on("x").expect(1).pass_through());
            let line = line!() + 1;
            make(&|| agent.verify());
            (
                line,
                "x: expected 1 request, got 0\nno requests have arrived",
            )
        }
        6 => {
            make(&|| agent.on("x").expect(1).pass_through());
            client.ask("{'execute':'guest-ping'}").await;
            let line = line!() + 1;
            make(&|| panic!("the test's own failure"));
            let all = "x: expected 1 request, got 0\nrequests that have arrived:\n  guest-ping\n";
            (line, all)
        }
        _ => return None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_mistake_is_told_at_the_line_of_the_test() {
    if let Some(number) = std::env::var_os(CHILD) {
        mistake(number.to_str().unwrap().parse().unwrap()).await;
        return;
    }
    for number in 0.. {
        let Some((line, wanted)) = mistake(number).await else {
            assert!(number > 6);
            return;
        };
        let name = "messages::a_mistake_is_told_at_the_line_of_the_test";
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, number.to_string());
        let output = child.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{number}");
        assert!(
            said.contains(&format!("panicked at {}:{line}:", file!())),
            "{said}"
        );
        assert!(said.contains(wanted), "{said}");
    }
}
