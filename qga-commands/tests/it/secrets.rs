//! A password is sent, and never shown.

use qga_commands::commands::exec::{Exec, ExecStatus, GuestExecStatus};
use qga_commands::commands::file::{FileRead, FileWrite, GuestFileRead};
use qga_commands::commands::user::SetUserPassword;
use qga_commands::{Bytes, Secret};
use qga_core::Client;
use qga_testserver::{Fault, On, TestAgent};
use serde_json::json;

const PASSWORD: &str = "correct horse battery";
const BASE64: &str = "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5";

#[track_caller]
fn assert_hidden(text: &str) {
    assert!(
        !text.contains("horse") && !text.contains("Y29ycmVj"),
        "{text}"
    );
}

fn shown(error: &qga_core::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text = format!("{text} {error} {error:?}");
        source = error.source();
    }
    text
}

/// All that is shown of a password's failure, with an agent that answers so.
#[allow(clippy::unwrap_used, reason = "it is to fail")]
async fn failure(answer: impl FnOnce(On<'_>)) -> String {
    let (agent, stream) = TestAgent::in_memory();
    answer(agent.on("guest-set-user-password").expect(1));
    let command = SetUserPassword::new("u", PASSWORD, false);
    shown(&Client::new(stream).execute(command).await.unwrap_err())
}

#[test]
fn debug_shows_no_password() {
    let secret = Secret::from(PASSWORD);
    assert_eq!(secret.expose(), PASSWORD.as_bytes());
    assert_eq!(format!("{secret:?} {secret:#?}"), "Secret Secret");
    let command = SetUserPassword::new("root", secret, false);
    let text = format!("{command:?} {command:#?}");
    assert!(text.contains("root"), "{text}");
    assert_hidden(&text);
}

/// As text, as numbers, and as base64.
#[track_caller]
fn assert_shown(value: &dyn std::fmt::Debug, expected: &str) {
    assert_eq!(format!("{value:?}"), expected);
    let pretty = format!("{value:#?}");
    assert_hidden(&pretty);
    assert!(!pretty.contains("104,\n"), "{pretty}");
}

#[test]
fn debug_shows_no_contents_and_no_environment() {
    let exec = Exec::new("cat")
        .arg(["-p", PASSWORD])
        .env([format!("TOKEN={PASSWORD}"), "HOME=/".to_owned()])
        .input_data(PASSWORD);
    assert_shown(
        &exec,
        "Exec { path: \"cat\", arg: Some(<2 items>), env: Some(<2 items>), \
         input_data: Some(<21 bytes>), capture_output: None }",
    );
    let write = FileWrite::new(1000, PASSWORD).count(3);
    assert_shown(
        &write,
        "FileWrite { handle: 1000, data: <21 bytes>, count: Some(3) }",
    );
    let read = format!(r#"{{"count": 21, "buf-b64": "{BASE64}", "eof": false}}"#);
    assert_shown(
        &serde_json::from_str::<GuestFileRead>(&read).unwrap(),
        "GuestFileRead { count: 21, data: <21 bytes>, eof: false }",
    );
    let status = format!(r#"{{"exited": true, "out-data": "{BASE64}", "err-data": "{BASE64}"}}"#);
    assert_shown(
        &serde_json::from_str::<GuestExecStatus>(&status).unwrap(),
        "GuestExecStatus { exited: true, exit_code: None, signal: None, \
         out_data: Some(<21 bytes>), err_data: Some(<21 bytes>), out_truncated: None, \
         err_truncated: None }",
    );
    assert_shown(&Bytes::from(PASSWORD.as_bytes().to_vec()), "<21 bytes>");
    let command = SetUserPassword::new("root", PASSWORD, false);
    assert_shown(
        &command,
        "SetUserPassword { username: \"root\", password: <hidden>, crypted: false }",
    );
}

#[tokio::test]
async fn a_password_travels_as_base64() {
    let (agent, stream) = TestAgent::in_memory();
    agent
        .on("guest-set-user-password")
        .expect(1)
        .reply(json!({}));
    let client = Client::new(stream);
    let command = SetUserPassword::new("root", PASSWORD, false);
    client.execute(command).await.unwrap();
    let request = &agent.requests_of("guest-set-user-password")[0];
    let expected = json!({"username": "root", "password": BASE64, "crypted": false});
    assert_eq!(request.arguments, expected);
}

#[tokio::test]
async fn an_error_shows_no_password() {
    let text = failure(|on| on.error("GenericError", "no such user")).await;
    assert!(text.contains("no such user"));
    assert_hidden(&text);
}

#[tokio::test]
async fn a_reply_that_does_not_decode_shows_no_password() {
    assert_hidden(&failure(|on| on.reply(json!([7]))).await);
}

#[tokio::test]
async fn a_broken_channel_shows_no_password() {
    assert_hidden(&failure(|on| on.fault(Fault::garbage("no json\n"))).await);
}

#[tokio::test]
async fn a_channel_that_echoes_shows_no_password() {
    let echo = format!("{{\"execute\": \"x\", \"arguments\": {{\"password\": \"{BASE64}\"}}}}\n");
    assert_hidden(&failure(|on| on.fault(Fault::garbage(echo))).await);
}

#[tokio::test]
async fn a_password_that_the_agent_returns_is_not_shown() {
    assert_hidden(&failure(|on| on.reply(json!([BASE64]))).await);
}

#[tokio::test]
async fn an_error_to_nobody_that_quotes_a_password_does_not_show_it() {
    let quoted = json!({"error": {"class": PASSWORD, "desc": BASE64}});
    assert_hidden(&failure(|on| on.fault(Fault::garbage(format!("{quoted}\n")))).await);
}

/// What is in a guest's files and what its programs read and write is nobody's business either.
#[tokio::test]
async fn what_files_and_programs_hold_is_in_no_error() {
    let stray = json!({"error": {"class": "GenericError",
        "desc": format!("JSON parse error, stray '{BASE64}'")}});
    let replies = [
        format!("{{\"return\": {{\"count\": 21, \"buf-b64\": \"{BASE64}\"\n"),
        format!("{{\"return\": {{\"out-data\": \"{BASE64}\"}}\n"),
        format!("{stray}\n"),
    ];
    for reply in replies {
        let (agent, stream) = TestAgent::in_memory();
        for name in ["read", "write"] {
            let name = format!("guest-file-{name}");
            agent.on(&name).fault(Fault::garbage(reply.clone()));
        }
        for name in ["guest-exec", "guest-exec-status"] {
            agent.on(name).fault(Fault::garbage(reply.clone()));
        }
        let client = Client::new(stream);
        let read = client.execute(FileRead::new(1000)).await.unwrap_err();
        let write = FileWrite::new(1000, PASSWORD);
        let write = client.execute(write).await.unwrap_err();
        let exec = client.execute(Exec::new("cat").input_data(PASSWORD));
        let exec = exec.await.unwrap_err();
        let status = client.execute(ExecStatus::new(1)).await.unwrap_err();
        for error in [read, write, exec, status] {
            assert_hidden(&shown(&error));
        }
    }
}
