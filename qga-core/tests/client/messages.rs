//! What somebody reads who sees only the first line of an error.

use std::time::Duration;

use qga_core::{Client, Error, Malformed, QgaCommand};
use serde::{Serialize, Serializer};
use serde_json::json;
use tokio::net::UnixListener;

use crate::support::{GetHostName, Ping, QUICK, pair, reply, synced_pair};

async fn connect_error(address: &str) -> Error {
    let connect = Client::builder().connect_timeout(Duration::from_millis(100));
    connect.connect(address).await.unwrap_err()
}

/// The first line tells it all: nothing that lies below repeats it.
#[track_caller]
fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
    let mut below = std::error::Error::source(error);
    while let Some(source) = below {
        assert!(!text.contains(&source.to_string()), "{source} is in {text}");
        below = source.source();
    }
}

#[tokio::test]
async fn a_failed_connect_names_the_address_and_the_reason() {
    let error = connect_error("localhost:80").await;
    assert_says(
        &error,
        &["connect", "\"localhost:80\"", "write tcp:localhost:80"],
    );

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| format!("{}/{name}", folder.path().display());
    let error = connect_error(&path("none")).await;
    assert_says(&error, &[&path("none"), "no such socket"]);
    std::fs::write(path("file"), "").unwrap();
    let error = connect_error(&path("file")).await;
    assert_says(&error, &[&path("file"), "no socket"]);
    drop(UnixListener::bind(path("old")).unwrap());
    let error = connect_error(&path("old")).await;
    assert_says(&error, &[&path("old"), "nobody listens", "left behind"]);
    let error = connect_error(&path(&"x".repeat(200))).await;
    assert_says(&error, &["xxx", "cannot be opened", "path must be shorter"]);
    let error = connect_error("tcp:127.0.0.1:1").await;
    assert_says(
        &error,
        &[
            "tcp:127.0.0.1:1",
            "nobody listens",
            "is the machine running",
        ],
    );
    let _listener = UnixListener::bind(path("live")).unwrap();
    std::fs::create_dir(path("live.lock")).unwrap();
    let locked = Client::builder().lock(true);
    let error = locked.connect(path("live")).await.unwrap_err();
    assert_says(&error, &[&path("live"), "lock file", "regular file"]);
}

#[tokio::test]
async fn an_address_is_escaped_where_it_is_shown() {
    let path = std::path::Path::new("/no/\u{1b}[2J\n/qga.sock");
    let error = Client::connect(path).await.unwrap_err();
    assert!(!error.to_string().contains(char::is_control), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_not_answered_suggests_a_new_connection_where_that_may_help() {
    let (client, _peer) = pair(1024);
    let error = client.execute(Ping).await.unwrap_err();
    assert_says(
        &error,
        &[
            "did not answer the sync within 10s",
            "a new connection may be answered",
        ],
    );
}

#[tokio::test]
async fn while_connecting_no_new_connection_is_suggested() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    let error = connect_error(path.to_str().unwrap()).await;
    assert_says(&error, &["did not answer the sync"]);
    assert!(!error.to_string().contains("new connection"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_does_not_fit_says_what_was_expected_and_where() {
    let cases = [
        (
            json!(7),
            "the reply, which is 7, does not fit: invalid type: integer `7`",
        ),
        (
            json!({"host-name": 7}),
            "the reply does not fit at `host-name`, which is 7: invalid type",
        ),
        (
            json!({"name": 7}),
            "the reply, which is {\"name\":7}, does not fit: missing field `host-name`",
        ),
    ];
    for (returned, words) in cases {
        let (client, mut peer) = synced_pair().await;
        let answer = async {
            let request = peer.request().await;
            peer.send(reply(&request, &returned)).await;
        };
        let (result, ()) = tokio::join!(client.execute(GetHostName), answer);
        let error = result.unwrap_err();
        assert_says(&error, &["guest-get-host-name: ", words]);
        let text = error.to_string();
        assert!(!text.contains("`.`") && !text.contains("column"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_no_reply_says_in_which_way_and_how_it_ends() {
    let (client, mut peer) = synced_pair().await;
    let (result, ()) = tokio::join!(client.execute(Ping), async {
        peer.request().await;
        peer.send(format!("{} and the reason\n", "x".repeat(100_000)))
            .await;
    });
    let error = result.unwrap_err();
    assert_says(
        &error,
        &["guest-ping: the reply is not JSON: xxx", "x and the reason"],
    );
    assert_eq!(Malformed::TooDeep.to_string(), "the reply nests too deep");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_long_text_of_an_agent_is_shown() {
    let (client, mut peer) = synced_pair().await;
    let desc = format!(
        "failed to open file '/{}' (mode: 'r'): File name too long",
        "a".repeat(4000)
    );
    let (result, ()) = tokio::join!(client.execute(Ping), async {
        let request = peer.request().await;
        let error = json!({"class": "GenericError", "desc": desc});
        peer.send(format!(
            "{{\"error\": {error}, \"id\": {}}}\n",
            request["id"]
        ))
        .await;
    });
    let error = result.unwrap_err();
    assert_says(
        &error,
        &[
            "failed to open file '/aaa",
            "(mode: 'r'): File name too long (GenericError)",
        ],
    );
}

#[tokio::test(start_paused = true)]
async fn arguments_that_do_not_serialize_say_why() {
    struct Broken;
    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the moon is full"))
        }
    }
    #[derive(QgaCommand)]
    #[qga(name = "acme-howl")]
    struct Howl {
        why: Broken,
    }
    let (client, _peer) = pair(1024);
    let client = client.with_options(QUICK);
    let error = client.execute(Howl { why: Broken }).await.unwrap_err();
    assert_says(
        &error,
        &["acme-howl: the arguments do not serialize: the moon is full"],
    );
}

#[tokio::test]
async fn an_unwrapped_error_is_called_error() {
    let error = connect_error("localhost:80").await;
    let shown = format!("{error:?}");
    assert!(shown.starts_with("Error { kind: Address("), "{shown}");
    assert!(!shown.contains("Inner"), "{shown}");
}
