use std::io::{ErrorKind, Write as _};

use qga_testserver::real_agent::RealAgent;
use tokio::net::UnixStream;

use crate::wire::Wire;

/// A private agent; none where none is installed, unless the environment says that it must be.
pub(crate) async fn real_agent() -> Option<RealAgent> {
    match RealAgent::start().await {
        Ok(agent) => Some(agent),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "no qemu-ga for the tests");
            // Not `eprintln!`, which the harness keeps to itself while a test passes.
            let _ = writeln!(
                std::io::stderr(),
                "a test is left out: no qemu-ga is installed"
            );
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_real_agent_answers_a_ping_and_is_gone_after_the_drop() {
    let Some(agent) = real_agent().await else {
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
    let Ok(agent) = RealAgent::start_with(&["-b", "guest-exec"]).await else {
        return;
    };
    let mut client = Wire::new(UnixStream::connect(agent.path()).await.unwrap());
    let reply = client.ask("{\"execute\":\"guest-exec\"}").await;
    assert!(
        reply.contains("Command guest-exec has been disabled"),
        "{reply}"
    );
}

#[tokio::test]
async fn an_agent_that_does_not_start_is_an_error() {
    if real_agent().await.is_none() {
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
