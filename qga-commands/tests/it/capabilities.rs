//! What an agent can do, and why it refuses.

use qga_commands::Guest;
use qga_commands::capabilities::{Capabilities, ClientExt as _, Refusal};
use qga_commands::commands::cpu::GetLoad;
use qga_commands::commands::exec::Exec;
use qga_commands::guest::ready::Ready;
use qga_core::{Client, Error};
use qga_testserver::TestAgent;
use serde_json::{Value, json};

/// An agent that says it knows these commands, and which of them are enabled.
fn agent(commands: &[(&str, bool)]) -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    let commands: Vec<Value> = commands
        .iter()
        .map(|(name, enabled)| json!({"name": name, "enabled": enabled, "success-response": true}))
        .collect();
    agent
        .on("guest-info")
        .reply(json!({"version": "7.2.22", "supported_commands": commands}));
    (agent, Client::new(stream))
}

async fn refused(agent: &TestAgent, client: &Client) -> Error {
    let text = "Command guest-exec has been disabled: the command is not allowed";
    agent.on("guest-exec").error("CommandNotFound", text);
    client.execute(Exec::new("true")).await.unwrap_err()
}

#[tokio::test]
async fn a_command_is_known_enabled_or_neither() {
    let (_agent, client) = agent(&[
        ("guest-ping", true),
        ("guest-exec", false),
        ("acme-x", true),
    ]);
    let capabilities = Capabilities::ask(&client).await.unwrap();
    assert_eq!(capabilities.version(), "7.2.22");
    assert_eq!(capabilities.commands().count(), 3);
    assert!(capabilities.knows("guest-exec") && !capabilities.is_enabled("guest-exec"));
    assert!(capabilities.is_enabled("acme-x") && !capabilities.is_frozen());
    assert!(!capabilities.knows("guest-get-load"));
    assert_eq!(capabilities.refusal("guest-ping"), None);
}

#[tokio::test]
async fn a_command_that_the_agent_lacks_is_unknown() {
    let (agent, client) = agent(&[("guest-ping", true), ("guest-exec", true)]);
    agent.on("guest-get-load").error(
        "CommandNotFound",
        "The command guest-get-load has not been found",
    );
    let error = client.execute(GetLoad).await.unwrap_err();
    let refusal = Refusal::explain(&client, &error).await.unwrap();
    assert_eq!(
        refusal.to_string(),
        "the agent, version 7.2.22, does not know guest-get-load"
    );
    let hint = "agents have it since QEMU 10.0, in guests with Linux, FreeBSD, Windows";
    assert_eq!(refusal.hint(), hint);
}

#[tokio::test]
async fn a_command_that_is_forbidden_comes_with_the_lines_that_allow_it() {
    let (agent, client) = agent(&[("guest-get-time", true), ("guest-exec", false)]);
    let error = refused(&agent, &client).await;
    let refusal = Refusal::explain(&client, &error).await.unwrap();
    assert!(matches!(&refusal, Refusal::Disabled { command, .. } if command == "guest-exec"));
    for line in [
        "/etc/sysconfig/qemu-ga",
        "--allow-rpcs=",
        "--block-rpcs=",
        "guest-exec",
    ] {
        assert!(refusal.hint().contains(line), "{}", refusal.hint());
    }
}

#[tokio::test]
async fn an_old_agent_may_have_a_command_disabled_that_its_system_cannot_do() {
    let hint = |version: &str, command: &str| {
        let (command, version) = (command.to_owned(), version.to_owned());
        Refusal::Disabled { command, version }.hint()
    };
    let only_windows = "guest-get-devices works in guests with Windows only";
    assert!(hint("7.2.22", "guest-get-devices").starts_with(only_windows));
    assert!(hint("10.0.2", "guest-get-devices").starts_with("in the guest"));
    assert!(hint("7.2.22", "guest-exec").starts_with("in the guest"));
}

#[tokio::test]
async fn a_command_that_waits_for_a_thaw_is_frozen_out() {
    let (agent, client) = agent(&[
        ("guest-ping", true),
        ("guest-fsfreeze-thaw", true),
        ("guest-exec", false),
    ]);
    agent.on("guest-fsfreeze-status").reply("frozen");
    let error = refused(&agent, &client).await;
    let refusal = Refusal::explain(&client, &error).await.unwrap();
    let command = "guest-exec".to_owned();
    assert_eq!(refusal, Refusal::Frozen { command });
    assert_eq!(refusal.command(), "guest-exec");
    assert!(refusal.hint().contains("guest-fsfreeze-thaw"));
}

#[tokio::test]
async fn an_agent_that_only_allows_pings_is_not_frozen() {
    let (agent, client) = agent(&[("guest-ping", true), ("guest-exec", false)]);
    agent
        .on("guest-fsfreeze-status")
        .error("CommandNotFound", "disabled");
    let error = refused(&agent, &client).await;
    let refusal = Refusal::explain(&client, &error).await;
    assert!(matches!(refusal, Some(Refusal::Disabled { .. })));
}

#[tokio::test]
async fn what_an_agent_says_of_its_version_is_escaped_and_cut_everywhere() {
    let version = "9.0\u{1b}[2J\u{202e}\n".repeat(100_000);
    let (agent, stream) = TestAgent::in_memory();
    let info = json!({"version": version, "supported_commands": []});
    agent.on("guest-info").reply(info);
    let client = Client::new(stream);
    let capabilities = Capabilities::ask(&client).await.unwrap();
    let refusal = capabilities.refusal("guest-exec").unwrap();
    let ready = Ready::ping().command("guest-exec");
    let error = Guest::new(client).wait_ready(&ready).await.unwrap_err();
    for shown in [
        refusal.to_string(),
        format!("{refusal:?}"),
        refusal.hint(),
        error.to_string(),
        format!("{error:?}"),
        format!("{capabilities:?}"),
    ] {
        assert!(shown.len() < 3000, "{} bytes", shown.len());
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\n']), "{shown}");
    }
}

#[tokio::test]
async fn other_errors_have_no_such_reason() {
    let (agent, client) = agent(&[("guest-exec", true)]);
    agent.on("guest-exec").error("GenericError", "no such file");
    let error = client.execute(Exec::new("x")).await.unwrap_err();
    assert_eq!(Refusal::explain(&client, &error).await, None);
    assert!(agent.requests_of("guest-info").is_empty());
}

#[tokio::test]
async fn an_agent_is_asked_once_until_it_is_forgotten() {
    let (agent, client) = agent(&[("guest-exec", true)]);
    let other = client.clone();
    let (a, b) = tokio::join!(client.capabilities(), other.capabilities());
    assert_eq!(a.unwrap(), b.unwrap());
    assert_eq!(agent.requests_of("guest-info").len(), 1);
    other.forget_capabilities();
    client.capabilities().await.unwrap();
    assert_eq!(agent.requests_of("guest-info").len(), 2);
}

#[tokio::test]
async fn two_clients_do_not_share_what_they_know() {
    let ((_a, one), (_b, other)) = (agent(&[("guest-exec", true)]), agent(&[]));
    assert!(one.capabilities().await.unwrap().knows("guest-exec"));
    assert!(!other.capabilities().await.unwrap().knows("guest-exec"));
}
