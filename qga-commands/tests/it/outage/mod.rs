//! What operations say and do when the channel is lost and does not come back as it was.

#![cfg(unix)]

mod health;
mod power;
mod ready;
mod work;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_core::Client;
use qga_testserver::TestAgent;
use tokio::time::sleep;

use crate::support::faults::{Door, Line, lose, over_a_line_by};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

const REFUSED: Door = Door::Fails(io::ErrorKind::ConnectionRefused);
const SILENT: Door = Door::Silent(usize::MAX);

/// A guest whose client rests for two minutes and more after two failures.
async fn with_long_pauses() -> (Arc<TestAgent>, Line, Guest) {
    over_a_line_by(Client::builder().pauses(4 * MINUTE..=4 * MINUTE)).await
}

/// Loses the channel and lets the client pause, as other tasks' commands do.
async fn trip_the_pause(agent: &TestAgent, line: &Line, guest: &Guest) {
    lose(agent, line, guest, REFUSED).await;
    trip_the_pause_of(guest).await;
}

async fn trip_the_pause_of(guest: &Guest) {
    for _ in 0..3 {
        guest.client().execute(Ping).await.unwrap_err();
    }
}

async fn heals_after(line: &Line, time: Duration) {
    sleep(time).await;
    line.heals();
}
