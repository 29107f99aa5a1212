//! Arguments, optional ones, bytes, and errors: writes a file into the guest.

use std::env;

use qga_core::{Client, Empty, QgaCommand};
use qga_testserver::TestAgent;
use serde::Deserialize;

#[derive(QgaCommand)]
#[qga(name = "guest-file-open", response = i64)]
struct FileOpen<'a> {
    path: &'a str,
    mode: Option<&'a str>, // left out when `None`
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-write", response = Written)]
struct FileWrite<'a> {
    handle: i64,
    #[qga(base64, rename = "buf-b64")]
    bytes: &'a [u8],
}

#[derive(Deserialize)]
struct Written {
    count: u64,
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-close", response = Empty)]
struct FileClose {
    handle: i64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut fake = None; // a fake agent, unless there is an address
    let address = match env::args().nth(1) {
        Some(address) => address,
        None => fake.insert(TestAgent::start().await).address(),
    };
    let client = Client::connect(address).await?;

    let path = env::args().nth(2);
    let path = path.as_deref().unwrap_or("/tmp/qga-example.txt");
    let mode = Some("w");
    let handle = client.execute(FileOpen { path, mode }).await?;
    let bytes = b"written through the guest agent\n";
    let written = client.execute(FileWrite { handle, bytes }).await?;
    client.execute(FileClose { handle }).await?;
    println!("wrote {} bytes to {path}", written.count);

    let path = "/no/such/file";
    match client.execute(FileOpen { path, mode: None }).await {
        Ok(handle) => println!("opened {path} as {handle}"),
        Err(error) if error.is_command_not_found() => println!("the agent opens no files"),
        Err(error) => match error.agent_error() {
            Some(refusal) => println!("refused: {}", refusal.desc),
            None => return Err(error.into()), // the channel, not the guest
        },
    }
    Ok(())
}
