//! Errors as somebody reads them who sees only the top line, and as a program prints the whole chain.

use std::error::Error as _;
use std::time::Duration;

use qga_commands::commands::os::GetHostName;
use qga_commands::guest::copy::CopyFault;
use qga_commands::guest::process::KillOutcome;
use qga_commands::guest::ready::Ready;
use qga_commands::{Guest, GuestError};
use qga_core::{Address, Client, Options};
use qga_testserver::{Fault, Profile, TestAgent};

/// An agent that refuses to tell its name, and answers no ping.
async fn agent() -> (TestAgent, Guest) {
    let agent = TestAgent::start().await;
    agent
        .on("guest-get-host-name")
        .error("GenericError", "no name");
    let client = Client::connect(agent.address()).await.unwrap();
    (agent, Guest::new(client))
}

async fn command_error() -> (String, qga_core::Error) {
    let (_agent, guest) = agent().await;
    let error = guest.client().execute(GetHostName).await.unwrap_err();
    (error.to_string(), error)
}

/// What a program such as anyhow prints of the whole chain, piece by piece.
fn chain(error: &dyn std::error::Error) -> Vec<String> {
    let mut pieces = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        pieces.push(error.to_string());
        source = error.source();
    }
    pieces
}

fn assert_says_nothing_twice(error: &dyn std::error::Error) {
    let pieces = chain(error);
    for (number, piece) in pieces.iter().enumerate() {
        let before = &pieces[..number];
        assert!(
            !before.iter().any(|said| said.contains(piece)),
            "{pieces:?}"
        );
    }
}

#[tokio::test]
async fn a_command_that_failed_says_which_where_and_why() {
    let (agent, guest) = agent().await;
    let error = guest.host_name().await.unwrap_err();
    let address = agent.address();
    let text = format!("guest-get-host-name at {address}: no name (GenericError)");
    assert_eq!(error.to_string(), text);
    assert_eq!(chain(&error), [text]);
    let error = Guest::connect("unix:/no/such/socket").await.unwrap_err();
    let pieces = chain(&error);
    assert!(pieces[0].starts_with("connect at unix:/no/such/socket: there is no such socket"));
    assert_eq!(pieces.len(), 2, "{pieces:?}");
    assert!(pieces[1].contains("No such file"), "{pieces:?}");
}

#[tokio::test]
async fn what_went_wrong_below_ends_the_top_line_and_is_not_said_again() {
    let (said, source) = command_error().await;
    let not_utf8 = String::from_utf8(b"ab\xFF".to_vec())
        .unwrap_err()
        .utf8_error();
    let local = std::io::Error::other("the disk is full");
    let command = async || GuestError::Command(command_error().await.1);
    let boxed = async || Box::new(command().await);
    let fault = |fault| (String::from("/srv/site"), Box::new(fault));
    let execution = qga_core::Execution::NotRun;
    let copy = |(path, fault)| GuestError::Copy {
        path,
        fault,
        execution,
    };
    let errors = [
        GuestError::Command(source),
        GuestError::MaybeFrozen {
            source: command_error().await.1,
        },
        GuestError::Wait {
            pid: 1000,
            source: boxed().await,
        },
        GuestError::ResultLost {
            pid: 1000,
            source: command_error().await.1,
        },
        GuestError::Partial {
            done: 1,
            of: 2,
            source: boxed().await,
        },
        copy(fault(CopyFault::Guest(boxed().await))),
        GuestError::NotReady {
            stage: qga_commands::guest::ready::ReadyStage::Check(1),
            timeout: Duration::from_secs(1),
            address: None,
            source: Some(Box::new(command().await)),
        },
    ];
    let end = said.rsplit(": ").next().unwrap();
    for error in errors {
        let text = error.to_string();
        assert!(
            text.ends_with(end) && text.contains("guest-get-host-name at unix:"),
            "{text}"
        );
        assert_says_nothing_twice(&error);
        assert!(
            error.command_error().is_some() && error.agent_error().is_some(),
            "{text}"
        );
    }
    let path = "/etc/hosts".to_owned();
    let error = GuestError::NotText {
        path,
        source: not_utf8,
    };
    let text = "the guest's file \"/etc/hosts\" is not UTF-8: invalid utf-8 sequence of 1 bytes from index 2";
    assert_eq!(chain(&error), [text]);
    let error = copy(fault(CopyFault::Local(local)));
    assert_eq!(
        chain(&error),
        ["copying \"/srv/site\" failed on this host: the disk is full"]
    );
}

#[tokio::test]
async fn what_lies_deeper_is_still_in_the_chain() {
    let error = GuestError::Partial {
        done: 1,
        of: 2,
        source: Box::new(Guest::connect("unix:/no/such/socket").await.unwrap_err()),
    };
    let deepest = error.source().unwrap();
    assert!(
        deepest.downcast_ref::<std::io::Error>().is_some(),
        "{deepest:?}"
    );
    assert_says_nothing_twice(&error);
}

#[tokio::test]
async fn who_has_frozen_a_guest_decides_what_helps() {
    let agent = TestAgent::start().await;
    let address = agent.address();
    let guest = Guest::connect(&*address).await.unwrap();
    let frozen = guest.freeze().await.unwrap();
    let error = guest.host_name().await.unwrap_err();
    let text = format!(
        "guest-get-host-name has to wait, since this client has frozen the filesystems of the guest at \
         {address}; it can be sent after the thaw"
    );
    assert_eq!(error.to_string(), text);
    assert!(error.is_frozen());
    frozen.thaw().await.unwrap();

    agent.edit_guest(|guest| guest.frozen = true); // as a program that was killed leaves it
    let error = guest.freeze().await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("guest-fsfreeze-freeze has to wait"),
        "{text}"
    );
    assert!(
        text.contains(&address) && text.contains("not by this client"),
        "{text}"
    );
    assert!(text.contains("waiting does not help"), "{text}");
    assert!(text.contains("`Guest::thaw`"), "{text}");
    assert!(error.is_frozen());
    guest.thaw().await.unwrap();
    guest.freeze().await.unwrap().thaw().await.unwrap();
}

