//! An agent whose JSON library writes every integer as a float.

use qga_commands::commands::cpu::{GetCpuStats, GetVcpus};
use qga_commands::commands::disk::{GetDiskStats, GetDisks};
use qga_commands::commands::fs::GetFsInfo;
use qga_commands::commands::memory::{GetMemoryBlockInfo, GetMemoryBlocks};
use qga_commands::commands::net::NetworkGetInterfaces;
use qga_commands::commands::time::{GetTime, GetTimezone};
use qga_commands::commands::user::GetUsers;
use qga_commands::{Guest, GuestTime};
use qga_core::{Client, QgaCommand};
use qga_testserver::{Fault, TestAgent};
use serde_json::{Value, json};

/// The same JSON with `7.0e0` and `-1.20e1` for 7 and -12.
fn respelt(value: &Value) -> String {
    let list = |items: Vec<String>| items.join(",");
    match value {
        Value::Number(number) if !number.is_f64() => {
            let digits = number.to_string();
            let (head, tail) = digits.split_at(digits.len() - 1);
            match head {
                "" | "-" => format!("{digits}.0e0"),
                head => format!("{head}.{tail}0e1"),
            }
        }
        Value::Array(items) => format!("[{}]", list(items.iter().map(respelt).collect())),
        Value::Object(members) => {
            let member = |(name, value)| format!("{}:{}", Value::from(name), respelt(value));
            let members = members.iter().map(|(name, value)| (name.as_str(), value));
            format!("{{{}}}", list(members.map(member).collect()))
        }
        other => other.to_string(),
    }
}

/// The reply in that spelling, with what stands before its JSON.
fn rewritten(reply: &[u8]) -> Vec<u8> {
    let start = reply.iter().position(|byte| *byte == b'{').unwrap();
    let reply_value: Value = serde_json::from_slice(&reply[start..]).unwrap();
    let text = respelt(&reply_value) + "\n";
    [&reply[..start], text.as_bytes()].concat()
}

fn spelling_agent() -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    agent.fault(Fault::rewrite(|reply| rewritten(&reply)).always());
    (agent, Client::new(stream))
}

#[test]
fn the_spelling_is_another_one() {
    let line = b"\xFF{\"return\": [7, -12, 0.5, \"7\"], \"id\": 1234}\n";
    let expected = b"\xFF{\"id\":123.40e1,\"return\":[7.0e0,-1.20e1,0.5,\"7\"]}\n";
    assert_eq!(rewritten(line), expected);
}

/// What both agents answer, which is the same.
async fn same<C: QgaCommand<Response: std::fmt::Debug>>(
    plain: &Client,
    other: &Client,
    command: C,
) {
    let expected = plain.execute(&command).await.unwrap();
    let answered = other.execute(&command).await.unwrap();
    assert_eq!(
        format!("{answered:?}"),
        format!("{expected:?}"),
        "{}",
        C::NAME
    );
}

#[tokio::test]
async fn every_integer_of_a_reply_is_understood() {
    let (_agent, stream) = TestAgent::in_memory();
    let plain = Client::new(stream);
    let (_spelling, other) = spelling_agent();
    same(&plain, &other, GetVcpus).await;
    same(&plain, &other, GetCpuStats).await;
    same(&plain, &other, GetDisks).await;
    same(&plain, &other, GetDiskStats).await;
    same(&plain, &other, GetFsInfo).await;
    same(&plain, &other, GetMemoryBlocks).await;
    same(&plain, &other, GetMemoryBlockInfo).await;
    same(&plain, &other, NetworkGetInterfaces).await;
    same(&plain, &other, GetTimezone).await;
    same(&plain, &other, GetUsers).await;
}

#[tokio::test]
async fn a_time_is_understood_to_the_nanosecond() {
    let (agent, stream) = TestAgent::in_memory();
    let spelling = "1.780007654321000001e+18";
    let reply = |line: Vec<u8>| match String::from_utf8(line) {
        Ok(text) => text.replace("\"time\"", spelling).into(),
        Err(sync) => sync.into_bytes(),
    };
    agent.on("guest-get-time").reply(json!("time"));
    agent.fault(Fault::rewrite(reply).always());
    let time = Client::new(stream).execute(GetTime).await.unwrap();
    assert_eq!(time, GuestTime::from_nanos(1_780_007_654_321_000_001));
}

#[tokio::test]
async fn handles_and_processes_are_understood() {
    let (agent, client) = spelling_agent();
    agent.file("/etc/hostname", "vm1\n");
    let guest = Guest::new(client);
    assert_eq!(guest.read("/etc/hostname").await.unwrap(), b"vm1\n");
    guest.write("/tmp/new", b"new").await.unwrap();
    assert_eq!(guest.read("/tmp/new").await.unwrap(), b"new");
    let output = guest.command("echo").arg("hello").output().await.unwrap();
    assert_eq!(output.stdout, b"hello\n");
}
