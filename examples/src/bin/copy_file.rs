//! A file copied into the guest, and out of it again.

use std::env;

use qga_commands::Guest;
use qga_testserver::TestAgent;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut fake = None; // a fake agent, unless there is an address
    let address = if let Some(address) = arguments.next() {
        address
    } else {
        let fake = fake.insert(TestAgent::start().await);
        fake.address()
    };
    let guest = Guest::connect(address).await?;

    let remote = arguments.next().unwrap_or("/tmp/greeting".to_owned());
    let folder = tempfile::tempdir()?;
    let (local, copy) = (folder.path().join("greeting"), folder.path().join("copy"));
    std::fs::write(&local, "hello from the host\n")?;

    guest.upload(&local, &remote).verify(true).await?;
    let copied = guest
        .download(&remote, &copy)
        .progress(|now| println!("{} of {} bytes", now.bytes, now.total))
        .await?;
    println!("copied {} bytes from {remote}", copied.bytes);
    Ok(())
}
