//! A snapshot of a guest whose filesystems are at rest, and are thawed whatever happens, also at Ctrl-C.
//!
//! `snapshot_freeze unix:/run/vm1/qga.sock lvcreate --snapshot ...` runs the program while they are.

use std::process::ExitCode;
use std::time::Duration;
use std::{env, io};

use qga_commands::Guest;
use qga_commands::guest::freeze::WorkOutcome;
use qga_testserver::TestAgent;
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// Runs the program that takes the snapshot; without one, only pretends to.
async fn take_snapshot(program: &[String]) -> io::Result<bool> {
    let [program, arguments @ ..] = program else {
        tokio::time::sleep(Duration::from_millis(10)).await;
        return Ok(true);
    };
    let mut command = Command::new(program);
    let status = command.args(arguments).kill_on_drop(true).status().await?;
    Ok(status.success())
}

/// Waits for Ctrl-C, for what a service manager sends, or for the end of the terminal, and tells the exit code
/// that goes with it.
fn stop_signal() -> io::Result<impl Future<Output = u8>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => 128 + 2,
            _ = terminate.recv() => 128 + 15,
            _ = hangup.recv() => 128 + 1,
        }
    })
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let mut fake = None; // a fake agent, unless there is an address
    let address = match arguments.next() {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let program: Vec<_> = arguments.collect();
    let guest = Guest::connect(address).await?;

    let work = || take_snapshot(&program);
    let (outcome, thawed) = guest.while_frozen(work).until(stop_signal()?).await?;
    let thawed = thawed?;
    let taken = match outcome {
        WorkOutcome::Finished(taken) => taken?,
        WorkOutcome::Stopped(code) => {
            eprintln!("stopped; there is no snapshot, and the guest is thawed");
            return Ok(ExitCode::from(code));
        }
    };
    anyhow::ensure!(taken, "the program that takes the snapshot failed");
    if thawed.is_complete() {
        println!("the snapshot is consistent");
    } else {
        println!("the snapshot may not be consistent: {thawed:?}");
    }
    Ok(ExitCode::SUCCESS)
}
