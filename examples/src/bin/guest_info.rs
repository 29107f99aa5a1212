//! The prebuilt commands: what a guest is, and where it can be reached.

use std::env;

use qga_commands::commands::agent::Info;
use qga_commands::commands::net::NetworkGetInterfaces;
use qga_commands::commands::os::GetOsInfo;
use qga_core::Client;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let client = Client::connect(address).await?;

    let info = client.execute(Info).await?;
    let enabled = info
        .supported_commands
        .iter()
        .filter(|command| command.enabled);
    println!("agent {} with {} commands", info.version, enabled.count());

    let os = client.execute(GetOsInfo).await?;
    match os.pretty_name {
        Some(name) => println!("running {name}"),
        None => println!("running a system that does not tell its name"),
    }

    for interface in client.execute(NetworkGetInterfaces).await? {
        for address in interface.ip_addresses.into_iter().flatten() {
            println!("{} {}", interface.name, address.ip_address);
        }
    }
    Ok(())
}
