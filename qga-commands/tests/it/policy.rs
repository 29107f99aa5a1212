//! Which commands the ready-made lists hold.

use qga_commands::commands::exec::Exec;
use qga_commands::policy::{no_exec, read_only};
use qga_commands::schema::COMMANDS;
use qga_core::Client;
use qga_testserver::TestAgent;

const ASKS: [&str; 22] = [
    "guest-sync-delimited",
    "guest-sync",
    "guest-ping",
    "guest-get-time",
    "guest-info",
    "guest-fsfreeze-status",
    "guest-network-get-interfaces",
    "guest-get-vcpus",
    "guest-get-disks",
    "guest-get-fsinfo",
    "guest-get-memory-blocks",
    "guest-get-memory-block-info",
    "guest-get-host-name",
    "guest-get-users",
    "guest-get-timezone",
    "guest-get-osinfo",
    "guest-get-devices",
    "guest-ssh-get-authorized-keys",
    "guest-get-diskstats",
    "guest-get-cpustats",
    "guest-get-load",
    "guest-network-get-route",
];

const ROOT: [&str; 10] = [
    "guest-exec",
    "guest-exec-status",
    "guest-file-open",
    "guest-file-close",
    "guest-file-read",
    "guest-file-write",
    "guest-file-seek",
    "guest-file-flush",
    "guest-set-user-password",
    "guest-ssh-add-authorized-keys",
];

const CHANGES: [&str; 12] = [
    "guest-set-time",
    "guest-shutdown",
    "guest-fsfreeze-freeze",
    "guest-fsfreeze-freeze-list",
    "guest-fsfreeze-thaw",
    "guest-fstrim",
    "guest-suspend-disk",
    "guest-suspend-ram",
    "guest-suspend-hybrid",
    "guest-set-vcpus",
    "guest-set-memory-blocks",
    "guest-ssh-remove-authorized-keys",
];

fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_unstable();
    names
}

#[test]
fn every_command_is_in_the_lists_where_it_belongs() {
    assert_eq!(sorted(read_only()), sorted(ASKS));
    assert_eq!(sorted(no_exec()), sorted(ROOT));
    let all = ASKS.into_iter().chain(ROOT).chain(CHANGES);
    let known = COMMANDS.iter().map(|command| command.name);
    assert_eq!(sorted(all), sorted(known));
}

#[tokio::test]
async fn a_client_that_may_only_read_starts_no_program() {
    let (agent, stream) = TestAgent::in_memory();
    for builder in [
        Client::builder().allow(read_only()),
        Client::builder().deny(no_exec()),
    ] {
        let (_, unused) = tokio::io::duplex(64);
        let error = builder.build(unused).execute(Exec::new("id")).await;
        assert!(error.unwrap_err().is_not_allowed());
    }
    let client = Client::builder().allow(read_only()).build(stream);
    client
        .execute(qga_commands::commands::agent::Info)
        .await
        .unwrap();
    drop(agent);
}

#[test]
fn each_command_that_is_not_sent_again_says_what_to_check() {
    for command in COMMANDS {
        let says = command.check.is_some();
        let is_final = command.retry == qga_core::RetryClass::Never;
        assert_eq!(says, is_final, "{}", command.name);
    }
}
