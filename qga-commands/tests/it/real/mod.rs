//! A real agent, where one is installed.

mod commands;
mod copy;
mod copy_resume;
mod files;
mod incarnation;
mod machine;
mod process;
mod streaming;

use qga_commands::Guest;
use qga_commands::capabilities::Capabilities;
use qga_testserver::real_agent::RealAgent;

/// `None`, and a line that says so, where none is installed.
pub(crate) async fn guest() -> Option<(RealAgent, Guest)> {
    let agent = real_agents::start(&[]).await?;
    let guest = Guest::connect(agent.address()).await.unwrap();
    Some((agent, guest))
}

/// As [`guest`], and `None` and a line too where the agent's version lacks the command.
pub(crate) async fn guest_with(command: &str) -> Option<(RealAgent, Guest)> {
    let (agent, guest) = guest().await?;
    let capabilities = Capabilities::ask(guest.client()).await.unwrap();
    let found = capabilities.knows(command);
    real_agents::has(&agent, command, found).then_some((agent, guest))
}
