//! Clients for guests that are slow or come late.

use std::time::Duration;

use qga_commands::Guest;
use qga_core::Options;
use serde_json::json;

use crate::machine::Machine;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// Long enough for what goes on by itself, and short enough to wait for what does not come.
pub(crate) const BRIEF: Duration = Duration::from_millis(700);

pub(crate) fn patience() -> Options {
    Options::new().timeout(3 * MINUTE)
}

pub(crate) async fn patient(machine: &Machine) -> Guest {
    let builder = Guest::builder().connect_timeout(MINUTE).options(patience());
    builder.connect(machine.address()).await.unwrap()
}

pub(crate) fn with_timeout(guest: &Guest, timeout: Duration) -> Guest {
    let client = guest.client();
    Guest::new(client.with_options(client.options().timeout(timeout)))
}

/// Asks for a number, and looks whether the answer is its own.
pub(crate) async fn assert_own_reply(guest: &Guest, number: i64) {
    let arguments = json!({"id": number});
    let reply = guest.client().execute_raw("guest-sync", arguments).await;
    assert_eq!(reply.unwrap(), number);
}
