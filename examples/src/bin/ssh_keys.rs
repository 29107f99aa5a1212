//! Lets somebody log in to the guest over SSH, and shows who may.

use std::env;

use qga_commands::Guest;
use qga_testserver::TestAgent;

/// As in a `.pub` file.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@example.org";

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let guest = Guest::connect(address).await?;

    let keys = guest.ssh_keys("root");
    keys.add([KEY]).await?;
    for key in keys.list().await? {
        println!("{key}");
    }
    keys.remove([KEY]).await?;
    Ok(())
}
