//! What is shown of values that hold what passes through the channel.

use std::time::Duration;

use qga_core::frame::{Decoder, Frame};
use qga_core::{Connection, Options};

use crate::support::{Peer, echo};

/// As text, as numbers, and as base64.
const HORSE: [&str; 3] = ["horse", "104, 111, 114, 115, 101", "aG9yc2U"];

#[track_caller]
fn assert_hidden(shown: &str) {
    assert!(!HORSE.iter().any(|horse| shown.contains(horse)), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_shows_nothing_of_what_passes_through_it() {
    let (ours, theirs) = tokio::io::duplex(1024);
    let mut connection = Connection::new(ours);
    let options = Options::new().timeout(Duration::from_secs(1));
    let mut peer = Peer::over(theirs);
    let (echoed, ()) = tokio::join!(connection.execute(echo("horse"), &options), async {
        peer.sync().await;
        peer.answer_echo().await;
    });
    assert_eq!(echoed.unwrap(), "horse");
    assert_hidden(&format!("{connection:?} {connection:#?}"));
    // Now a request is on its way.
    connection
        .execute(echo("horse"), &options)
        .await
        .unwrap_err();
    assert_hidden(&format!("{connection:?}"));
}

#[test]
fn a_line_shows_how_long_it_is() {
    let bytes = b"horse";
    let frame = Frame {
        bytes,
        delimited: false,
    };
    let shown = format!("{frame:?}");
    assert_eq!(shown, "Frame { bytes: <5 bytes>, delimited: false }");
    let mut decoder = Decoder::new();
    decoder.spare()[..bytes.len()].copy_from_slice(bytes);
    decoder.filled(bytes.len());
    assert_hidden(&format!("{decoder:?}"));
}
