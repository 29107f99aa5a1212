//! Whether a machine runs, and what happens to it until it is off. It wants the address of the machine's monitor.

use std::env;

use anyhow::Context;
use qga_qmp::commands::status::{QueryName, QueryStatus};
use qga_qmp::{EventKind, Monitor};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = env::args().nth(1);
    let address = address.context("which machine? Say unix:/run/vm1/qmp.sock, for example")?;
    let monitor = Monitor::connect(address).await?;
    // What happens from now on is told, so the state is asked for afterwards.
    let mut events = monitor.events();
    let name = monitor.execute(QueryName).await?.name.unwrap_or_default();
    let status = monitor.execute(QueryStatus).await?.status;
    println!("machine {name:?}: {status}");
    while let Some(event) = events.next().await {
        match event {
            Ok(event) if matches!(event.kind, EventKind::Shutdown(_)) => {
                println!("{:?}", event.kind);
                break;
            }
            Ok(event) => println!("{:?}", event.kind),
            Err(missed) => println!("{missed}"),
        }
    }
    Ok(())
}
