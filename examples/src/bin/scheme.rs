//! A scheme of your own: `fake:` and `fake:guest.toml` lead to fake guests, wherever the program takes an address.

use std::collections::HashMap;
use std::env;
use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};

use qga_commands::Guest;
use qga_testserver::TestAgent;
use tokio::io::DuplexStream;

static FAKES: LazyLock<Mutex<HashMap<String, TestAgent>>> = LazyLock::new(Mutex::default);

/// Connects to the guest that a file describes, which is the same one each time.
async fn open_fake(file: String) -> io::Result<DuplexStream> {
    let mut fakes = FAKES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(agent) = fakes.get(&file) {
        return Ok(agent.connect());
    }
    let (agent, stream) = TestAgent::in_memory();
    if !file.is_empty() {
        agent.load_guest_file(&file)?;
    }
    fakes.insert(file, agent);
    Ok(stream)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "fake:".into());
    let guest = Guest::builder()
        .scheme("fake", open_fake)
        .connect(address)
        .await?;
    println!("{} answers", guest.host_name().await?);
    Ok(())
}
