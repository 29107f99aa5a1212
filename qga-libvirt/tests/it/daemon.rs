//! What becomes of the daemon.

use qga_core::{ErrorKind, Execution};
use qga_testserver::LibvirtAuth;

use crate::support::{Act, Ping, client, connect, vm1};

#[tokio::test(start_paused = true)]
async fn polkit_may_let_this_user_in() {
    let (daemon, _agent) = vm1().await;
    daemon.auth(LibvirtAuth::Polkit);
    client(&daemon).await.execute(Ping).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_not_let_in_is_told_what_to_do() {
    let (daemon, _agent) = vm1().await;
    for (auth, right) in [
        (LibvirtAuth::PolkitRefuses, "group"),
        (LibvirtAuth::Sasl, "auth_unix_rw"),
    ] {
        daemon.auth(auth);
        let error = connect(&daemon, "vm1").await.err().unwrap();
        let ErrorKind::Open(cause) = error.kind() else {
            panic!("{error:?}");
        };
        assert_eq!(cause.kind(), std::io::ErrorKind::PermissionDenied);
        assert!(error.to_string().contains(right), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_is_not_there_is_told_with_its_socket() {
    let (daemon, _agent) = vm1().await;
    daemon.kill().await;
    let error = connect(&daemon, "vm1").await.err().unwrap();
    assert!(error.to_string().contains("has it stopped?"), "{error}");
    std::fs::remove_file(daemon.path()).unwrap();
    let error = connect(&daemon, "vm1").await.err().unwrap();
    assert!(
        error.to_string().contains("is libvirt installed"),
        "{error}"
    );
    assert!(error.to_string().contains("libvirt-sock"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_daemon_the_next_command_works() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    client.execute(Ping).await.unwrap();
    daemon.kill().await;
    daemon.resume();
    daemon.domain("vm1", &agent);
    client.execute(Ping).await.unwrap();
    assert_eq!(daemon.connections(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_ends_meanwhile_leaves_it_open_whether_the_command_ran() {
    let (daemon, agent) = vm1().await;
    let client = client(&daemon).await;
    agent
        .on("test-act")
        .fault(qga_testserver::Fault::no_answer());
    let acting = tokio::spawn({
        let client = client.clone();
        async move { client.execute(Act).await }
    });
    agent.wait_for("test-act", 1).await;
    daemon.kill().await;
    let error = acting.await.unwrap().unwrap_err();
    assert!(error.is_closed(), "{error:?}");
    assert_eq!(error.execution(), Execution::MaybeRun);
    let error = client.execute(Act).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun, "{error:?}");
}
