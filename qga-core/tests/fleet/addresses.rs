//! Guests that are given by their addresses.

use std::path::PathBuf;

use crate::Ping;
use qga_core::fleet::FailureKind;
use qga_core::{Address, Client, ErrorKind, Execution, Fleet, Stage};
use qga_testserver::TestAgent;

#[tokio::test]
async fn a_guest_without_a_name_is_named_by_its_address() {
    let agent = TestAgent::start().await;
    let text = agent.address();
    let path = PathBuf::from(agent.path());
    let address: Address = text.parse().unwrap();
    let bare = path.display().to_string();
    for fleet in [
        Fleet::new([text.as_str()]),
        Fleet::new([text.clone()]),
        Fleet::new([bare]),
        Fleet::new([&path]),
        Fleet::new([address]),
    ] {
        let mut run = fleet.run(|client| async move { client.execute(Ping).await });
        let guest = run.next().await.unwrap();
        guest.result.unwrap();
        assert_eq!(*guest.name, *text);
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_the_failure_of_that_guest_alone() {
    let agent = TestAgent::start().await;
    let (text, bad) = (agent.address(), "unx:/run/qga.sock".to_owned());
    let named = [("vm1", text.clone()), ("vm2", bad.clone())];
    for (fleet, name) in [
        (Fleet::new([text, bad.clone()]), &*bad),
        (Fleet::named(named), "vm2"),
    ] {
        let mut run = fleet.run(|client| async move { client.execute(Ping).await });
        while let Some(guest) = run.next().await {
            let Err(error) = guest.result else {
                assert_eq!(guest.index, 0);
                continue;
            };
            assert_eq!((&*guest.name, guest.index), (name, 1));
            assert!(matches!(error.kind(), ErrorKind::Address(_)));
            assert!(
                error
                    .to_string()
                    .contains("did you mean unix:/run/qga.sock?"),
                "{error}"
            );
        }
        assert_eq!(run.summary().failed(FailureKind::BadAddress), 1);
    }
}

#[tokio::test]
async fn nobody_there_is_a_failure_with_the_address() {
    let mut run = Fleet::named([("vm", "/no/such/guest.sock")]).run(|_| async { Ok(()) });
    let error = run.next().await.unwrap().result.unwrap_err();
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Connect, Execution::NotRun)
    );
    assert!(
        error
            .to_string()
            .starts_with("connect at unix:/no/such/guest.sock: "),
        "{error}"
    );
}

#[tokio::test]
async fn the_settings_of_the_builder_are_those_of_every_client() {
    let agent = TestAgent::start().await;
    let fleet = Fleet::new([agent.address()]).builder(Client::builder().deny(["guest-ping"]));
    let mut run = fleet.run(|client| async move { client.execute(Ping).await });
    assert!(
        run.next()
            .await
            .unwrap()
            .result
            .unwrap_err()
            .is_not_allowed()
    );
}

#[tokio::test(start_paused = true)]
async fn work_that_is_cut_off_is_named_with_the_address() {
    let agent = TestAgent::start().await;
    let fleet = Fleet::new([agent.address()]);
    let mut run = fleet.run(|_| std::future::pending::<Result<(), _>>());
    let error = run.next().await.unwrap().result.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("work at {}: ", agent.address())),
        "{error}"
    );
}
