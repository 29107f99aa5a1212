//! The domains of this host's libvirt and the state of their agents, and with the argument `events` what happens to them.

use std::env;

use qga_libvirt::Daemon;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let daemons = Daemon::local().await;
    if daemons.is_empty() {
        println!("this host has no libvirt daemon that this user may look at");
    }
    let mut count = 0;
    for daemon in &daemons {
        println!("{daemon}:");
        for domain in daemon.domains().await? {
            println!(
                "  {}: {:?}, agent {:?}",
                domain.name, domain.power, domain.agent
            );
            count += 1;
        }
    }
    println!("domains: {count}");

    if env::args().nth(1).is_some_and(|word| word == "events")
        && let Some(daemon) = daemons.first()
    {
        let mut events = daemon.events().await?;
        loop {
            match events.next().await {
                Ok(event) => println!("{}: {:?}", event.name, event.kind),
                Err(missed) => println!("{missed}"),
            }
        }
    }
    Ok(())
}
