//! What a hostile guest can try. `SECURITY.md` lists it, with the tests that show what happens.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod errors;
#[cfg(target_os = "linux")]
mod idle;
#[cfg(target_os = "linux")]
mod memory;
mod page;
mod replies;

use std::time::Duration;

use qga_core::{Client, Error, Options, QgaCommand};
use qga_testserver::{Fault, TestAgent};
use serde::Deserialize;
use tokio::time::Instant;

const LIMIT: Duration = Duration::from_secs(10);

#[derive(QgaCommand)]
#[qga(name = "guest-ping")]
struct Ping;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct HostName {
    host_name: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", response = HostName)]
struct GetHostName;

/// The guest in memory, and a client that has synchronized with it.
async fn guest() -> (TestAgent, Client) {
    let (agent, stream) = TestAgent::in_memory();
    let client = Client::builder()
        .options(Options::new().timeout(LIMIT))
        .build(stream);
    client.execute(Ping).await.unwrap();
    (agent, client)
}

/// What a command comes to whose reply is spoiled so. It ends in time, and the next command works.
async fn spoiled(fault: Fault) -> Result<HostName, Error> {
    let (agent, client) = guest().await;
    agent.fault(fault);
    let result = in_time(client.execute(GetHostName)).await;
    client.execute(Ping).await.unwrap();
    result
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    let start = Instant::now();
    let result = future.await;
    assert!(start.elapsed() <= LIMIT + Duration::from_millis(3));
    result
}
