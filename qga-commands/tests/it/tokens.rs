//! Processes that are found again by their tokens.

use std::time::Duration;

use qga_commands::guest::process::ProcessToken;
use qga_commands::{Guest, GuestError};
use qga_testserver::{Profile, TestAgent};

/// Another program that connects to the same guest.
fn another(agent: &TestAgent) -> Guest {
    Guest::new(qga_core::Client::new(agent.connect()))
}

fn job(agent: &TestAgent) {
    let program = agent.program("job").stdout("done\n").stderr("hm\n");
    program.after(Duration::from_secs(3)).exit(7);
}

/// Leaves a program running, as a program of its own would do it.
async fn left(agent: &TestAgent) -> String {
    job(agent);
    let token = another(agent).command("job").detach().await.unwrap();
    token.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_program_is_found_again_by_its_token_with_all_that_it_wrote() {
    let (agent, _) = TestAgent::in_memory();
    let token: ProcessToken = left(&agent).await.parse().unwrap();
    assert!(token.names_agent());
    let output = another(&agent)
        .attach(&token)
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        (&*output.stdout, &*output.stderr),
        (&b"done\n"[..], &b"hm\n"[..])
    );
    let told = another(&agent).attach(&token).await.unwrap().wait().await;
    let error = told.unwrap_err();
    assert!(matches!(error, GuestError::ResultLost { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_process_of_another_agent_is_not_taken_for_the_one_of_a_token() {
    for change in [TestAgent::restart, TestAgent::reboot] {
        let (agent, _) = TestAgent::in_memory();
        let old = left(&agent).await;
        change(&agent);
        // Whatever it is, it has the number by now.
        let (number, _) = old.split_once('@').unwrap();
        loop {
            let stranger = left(&agent).await;
            if stranger.starts_with(&format!("{number}@")) || agent.running_processes().len() > 3 {
                break;
            }
        }
        let asked = agent.requests_of("guest-exec-status").len();
        let attached = another(&agent).attach(&old.parse().unwrap()).await;
        let error = attached.unwrap_err();
        assert!(error.is_agent_gone(), "{error}");
        assert_eq!(agent.requests_of("guest-exec-status").len(), asked);
    }
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_does_not_tell_which_one_it_is_is_not_taken_for_the_one_of_a_token() {
    let (agent, _) = TestAgent::in_memory();
    let token: ProcessToken = left(&agent).await.parse().unwrap();
    agent.disable("guest-file-open");
    let error = another(&agent).attach(&token).await.unwrap_err();
    assert!(matches!(error, GuestError::Unsupported(_)), "{error}");
    let mut process = another(&agent).process(token.pid());
    assert_eq!(process.wait().await.unwrap().status.code(), Some(7));
}

#[tokio::test(start_paused = true)]
async fn where_no_agent_can_be_told_a_token_is_a_number() {
    let (agent, _) = TestAgent::in_memory();
    agent.profile(Profile::Windows);
    let token: ProcessToken = left(&agent).await.parse().unwrap();
    assert!(!token.names_agent());
    assert_eq!(token.to_string(), token.pid().to_string());
    let output = another(&agent)
        .attach(&token)
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn what_is_no_token_is_refused() {
    for text in [
        "",
        "x",
        "0",
        "-1",
        "1@",
        "1@-.-",
        "1@x",
        "@8f3a9c12e4b7d1a0.-",
        "1@8f3a9c12e4b7d1a0",
    ] {
        let error = text.parse::<ProcessToken>().unwrap_err();
        assert!(
            matches!(error, GuestError::InvalidInput(_)),
            "{text}: {error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_not_there_is_told_from_one_that_cannot_be_run() {
    let quoted = |reason: &str| {
        format!("Failed to execute child process \u{201c}/not found\u{201d} ({reason})")
    };
    let wrapped = format!(
        "Guest agent command failed, error was '{}'",
        quoted("No such file or directory")
    );
    for (said, is_missing, is_no_program) in [
        (quoted("No such file or directory"), true, false),
        (wrapped, true, false),
        (quoted("Permission denied"), false, true),
        (quoted("Exec format error"), false, true),
        (quoted("Cannot allocate memory"), false, false),
    ] {
        let (agent, _) = TestAgent::in_memory();
        agent.on("guest-exec").error("GenericError", &said);
        let error = another(&agent)
            .command("/not found")
            .detach()
            .await
            .unwrap_err();
        assert_eq!(error.is_no_such_program(), is_missing, "{said}");
        assert_eq!(error.is_not_executable(), is_no_program, "{said}");
    }
    let (agent, _) = TestAgent::in_memory();
    agent.disable("guest-exec");
    let error = another(&agent)
        .command("not found")
        .detach()
        .await
        .unwrap_err();
    assert!(
        !error.is_no_such_program() && !error.is_not_executable(),
        "{error}"
    );
}
