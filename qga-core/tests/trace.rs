//! What a subscriber hears, and what it never does.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use qga_core::{Client, QgaCommand};
use qga_testserver::TestAgent;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down all that it hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Heard {
    fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Visit for Heard {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut text = self.0.lock().unwrap();
        write!(text, "{field}={value:?};").unwrap();
    }
}

impl Subscriber for Heard {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.0.lock().unwrap().push_str("\nspan ");
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push_str("\nevent ");
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(QgaCommand)]
#[qga(name = "guest-set-user-password", secret_reply)]
struct SetPassword<'a> {
    username: &'a str,
    #[qga(base64)]
    password: &'a str,
    crypted: bool,
}

#[derive(QgaCommand)]
#[qga(name = "guest-file-read", response = i64)]
struct ReadAsNumber {
    handle: i64,
}

#[derive(QgaCommand)]
#[qga(name = "guest-get-host-name", response = Value, retry = Safe)]
struct GetHostName;

const SECRETS: [&str; 7] = [
    "s3cret-password",
    "czNjcmV0LXBhc3N3b3Jk",
    "a-user",
    "the-content",
    "/a/path",
    "agents-words",
    "\u{1b}",
];

#[tokio::test]
async fn spans_tell_names_and_sizes_and_never_what_was_said() {
    let heard = Heard::default();
    let _listening = tracing::subscriber::set_default(heard.clone());
    let (agent, stream) = TestAgent::in_memory();
    agent
        .on("guest-file-read")
        .reply(json!({"count": 1, "buf-b64": "the-content", "eof": true}));
    agent
        .on("guest-file-open")
        .error("GenericError", "agents-words \u{1b}[31m /a/path");
    let client = Client::new(stream);
    let (username, crypted) = ("a-user", false);
    let password = "s3cret-password";
    let set = SetPassword {
        username,
        password,
        crypted,
    };
    drop(client.execute(set).await);
    client
        .execute(ReadAsNumber { handle: 1 })
        .await
        .unwrap_err();
    let open = client.execute_raw("guest-file-open", json!({"path": "/a/path"}));
    open.await.unwrap_err();
    client.execute(GetHostName).await.unwrap();
    let mut pipeline = client.pipeline([GetHostName]);
    pipeline.next().await.unwrap().unwrap();
    client
        .execute_raw("bad\u{1b}[2Jname", Value::Null)
        .await
        .unwrap_err();

    let text = heard.text();
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret:?} in {text}");
    }
    for told in [
        "message=synchronizing;",
        "message=synchronized;",
        "command=guest-set-user-password;",
        "outcome=\"reply does not fit\";stage=\"decode\";execution=\"answered\";",
        "outcome=\"agent error\";stage=\"receive\";",
        "outcome=\"ok\";",
        "request_bytes=",
        "reply_bytes=",
        "duration_us=",
        r"command=bad\u{1b}[2Jname;",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }
    assert_eq!(text.matches("command=guest-get-host-name;").count(), 2);
    assert_eq!(text.matches("duration_us=").count(), 6, "{text}");
}
