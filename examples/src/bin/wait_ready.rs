//! Waiting until a guest that boots has a name, or saying what is missing.

use std::env;
use std::time::Duration;

use qga_commands::guest::ready::Ready;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };

    let ready = Ready::ping()
        .command("guest-file-open")
        .then(|guest| async move {
            if guest.read("/etc/hostname").await?.is_empty() {
                return Err("it has no name yet".into());
            }
            Ok(())
        })
        .timeout(Duration::from_secs(120));
    let guest = ready.connect(address).await?;
    println!("{} is ready", guest.host_name().await?);
    Ok(())
}
