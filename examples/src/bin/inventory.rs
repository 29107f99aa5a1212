//! An inventory of many guests: all that are named on the command line, at most 64 at a time.

use std::env;
use std::time::Duration;

use qga_commands::Fleet;
use qga_commands::guest::GuestFacts;
use qga_testserver::{Fault, TestAgent};

#[tokio::main]
async fn main() {
    let mut fakes = Vec::new(); // a few fake agents, unless there are addresses
    let mut addresses: Vec<String> = env::args().skip(1).collect();
    if addresses.is_empty() {
        fakes = start_fakes().await;
        addresses = fakes.iter().map(TestAgent::address).collect();
    }
    let fleet = Fleet::new(addresses).per_guest(Duration::from_secs(2));
    let mut run = fleet.facts();
    while let Some(guest) = run.next().await {
        match guest.result {
            Ok(facts) => println!("{} ({:.0?})", line(facts), guest.took),
            Err(error) => println!("{}: {error}", guest.name),
        }
    }
    println!("{}", run.summary());
    drop(fakes);
}

fn line(facts: GuestFacts) -> String {
    let unknown = || "?".to_owned();
    let name = facts.host_name.unwrap_or_else(unknown);
    let system = facts
        .os
        .and_then(|os| os.pretty_name)
        .unwrap_or_else(unknown);
    let addresses = facts.addresses.unwrap_or_default();
    let best = addresses
        .first()
        .map_or_else(unknown, |best| best.ip.to_string());
    let agent = facts.agent_version.unwrap_or_else(unknown);
    format!("{name}: {system}, {best}, agent {agent}")
}

/// Ten guests, one of which hangs.
async fn start_fakes() -> Vec<TestAgent> {
    let mut fakes = Vec::new();
    for _ in 0..10 {
        fakes.push(TestAgent::start().await);
    }
    for (number, fake) in fakes.iter().enumerate() {
        fake.edit_guest(|guest| guest.host_name = format!("vm{number}"));
        if number == 3 {
            fake.on("guest-info").fault(Fault::no_answer());
        }
    }
    fakes
}
