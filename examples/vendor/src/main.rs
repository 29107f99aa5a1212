//! Starts a backup in a guest and asks how it fares.

use anyhow::Result;
use qga_core::Client;
use qga_testserver::TestAgent;
use serde_json::json;
use vendor_commands::commands::backup::{AcmeBackup, GetBackups, StartBackup};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (agent, stream) = TestAgent::in_memory();
    agent.on("acme-start-backup").reply(json!({}));
    agent
        .on("acme-get-backups")
        .reply(json!([{"volume": "data", "type": "full", "percent": 7}]));

    let client = Client::new(stream);
    for backup in back_up(&client, "data").await? {
        println!(
            "{}: {} backup, {} %",
            backup.volume, backup.kind, backup.percent
        );
    }
    Ok(())
}

async fn back_up(client: &Client, volume: &str) -> Result<Vec<AcmeBackup>> {
    let start = StartBackup::new(volume).note("before the upgrade");
    client.execute(start).await?;
    Ok(client.execute(GetBackups).await?)
}