#[tokio::test]
async fn a_guest_that_is_not_ready_is_named_with_what_to_do() {
    let agent = TestAgent::start().await;
    agent.disable("guest-exec");
    let address = agent.address();
    let guest = Guest::connect(&*address).await.unwrap();
    let ready = Ready::ping().command("guest-exec");
    let error = guest.wait_ready(&ready).await.unwrap_err();
    let text = error.to_string();
    let start = format!(
        "the guest at {address} does not become ready: the agent has guest-exec disabled; "
    );
    assert!(
        text.starts_with(&start) && text.contains("--block-rpcs"),
        "{text}"
    );
    assert!(error.is_disabled() && error.is_command_not_found() && !error.is_timeout());

    let ready = Ready::ping().timeout(Duration::from_millis(50));
    let error = ready.connect("unix:/no/such/socket").await.unwrap_err();
    let text = error.to_string();
    let start = "the guest at unix:/no/such/socket was not ready within 50ms: its agent cannot be reached: \
                 connect at unix:/no/such/socket: there is no such socket";
    assert!(text.starts_with(start), "{text}");
    assert!(error.is_timeout());
    assert_says_nothing_twice(&error);
}

#[tokio::test(start_paused = true)]
async fn a_program_is_named_when_it_does_not_end_in_time() {
    let (agent, stream) = TestAgent::in_memory();
    agent.program("backup").never_ends();
    let guest = Guest::new(Client::new(stream));
    let mut command = guest.command("backup");
    let error = command
        .timeout(Duration::from_secs(5))
        .output()
        .await
        .unwrap_err();
    let GuestError::TimedOut { pid: Some(pid), .. } = &error else {
        panic!("{error:?}");
    };
    let text = format!("\"backup\" (process {pid}) did not end within 5s; it was left running");
    assert_eq!(error.to_string(), text);
    assert!(error.is_timeout());
    let error = GuestError::TimedOut {
        program: "backup".into(),
        pid: None,
        timeout: Duration::from_secs(5),
        kill: KillOutcome::NotAsked,
        output: None,
    };
    let text =
        "the agent did not say within 5s that it has started \"backup\", which may run or not";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn predicates_look_through_an_operation_to_the_command_that_failed() {
    let (agent, stream) = TestAgent::in_memory();
    let options = Options::new().timeout(Duration::from_secs(2));
    let guest = Guest::builder()
        .options(options)
        .deny(["guest-fstrim"])
        .build(stream);

    agent.on("guest-get-time").fault(Fault::no_answer());
    let error = guest.sync_time().await.unwrap_err();
    assert!(error.is_timeout() && !error.is_deadline(), "{error}");

    assert!(guest.fstrim().await.unwrap_err().is_not_allowed());

    agent.disable("guest-set-vcpus");
    let error = guest
        .set_vcpus([qga_commands::commands::cpu::GuestLogicalProcessor::new(
            1, true,
        )])
        .await;
    let error = error.unwrap_err();
    assert!(
        error.is_disabled() && error.is_command_not_found() && !error.is_frozen(),
        "{error}"
    );

    agent.profile(Profile::Qemu7_2);
    agent.edit_guest(|guest| guest.frozen = true);
    let error = guest.host_name().await.unwrap_err();
    assert!(error.is_frozen() && !error.is_disabled(), "{error}");
    agent.edit_guest(|guest| guest.frozen = false);

    agent.on("guest-get-timezone").fault(Fault::close_before());
    let error = guest
        .execute(qga_commands::commands::time::GetTimezone)
        .await
        .unwrap_err();
    assert!(error.is_closed(), "{error}");
}

#[test]
fn the_other_messages_are_whole_sentences_that_name_the_thing_at_fault() {
    let address: Address = "unix:/run/vm1/qga.sock".parse().unwrap();
    let long = "/x".repeat(5000);
    let cases = [
        (
            GuestError::InvalidInput("the minimum is too large".into()),
            "this cannot be done: the minimum is too large",
        ),
        (
            GuestError::NothingFrozen {
                address: Some(Box::new(address)),
            },
            "nothing was frozen in the guest at unix:/run/vm1/qga.sock: ",
        ),
        (
            GuestError::Unexpected("two ends".into()),
            "the agent's answer makes no sense: two ends",
        ),
        (
            GuestError::Stopped,
            "the work broke off, since its tokio runtime has ended",
        ),
        (
            GuestError::TooLarge {
                path: long,
                limit: 9,
            },
            "the guest's file \"/x/x",
        ),
        (
            GuestError::TooMuchOutput { pid: 7, limit: 9 },
            "process 7 wrote more to a stream than the 9 bytes that were to be kept",
        ),
    ];
    for (error, text) in cases {
        let shown = error.to_string();
        assert!(shown.starts_with(text) && shown.len() < 600, "{shown}");
    }
    let error = "tcp:nonsense".parse::<Address>().unwrap_err();
    let text = format!("the guest's address cannot be read: {error}");
    assert_eq!(chain(&GuestError::Address(error)), [text]);
}
