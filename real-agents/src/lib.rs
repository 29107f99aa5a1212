//! Real agents for the tests of this workspace, and what old ones lack.
//!
//! A test that uses one has `real` in its name, or in that of its module: `scripts/test` runs all of those once
//! for each agent that `scripts/agents` gets.

#![cfg(unix)]
#![allow(
    clippy::panic,
    reason = "what is wrong with a test or with its agent fails the test"
)]

use std::io::{ErrorKind, Write as _};

use qga_testserver::real_agent::RealAgent;

/// What would change this machine, whose agent it is, should a test have a mistake. Each agent here refuses it.
pub const HARMFUL: [&str; 13] = [
    "guest-fsfreeze-freeze",
    "guest-fsfreeze-freeze-list",
    "guest-fstrim",
    "guest-set-memory-blocks",
    "guest-set-time",
    "guest-set-user-password",
    "guest-set-vcpus",
    "guest-shutdown",
    "guest-ssh-add-authorized-keys",
    "guest-ssh-remove-authorized-keys",
    "guest-suspend-disk",
    "guest-suspend-hybrid",
    "guest-suspend-ram",
];

/// Commands, options and members of replies that a test needs, and the first version that has them. Whatever is
/// not listed, all have.
const SINCE: [(&str, (u32, u32)); 6] = [
    ("guest-get-cpustats", (7, 1)),
    ("guest-get-diskstats", (7, 1)),
    ("--allow-rpcs", (8, 0)),
    ("guest-network-get-route", (9, 1)),
    ("total-bytes-privileged of guest-get-fsinfo", (9, 1)),
    ("guest-get-load", (10, 0)),
];

/// Starts an agent that refuses these commands and whatever could do harm. `None`, and a line that says so, where
/// none is installed.
///
/// # Panics
///
/// When it does not start, when none is installed under CI, and when the test has no `real` in its name.
pub async fn start(blocked: &[&str]) -> Option<RealAgent> {
    let test = test_name();
    check_name(&test);
    let blocked = [&HARMFUL, blocked].concat().join(",");
    match RealAgent::start_with(&["-b", &blocked]).await {
        Ok(agent) => Some(agent),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "CI needs a real agent: {error}");
            say(&format!("{test} is left out: {error}"));
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Whether the agent has what a test needs: a command, an option, or a member of a reply. Whether it is there was
/// `found` out by the test. If it is not, this prints why the test is left out.
///
/// # Panics
///
/// When this version was not known to lack it, or was known to lack it and has it.
#[must_use]
pub fn has(agent: &RealAgent, needed: &str, found: bool) -> bool {
    let version = agent.version();
    let known = is_known_to_have(version, needed);
    assert_eq!(
        found, known,
        "whether qemu-ga {version} has {needed} is not as the list in real-agents says"
    );
    if !found {
        leave_out(agent, &format!("it has no {needed}"));
    }
    found
}

/// Prints that the test is left out on this agent, and why.
pub fn leave_out(agent: &RealAgent, why: &str) {
    let (test, version) = (test_name(), agent.version());
    say(&format!("{test} is left out on qemu-ga {version}: {why}"));
}

fn is_known_to_have(version: &str, needed: &str) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    SINCE
        .iter()
        .all(|(name, since)| *name != needed || *since <= version)
}

/// The harness names a test's thread after it, but for the main thread, in which it runs the tests of a machine
/// with one processor.
fn test_name() -> String {
    let thread = std::thread::current();
    match thread.name() {
        Some(name) if name != "main" => format!("test {name}"),
        _ => "a test".to_owned(),
    }
}

/// A test at the root of its crate is in a file that only has tests of real agents.
fn check_name(test: &str) {
    assert!(
        !test.contains("::") || test.contains("real"),
        "{test} uses a real agent, so it needs `real` in its name or in that of its module"
    );
}

/// Not `eprintln!`, which the harness keeps to itself while a test passes.
fn say(line: &str) {
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_what_came_with_it_or_before_and_what_is_not_listed() {
        for (version, needed, wanted) in [
            ("5.2.0", "guest-get-load", false),
            ("9.2.50", "guest-get-load", false),
            ("10.0.2", "guest-get-load", true),
            ("11.1.3", "guest-get-load", true),
            ("7.2.22", "guest-get-cpustats", true),
            ("7.0.0", "guest-get-cpustats", false),
            ("5.2.0", "guest-ping", true),
        ] {
            assert_eq!(
                is_known_to_have(version, needed),
                wanted,
                "{version} {needed}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "so it needs `real` in its name")]
    fn a_test_that_would_be_overlooked_gets_no_agent() {
        check_name("test tests::an_agent_answers");
    }
}
