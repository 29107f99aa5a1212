use std::time::Duration;

use qga_testserver::{Fault, TestMachine};
use serde_json::json;

use super::Qmp;

#[tokio::test(start_paused = true)]
async fn a_stub_answers_for_the_monitor() {
    let machine = TestMachine::start().await;
    machine.on("query-cpus-fast").expect(1).reply(json!([]));
    machine.on("stop").up_to(1).error("GenericError", "not now");
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("query-cpus-fast").await, json!([]));
    assert_eq!(qmp.get("stop").await, "not now");
    assert_eq!(qmp.status().await, "running");
    assert_eq!(qmp.get("stop").await, json!({}));
    assert_eq!(qmp.status().await, "paused");
    assert_eq!(machine.requests_of("stop").len(), 2);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "expected 1 request")]
async fn a_machine_whose_stub_was_not_used_fails_the_test_when_it_is_dropped() {
    let machine = TestMachine::start().await;
    machine.on("stop").expect(1).reply(json!({}));
}

#[tokio::test(start_paused = true)]
async fn replies_are_late_torn_or_cut_and_events_come_between() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.fault(Fault::delay(Duration::from_secs(3)));
    qmp.send(r#"{"execute":"query-name","id":1}"#).await;
    machine.wait_for("query-name", 1).await;
    machine.agent().pause();
    assert_eq!(qmp.reply().await["id"], 1);
    qmp.events(&["STOP"]).await;

    machine.fault(Fault::close_within(9));
    qmp.send(r#"{"execute":"query-name"}"#).await;
    assert_eq!(qmp.wire.rest().await, "{\"return\"");
    let mut qmp = Qmp::connect(&machine).await;
    machine.fault(Fault::hang());
    qmp.send(r#"{"execute":"query-name"}"#).await;
    qmp.wire.silence().await;
}

#[tokio::test(start_paused = true)]
async fn events_and_nonsense_of_the_test_reach_the_client() {
    let machine = TestMachine::start().await;
    machine.event("LOST", json!({}));
    let mut qmp = Qmp::connect(&machine).await;
    machine.event("RTC_CHANGE", json!({"offset": 1}));
    machine.send("}\r\n");
    assert_eq!(qmp.event().await["data"], json!({"offset": 1}));
    assert_eq!(qmp.wire.line().await, "}\r\n");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_cut_off_can_come_again() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.cut_off();
    qmp.end().await;
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.status().await, "running");
    let instances = json!({"instances": [{"type": "chardev", "id": "mon0"}]});
    let yank = json!({"execute": "yank", "arguments": instances});
    qmp.send(yank.to_string()).await;
    qmp.wire.rest().await;
    assert_eq!(Qmp::connect(&machine).await.status().await, "running");
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_hangs_accepts_nobody_and_answers_later() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.set_hung(true);
    qmp.send(r#"{"execute":"query-name","id":1}"#).await;
    qmp.wire.silence().await;
    let mut other = Qmp::raw(&machine).await;
    drop(qmp);
    other.wire.silence().await;
    machine.set_hung(false);
    assert!(other.next().await.get("QMP").is_some());

    machine.set_hung(true);
    other.send(r#"{"execute":"qmp_capabilities"}"#).await;
    other.wire.silence().await;
    machine.set_hung(false);
    assert_eq!(other.reply().await, json!({"return": {}}));
}

#[tokio::test(start_paused = true)]
async fn endless_output_takes_no_memory() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.fault(Fault::endless_lines());
    qmp.send(r#"{"execute":"query-name"}"#).await;
    assert!(qmp.wire.bytes(1 << 20).await.starts_with(b"{\"return\""));
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_panics_fails_the_command_and_the_test() {
    let machine = TestMachine::start().await;
    machine
        .on("stop")
        .reply_with(|_| -> serde_json::Value { panic!("no") });
    let mut qmp = Qmp::connect(&machine).await;
    assert_eq!(qmp.get("stop").await, "a closure of the test panicked: no");
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(machine)));
    assert!(dropped.is_err());
}
