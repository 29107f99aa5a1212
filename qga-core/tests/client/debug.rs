//! What is shown of values that hold what passes through the channel.

use crate::support::{echo, pair};

/// As text, as numbers, and as base64.
const HORSE: [&str; 3] = ["horse", "104, 111, 114, 115, 101", "aG9yc2U"];

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!HORSE.iter().any(|horse| shown.contains(horse)), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_client_and_its_commands_show_nothing_of_what_passes_through() {
    let (client, mut peer) = pair(1024);
    let (echoed, ()) = tokio::join!(client.execute(echo("horse")), async {
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(echoed.unwrap(), "horse");
    assert_hidden(&format!("{client:?} {client:#?}"));
    let mut command = client.execute(echo("horse"));
    assert_hidden(&format!("{command:?}"));
    // Now the request is on its way.
    tokio::select! {
        answer = &mut command => panic!("{answer:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_hidden(&format!("{command:?}"));
}
