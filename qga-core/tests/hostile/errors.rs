use qga_core::Error;
use qga_testserver::TestAgent;
use serde_json::{Value, json};

use crate::{Fault, GetHostName, guest, spoiled};

/// Escape sequences, a bell, a line of its own, a change of direction, and much of it.
fn evil() -> String {
    format!(
        "\u{1b}]0;pwned\u{7}\r\nroot#\u{202e}\u{9b}31m{}",
        "x".repeat(100_000)
    )
}

/// All that an error shows.
fn shown(error: &Error) -> Vec<String> {
    let mut shown = vec![error.to_string(), format!("{error:?}")];
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        shown.extend([source.to_string(), format!("{source:?}")]);
        below = source.source();
    }
    shown
}

fn assert_is_plain(error: &Error) {
    let messages = shown(error);
    for text in messages.iter().step_by(2) {
        assert!(
            !text.contains(char::is_control) && !text.contains('\u{202e}'),
            "{text}"
        );
        assert!(text.len() < 1500, "{} bytes: {text}", text.len());
    }
    // What is meant for a developer may be long, but is escaped too.
    for text in &messages {
        assert!(!text.contains(char::is_control), "{text}");
    }
}

async fn answered(answer: impl FnOnce(&TestAgent)) -> Error {
    let (agent, client) = guest().await;
    answer(&agent);
    client.execute(GetHostName).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_guests_text_is_escaped_and_cut_in_the_whole_chain_of_an_error() {
    let name = "guest-get-host-name";
    let error = answered(|agent| agent.on(name).error(&evil(), &evil())).await;
    assert_is_plain(&error);
    let values = [
        json!({"host-name": [evil()]}),
        json!({"host-name": {evil(): 1}}),
        json!(evil()),
        json!({evil(): evil()}),
    ];
    for value in values {
        let error = answered(|agent| agent.on(name).reply(value)).await;
        assert!(error.decode_error().is_some());
        assert_is_plain(&error);
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_no_reply_is_escaped_and_cut_in_its_error() {
    let line = evil().replace('\n', "");
    let error = spoiled(Fault::garbage(format!("{line}\n")))
        .await
        .unwrap_err();
    assert!(error.is_bad_reply());
    assert_is_plain(&error);
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_raw_command_is_escaped_and_cut() {
    let (_agent, client) = guest().await;
    let error = client.execute_raw(&evil(), Value::Null).await.unwrap_err();
    assert!(error.is_command_not_found());
    assert_is_plain(&error);
}
