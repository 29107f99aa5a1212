//! Faults as `qga-core`'s client sees them.

use std::time::Duration;

use qga_core::{Client, Options};
use qga_testserver::{Fault, TestAgent};
use serde_json::{Value, json};

fn client() -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::default().timeout(Duration::from_secs(5));
    (agent, Client::new(stream).with_options(options))
}

async fn host_name(client: &Client) -> Result<Value, qga_core::Error> {
    client.execute_raw("guest-get-host-name", Value::Null).await
}

#[tokio::test(start_paused = true)]
async fn after_each_fault_the_next_command_gets_its_own_reply() {
    let faults = [
        "no-answer",
        "delay=8s",
        "bytes-first={\"return\": 5}\\n",
        "bytes-first=AAAA",
        "torn=9",
        "garbage=\\xFE\\x00junk\\n",
        "wrong-id=77",
        "no-id",
        "twice",
        "unknown-fields",
        "invalid-utf8",
        "deep-nesting=100000",
        "long-line=100000000",
        "restart",
        "drip=1",
    ];
    for fault in faults {
        let (agent, client) = client();
        client.execute_raw("guest-ping", Value::Null).await.unwrap();
        agent.fault(fault.parse::<Fault>().unwrap());
        let first = host_name(&client).await;
        if let Ok(value) = &first {
            assert_eq!(value["host-name"], "test-guest", "{fault}: {value}");
        }
        let ping = client.execute_raw("guest-ping", Value::Null).await;
        let after = match ping {
            Ok(value) => value,
            Err(_) => client.execute_raw("guest-ping", Value::Null).await.unwrap(),
        };
        assert_eq!(after, json!({}), "{fault}");
        assert_eq!(host_name(&client).await.unwrap()["host-name"], "test-guest");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_agent_is_a_timeout() {
    let (agent, client) = client();
    agent.fault(Fault::hang());
    assert!(host_name(&client).await.unwrap_err().is_timeout());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_value_does_not_break_the_reply() {
    let (agent, client) = client();
    agent.fault(Fault::unknown_values().on_reply(2));
    let name = "guest-network-get-interfaces";
    let reply = client.execute_raw(name, Value::Null).await.unwrap();
    assert_eq!(reply[0]["ip-addresses"][0]["ip-address-type"], "x-unknown");
}

#[tokio::test(start_paused = true)]
async fn endless_lines_during_a_sync_are_a_failure_and_not_a_wait_for_ever() {
    let (agent, client) = client();
    agent.fault(Fault::endless_lines().and(Fault::drip_every(65536, Duration::from_millis(100))));
    assert!(host_name(&client).await.is_err());
}
