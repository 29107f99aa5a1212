//! What a file costs in a copy of many small ones, with checksums, to real guests and from them, and to a real agent on
//! this host.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin trees -- [FILES] [BYTES]`: so many files of so many bytes
//! each, 1,000 of 1,024 unless said. The machines need root.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use qga_commands::Guest;
use qga_commands::guest::ready::Ready;
use qga_testserver::real_agent::RealAgent;
use qga_vm::{Image, Vm};

/// How often each is measured; the fastest counts.
const ROUNDS: u32 = 3;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let files = arguments.next().map_or(Ok(1_000), |text| text.parse())?;
    let bytes = arguments.next().map_or(Ok(1_024), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    make(&folder.path().join("tree"), files, bytes)?;
    println!("{files} files of {bytes} bytes; milliseconds a file");
    println!("{:8} {:>6} {:>6}", "guest", "up", "down");
    for image in [Image::Busybox, Image::Debian] {
        image.build()?;
        let vm = Vm::of(image).start().await?;
        let guest = Guest::connect(vm.address()).await?;
        let ready = Ready::ping().timeout(Duration::from_secs(220));
        guest.wait_ready(&ready).await?;
        measure(image.name(), &guest, folder.path(), "/var", files).await?;
    }
    let agent = RealAgent::start_with(&["-b", "guest-shutdown,guest-fsfreeze-freeze"]).await?;
    let guest = Guest::connect(agent.address()).await?;
    let there = folder.path().display().to_string();
    measure("none", &guest, folder.path(), &there, files).await
}

fn make(tree: &Path, files: u32, bytes: usize) -> std::io::Result<()> {
    for number in 0..files {
        let folder = tree.join((number / 100).to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(number.to_string()), format!("{number:bytes$}"))?;
    }
    Ok(())
}

async fn measure(
    name: &str,
    guest: &Guest,
    here: &Path,
    there: &str,
    files: u32,
) -> Result<(), Failure> {
    let mut best = [Duration::MAX; 2];
    for round in 0..ROUNDS {
        let there = format!("{there}/up{round}");
        let copies = [
            guest.upload(here.join("tree"), &there),
            guest.download(&there, here.join(format!("{name}{round}"))),
        ];
        for (copy, best) in copies.into_iter().zip(&mut best) {
            let begun = Instant::now();
            copy.verify(true).await?;
            *best = begun.elapsed().min(*best);
        }
    }
    let [up, down] = best.map(|time| time.as_secs_f64() * 1e3 / f64::from(files));
    println!("{name:8} {up:6.2} {down:6.2}");
    Ok(())
}
