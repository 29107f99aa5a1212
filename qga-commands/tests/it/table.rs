//! The table of commands and the commands' types against the facts.

use crate::common::facts::{Facts, since};
use crate::common::types::commands;
use qga_commands::schema::{COMMANDS, find};
use qga_core::{Reply, RetryClass};
use serde_json::{Value, json};

#[test]
fn the_table_has_every_command_as_the_facts_do() {
    let facts = Facts::read();
    assert_eq!(COMMANDS.len(), 44);
    assert_eq!(facts.commands().len(), 44);
    for (command, fact) in COMMANDS.iter().zip(facts.commands()) {
        let platforms: Vec<_> = command
            .platforms
            .iter()
            .map(|platform| platform.to_string().to_lowercase())
            .collect();
        let arguments: Vec<_> = command
            .arguments
            .iter()
            .map(|argument| (argument.name, argument.ty, argument.optional))
            .collect();
        assert_eq!(fact["name"], command.name);
        assert_eq!(since(fact), command.since, "{}", command.name);
        assert_eq!(fact["platforms"], json!(platforms), "{}", command.name);
        assert_eq!(arguments_of(fact), arguments, "{}", command.name);
        assert_eq!(fact["returns"], json!(command.returns), "{}", command.name);
        let always = command.reply == Reply::Always;
        assert_eq!(fact["success_response"], always, "{}", command.name);
    }
}

fn arguments_of(fact: &Value) -> Vec<(&str, &str, bool)> {
    let arguments = fact["args"].as_array().into_iter().flatten();
    arguments
        .map(|argument| {
            let name = argument["name"].as_str().unwrap_or_default();
            let ty = argument["type"].as_str().unwrap_or_default();
            (name, ty, argument["optional"] == true)
        })
        .collect()
}

#[test]
fn each_command_says_of_itself_what_the_table_says() {
    for (command, row) in commands().iter().zip(COMMANDS) {
        assert_eq!(command.name, row.name);
        assert_eq!(command.reply, row.reply, "{}", row.name);
        assert_eq!(command.retry, row.retry, "{}", row.name);
    }
    assert_eq!(commands().len(), COMMANDS.len());
}

#[test]
fn only_what_asks_is_safe_to_repeat() {
    for command in COMMANDS
        .iter()
        .filter(|command| command.retry == RetryClass::Safe)
    {
        let name = command.name.trim_start_matches("guest-");
        let asks = ["sync", "ping", "info", "get-", "network-get-", "ssh-get-"];
        let asks = asks.iter().any(|start| name.starts_with(start)) || name.ends_with("-status");
        assert!(asks, "{name}");
    }
}

#[test]
fn an_answer_that_is_given_only_once_is_not_asked_for_twice() {
    let status = find("guest-exec-status").unwrap();
    assert_eq!(status.retry, RetryClass::Never);
}

#[test]
fn what_ends_in_the_same_state_may_be_repeated_after_a_sync() {
    let repeatable: Vec<_> = COMMANDS
        .iter()
        .filter(|command| command.retry == RetryClass::AfterResync)
        .map(|command| command.name)
        .collect();
    let expected = [
        "guest-file-flush",
        "guest-fsfreeze-thaw",
        "guest-set-vcpus",
        "guest-set-user-password",
        "guest-set-memory-blocks",
        "guest-ssh-remove-authorized-keys",
    ];
    assert_eq!(repeatable, expected);
}

#[test]
fn hardly_any_command_runs_while_frozen() {
    let running: Vec<_> = COMMANDS
        .iter()
        .filter(|command| command.while_frozen)
        .map(|command| command.name)
        .collect();
    let expected = [
        "guest-sync-delimited",
        "guest-sync",
        "guest-ping",
        "guest-info",
        "guest-fsfreeze-status",
        "guest-fsfreeze-thaw",
    ];
    assert_eq!(running, expected);
}

#[test]
fn a_command_is_found_by_its_name() {
    assert_eq!(
        find("guest-exec").map(|command| command.type_name),
        Some("Exec")
    );
    assert!(find("exec").is_none());
}
