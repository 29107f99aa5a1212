use std::time::Duration;

use qga_testserver::TestMachine;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Qmp, shut_down, tell_agent};

/// The types and names of what is at a path.
async fn list(qmp: &mut Qmp, path: &str) -> Vec<(String, String)> {
    let told = qmp.call("qom-list", json!({"path": path})).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entry = |entry: &Value| (text(&entry["name"]), text(&entry["type"]));
    told.as_array().unwrap().iter().map(entry).collect()
}

#[tokio::test(start_paused = true)]
async fn the_port_is_found_by_its_type_with_and_without_an_id() {
    for (id, folder, name) in [
        (Some("port9"), "/machine/peripheral", "port9"),
        (None, "/machine/peripheral-anon", "device[1]"),
    ] {
        let machine = TestMachine::start().await;
        match id {
            Some(id) => machine.port_id(id),
            None => machine.port_without_id(),
        }
        let mut qmp = Qmp::connect(&machine).await;
        let mut found = Vec::new();
        for path in ["/machine/peripheral", "/machine/peripheral-anon"] {
            let entries = list(&mut qmp, path).await;
            let ports = entries
                .into_iter()
                .filter(|(_, kind)| kind == "child<virtserialport>");
            found.extend(ports.map(|(name, _)| (path, name)));
        }
        assert_eq!(found, [(folder, name.to_owned())]);
        let path = format!("{folder}/{name}");
        for (property, value) in [("name", "org.qemu.guest_agent.0"), ("chardev", "qga0")] {
            let get = json!({"path": path, "property": property});
            assert_eq!(qmp.call("qom-get", get).await, value);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_in_the_tree_is_not_found() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    qmp.send(r#"{"execute":"qom-get","arguments":{"path":"/nope","property":"type"}}"#)
        .await;
    let reply = qmp.reply().await;
    assert_eq!(
        reply["error"],
        json!({"class": "DeviceNotFound", "desc": "Device '/nope' not found"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_without_an_id_is_told_by_no_event_and_by_the_list_of_devices() {
    let machine = TestMachine::start().await;
    machine.port_without_id();
    let mut qmp = Qmp::connect(&machine).await;
    let _agent = shut_down(&machine, "halt").await;
    machine.agent().wait_for("guest-shutdown", 1).await;
    qmp.wire.silence().await;
    assert_eq!(qmp.get("query-chardev").await[2]["frontend-open"], false);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_devices_tells_whether_the_agent_has_a_client() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let told = qmp.get("query-chardev").await;
    let agent = machine.agent().address();
    assert_eq!(told[2]["label"], "qga0");
    assert_eq!(
        told[2]["filename"],
        format!("disconnected:{agent},server=on")
    );
    let mut client = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    client.line().await;
    let told = qmp.get("query-chardev").await;
    assert_eq!(told[2]["filename"], format!("{agent},server=on"));
    assert_eq!(told[2]["frontend-open"], true);
}

#[tokio::test(start_paused = true)]
async fn there_is_one_event_a_second_and_the_last_one_is_not_lost() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    let start = Instant::now();
    machine.set_port_open(false);
    qmp.port(false).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    machine.set_port_open(true);
    machine.set_port_open(false);
    machine.set_port_open(true);
    qmp.port(true).await;
    assert_eq!(start.elapsed(), Duration::from_secs(1));

    // Shortly after that, only the second of two is told: it is equal to the one before.
    machine.set_port_open(false);
    machine.set_port_open(true);
    qmp.port(true).await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(2)).await;
    qmp.wire.silence().await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_killed_and_started_again_is_told_twice() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.agent().restart();
    qmp.port(false).await;
    qmp.port(true).await;
}

#[tokio::test(start_paused = true)]
async fn a_closed_port_answers_nothing_until_it_is_opened() {
    let machine = TestMachine::start().await;
    machine.set_port_open(false);
    let mut agent = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    agent.silence().await;
    machine.set_port_open(true);
    assert_eq!(agent.line().await, "{\"return\": {}}\n");
}

#[tokio::test(start_paused = true)]
async fn a_yank_throws_the_agents_client_off_and_the_next_one_is_served() {
    for is_paused in [false, true] {
        let machine = TestMachine::start().await;
        let mut qmp = Qmp::connect(&machine).await;
        let mut first = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
        assert_eq!(first.line().await, "{\"return\": {}}\n");
        let mut second = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
        second.silence().await;
        if is_paused {
            machine.agent().pause();
            first.send("{\"execute\":\"guest-ping\"}").await;
        }
        let known = qmp.get("query-yank").await;
        assert_eq!(known[1], json!({"type": "chardev", "id": "qga0"}));
        let instances = json!({"instances": [{"type": "chardev", "id": "qga0"}]});
        assert_eq!(qmp.call("yank", instances).await, json!({}));
        assert_eq!(first.rest().await, "");
        machine.agent().resume();
        assert_eq!(second.line().await, "{\"return\": {}}\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_yank_frees_an_agent_whose_client_waits_for_a_hung_reply() {
    let machine = TestMachine::start().await;
    let mut qmp = Qmp::connect(&machine).await;
    machine.agent().fault(qga_testserver::Fault::hang());
    let mut first = tell_agent(&machine, json!({"execute": "guest-ping"})).await;
    machine.agent().wait_for("guest-ping", 1).await;
    let instances = json!({"instances": [{"type": "chardev", "id": "qga0"}]});
    assert_eq!(qmp.call("yank", instances).await, json!({}));
    assert_eq!(first.rest().await, "");
    let unknown = json!({"instances": [{"type": "chardev", "id": "nope"}]});
    assert_eq!(qmp.call("yank", unknown).await, "Instance not found");
}
