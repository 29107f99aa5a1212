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
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let client = Client::connect(address).await?;
    let host = client.execute(GetHostName).await?;
    println!("{}", host.host_name);
    Ok(())
}
