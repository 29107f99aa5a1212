//! A command of your own: its name on the wire, and what the agent answers.

use std::env;

use qga_core::{Client, QgaCommand};
use qga_testserver::TestAgent;
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
    let agent = TestAgent::start().await; // a fake one, so that this runs anywhere
    let address = env::args().nth(1).unwrap_or(agent.address()); // yours: "unix:/run/vm1/qga.sock"
    let client = Client::connect(address).await?;
    let host = client.execute(GetHostName).await?;
    println!("{}", host.host_name);
    Ok(())
}
