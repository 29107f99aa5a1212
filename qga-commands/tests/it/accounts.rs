//! Passwords, which are set and never shown, and who is logged in.

use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::faults::{TIMEOUT, can_be_done_again};
use qga_commands::commands::user::GuestUser;
use qga_commands::{Guest, GuestError, Secret};
use qga_core::{Client, Execution};
use qga_testserver::{Login, Profile, TestAgent};

const PASSWORD: &str = "correct horse";
const BASE64: &str = "Y29ycmVjdCBob3JzZQ==";

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

fn password(agent: &TestAgent) -> Option<(String, bool)> {
    let guest = agent.guest();
    let password = guest.account("root").unwrap().password.clone()?;
    Some((password.text, password.crypted))
}

/// All that anybody can print of an error.
fn shown(error: &GuestError) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text} {error} {error:?}");
        source = error.source();
    }
    text
}

#[tokio::test(start_paused = true)]
async fn a_password_is_set_as_it_is_or_as_a_hash() {
    let (agent, guest) = guest();
    guest.set_password("root", "a:b ü").await.unwrap();
    assert_eq!(password(&agent), Some(("a:b ü".to_owned(), false)));
    let hash = "$6$salt$hash";
    guest
        .set_password_hash("root", String::from(hash))
        .await
        .unwrap();
    assert_eq!(password(&agent), Some((hash.to_owned(), true)));
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_would_refuse_or_cut_is_not_sent() {
    let (agent, guest) = guest();
    let mut errors = Vec::new();
    for user in ["", "a:b", "root\n", "root\r", "ro\0ot"] {
        errors.push(guest.set_password(user, PASSWORD).await.unwrap_err());
    }
    for password in ["two\nlines", "two\rlines", "cut\0here"] {
        errors.push(guest.set_password("root", password).await.unwrap_err());
        errors.push(guest.set_password_hash("root", password).await.unwrap_err());
    }
    for hash in ["", "a:b"] {
        errors.push(guest.set_password_hash("root", hash).await.unwrap_err());
    }
    for error in errors {
        assert!(matches!(error, GuestError::InvalidInput(_)), "{error}");
        assert_eq!(error.execution(), Execution::NotRun);
    }
    assert!(agent.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_agent_says_is_shown() {
    let (agent, guest) = guest();
    agent.profile(Profile::Qemu10_0);
    let error = guest.set_password("nobody", PASSWORD).await.unwrap_err();
    let said = error.command_error().unwrap().agent_error().unwrap();
    assert!(said.desc.contains("(user nobody) pam_chauthtok() failed"));
    let shown = shown(&error);
    assert!(!shown.contains("horse"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn words_of_the_agent_with_the_password_are_withheld() {
    let (agent, guest) = guest();
    for said in [PASSWORD, BASE64, "root:correct horse: bad line"] {
        for (text, class) in [(said, "GenericError"), ("no", said)] {
            agent
                .on("guest-set-user-password")
                .expect(1)
                .error(class, text);
            let error = guest.set_password("root", PASSWORD).await.unwrap_err();
            assert!(matches!(error, GuestError::Withheld { .. }), "{error:?}");
            assert_eq!(error.execution(), Execution::Answered);
            let shown = shown(&error);
            assert!(shown.contains("guest-set-user-password"), "{shown}");
            assert!(
                !shown.contains("horse") && !shown.contains("Y29y"),
                "{shown}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_no_text_is_withheld_by_its_pieces() {
    let (agent, guest) = guest();
    agent
        .on("guest-set-user-password")
        .expect(1)
        .error("GenericError", "bad line: \u{fffd}\u{fffd}tail");
    let password = Secret::from(b"\xf0\x9ftail".to_vec());
    let error = guest.set_password("root", password).await.unwrap_err();
    assert!(matches!(error, GuestError::Withheld { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_password_withholds_nothing() {
    let (agent, guest) = guest();
    agent
        .on("guest-set-user-password")
        .expect(1)
        .error("GenericError", "too short");
    let error = guest.set_password("root", "").await.unwrap_err();
    assert!(shown(&error).contains("too short"));
}

#[tokio::test(start_paused = true)]
async fn no_password_is_set_while_frozen() {
    let (agent, guest) = guest();
    let frozen = guest.freeze().await.unwrap();
    let error = guest.set_password("root", PASSWORD).await.unwrap_err();
    assert!(matches!(error, GuestError::Frozen { .. }), "{error}");
    frozen.thaw().await.unwrap();
    assert!(password(&agent).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_password_can_be_set_again_after_any_fault() {
    can_be_done_again(
        3 * TIMEOUT,
        |_| {},
        async |guest: &Guest| guest.set_password("root", PASSWORD).await,
        |agent| password(agent).is_some(),
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn users_come_by_name_with_their_login() {
    let (agent, guest) = guest();
    agent.edit_guest(|guest| {
        guest.logins = vec![
            Login::new("zoe", 1.5),
            Login::new("amy", -2.0),
            Login::new("eve", 1e300),
            Login::new("bob", -1e300),
        ];
    });
    let users = guest.users().await.unwrap();
    let names: Vec<_> = users.iter().map(|user| user.user.as_str()).collect();
    assert_eq!(names, ["amy", "bob", "eve", "zoe"]);
    let logins: Vec<_> = users.iter().map(GuestUser::logged_in_at).collect();
    let late = UNIX_EPOCH + Duration::from_millis(1500);
    let early = UNIX_EPOCH.checked_sub(Duration::from_secs(2));
    assert_eq!(logins, [early, None, None, Some(late)]);
}
