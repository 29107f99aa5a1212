//! A command of your own: its name on the wire, and what the agent answers.

use qga_core::{Client, QgaCommand};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct HostName {
    host_name: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", response = HostName)]
struct GetHostName;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let agent = examples::agent().await; // your machine's socket, or a fake agent
    let client = Client::connect(agent.address()).await?;
    let host = client.execute(GetHostName).await?;
    println!("{}", host.host_name);
    Ok(())
}
