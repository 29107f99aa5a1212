//! Without a runtime: a blocking client, with commands that are ready made.

use std::env;

use qga_commands::commands::os::{GetHostName, GetOsInfo};
use qga_core::blocking::Client;
use qga_testserver::TestAgent;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new()?; // for the fake agent only
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(runtime.block_on(TestAgent::start())).address(),
    };
    let client = Client::connect(address)?;
    let host = client.execute(GetHostName)?;
    let os = client.execute(GetOsInfo)?;
    println!(
        "{} runs {}",
        host.host_name,
        os.pretty_name.unwrap_or_default()
    );
    Ok(())
}
