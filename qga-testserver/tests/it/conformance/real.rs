//! The cases once more, on a real agent, where one is installed.

use std::sync::Arc;

use qga_testserver::real_agent::RealAgent;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::task::{LocalSet, spawn_local};

use super::*;

/// How many agents share the cases, most of whose time is spent in hearing that nothing comes.
const AGENTS: usize = 8;

struct Real {
    agent: Arc<RealAgent>,
    folder: TempDir,
}

impl Agent for Real {
    fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    async fn connect(&self) -> Box<dyn Channel> {
        Box::new(UnixStream::connect(self.agent.path()).await.unwrap())
    }
}

/// Whether a case leaves this machine as it is.
fn is_harmless(case: &Value) -> bool {
    let text = case["steps"].to_string();
    let harmful = ["guest-set-", "guest-ssh-", "guest-fsfreeze-thaw"];
    case["frozen"] != true && !harmful.iter().any(|command| text.contains(command))
}

/// Runs every so many cases, beginning with this one; the names of those that failed.
async fn run_some(version: &'static str, first: usize) -> Vec<String> {
    let shared = Arc::new(real_agents::start(&[]).await.unwrap());
    let mut failed = Vec::new();
    for line in CASES.lines().skip(first).step_by(AGENTS) {
        let case: Value = serde_json::from_str(line).unwrap();
        if is_harmless(&case) {
            let name = format!("{} {}", case["id"], case["title"]);
            let run = run(version, case, Arc::clone(&shared));
            if spawn_local(run).await.is_err() {
                failed.push(name);
            }
        }
    }
    failed
}

async fn run(version: &'static str, case: Value, shared: Arc<RealAgent>) {
    let agent = match case["block"].as_str() {
        Some(command) => Arc::new(real_agents::start(&[command]).await.unwrap()),
        None => shared,
    };
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::of(Real { agent, folder }, version).await;
    run.case(&case).await;
}

#[tokio::test]
async fn a_real_agent_answers_as_was_recorded() {
    let Some(agent) = real_agents::start(&[]).await else {
        return;
    };
    let of_version = |(version, _): &(&str, _)| agent.version().starts_with(&format!("{version}."));
    let Some((version, _)) = RECORDED.into_iter().find(of_version) else {
        real_agents::leave_out(&agent, "nothing was recorded of it");
        return;
    };
    let all = async {
        let parts: Vec<_> = (0..AGENTS)
            .map(|first| spawn_local(run_some(version, first)))
            .collect();
        let mut failed = Vec::new();
        for part in parts {
            failed.extend(part.await.unwrap());
        }
        failed
    };
    let failed = LocalSet::new().run_until(all).await;
    assert!(
        failed.is_empty(),
        "qemu-ga {} does not answer as recorded: {failed:#?}",
        agent.version()
    );
}
