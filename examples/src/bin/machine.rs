//! A machine by its agent and its monitor: a snapshot of its disk, and a reboot that is proven. It wants the addresses of
//! both, a disk and a new file; without them it is a fake one.

use std::env;

use qga_qmp::Machine;
use qga_testserver::TestMachine;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let words: Vec<_> = env::args().skip(1).collect();
    let mut fake = None; // a fake machine, unless there are addresses
    let (machine, disk, file) = if let [agent, monitor, disk, file] = &words[..] {
        let machine = Machine::connect(&**agent, &**monitor).await?;
        (machine, &**disk, &**file)
    } else {
        let fake = fake.insert(TestMachine::start().await);
        let (agent, monitor) = (fake.agent().address(), fake.monitor_address());
        let machine = Machine::connect(agent, monitor).await?;
        (machine, "drive0", "/vm/disk-2.qcow2")
    };
    machine.ready().await?;
    let snapshot = machine.snapshot().disk(disk, file).await?;
    for copy in &snapshot.disks {
        println!(
            "{} is at rest, and {} is written to",
            copy.at_rest, copy.file
        );
    }
    println!(
        "the guest was frozen for {:?}",
        snapshot.frozen_for.unwrap_or_default()
    );
    let ending = machine.reboot().await?;
    println!("{} ({})", ending.outcome, ending.proof);
    Ok(())
}
