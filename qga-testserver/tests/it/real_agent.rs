use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use qga_testserver::real_agent::RealAgent;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::wire::Wire;

#[tokio::test]
async fn a_real_agent_answers_a_ping_and_is_gone_after_the_drop() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    assert!(agent.version().contains('.'), "{}", agent.version());
    let mut client = Wire::new(UnixStream::connect(agent.path()).await.unwrap());
    assert_eq!(
        client.ask("{\"execute\":\"guest-ping\"}").await,
        "{\"return\": {}}\n"
    );
    let (path, pid) = (agent.path().to_owned(), agent.pid());
    drop(agent);
    assert!(!path.exists());
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn a_real_agent_takes_more_arguments() {
    let Some(agent) = real_agents::start(&["guest-exec"]).await else {
        return;
    };
    let mut client = Wire::new(UnixStream::connect(agent.path()).await.unwrap());
    let reply = client.ask("{\"execute\":\"guest-exec\"}").await;
    let reply: Value = serde_json::from_str(&reply).unwrap();
    assert_eq!(reply["error"]["class"], "CommandNotFound", "{reply}");
    let text = reply["error"]["desc"].as_str().unwrap();
    assert!(text.contains("guest-exec has been disabled"), "{text}");
}

#[tokio::test]
async fn an_agent_that_does_not_start_is_an_error() {
    if real_agents::start(&[]).await.is_none() {
        return;
    }
    let error = RealAgent::start_with(&["--no-such-option"])
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("qemu-ga ended at once with exit status"),
        "{text}"
    );
    assert!(
        text.contains("--no-such-option"),
        "it does not say why: {text}"
    );
}

/// Runs another test of this program with `QGA_REAL_AGENT`; whether it passes, and what it says.
fn run_with_agent(program: &Path, test: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env("QGA_REAL_AGENT", program)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("running 1 test"), "{said}");
    (output.status.success(), said)
}

#[tokio::test]
async fn a_real_agent_may_be_named_by_a_script_that_starts_it() {
    if real_agents::start(&[]).await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    let program = RealAgent::program().unwrap();
    let code = format!(
        "#!/bin/sh\n: >>'{}/was run'\nexec '{}' \"$@\"\n",
        folder.path().display(),
        program.display()
    );
    fs::write(&script, code).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let test = "real_agent::a_real_agent_answers_a_ping_and_is_gone_after_the_drop";
    let (passed, said) = run_with_agent(&script, test);
    assert!(passed, "{said}");
    assert!(folder.path().join("was run").exists());
}

#[test]
fn a_variable_that_names_no_real_agent_fails_the_test_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path(),
        &folder.path().join("none"),
        Path::new("none"),
    ] {
        let test = "real_agent::a_real_agent_takes_more_arguments";
        let (passed, said) = run_with_agent(path, test);
        assert!(!passed, "{said}");
        let wanted = format!(
            "QGA_REAL_AGENT names {}, which is not a file",
            path.display()
        );
        assert!(said.contains(&wanted), "{said}");
    }
}
