//! The lock file beside a Unix socket.

use std::future::poll_fn;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::task::Poll;
use std::time::Duration;

use crate::support::Ping;
use qga_core::{Client, Error, ErrorKind};
use qga_testserver::TestAgent;

async fn locked(path: &Path) -> Result<Client, Error> {
    Client::builder().lock(true).connect(path).await
}

fn lock_file(agent: &TestAgent) -> std::path::PathBuf {
    format!("{}.lock", agent.path().display()).into()
}

#[tokio::test]
async fn a_second_client_is_told_who_holds_the_channel() {
    let agent = TestAgent::start().await;
    let client = locked(agent.path()).await.unwrap();
    let clone = client.clone();
    drop(client);
    let error = locked(agent.path()).await.unwrap_err();
    assert!(error.is_held());
    let pid = std::process::id();
    let text = format!("the channel is busy, held by process {pid}");
    assert!(error.to_string().ends_with(&text), "{error}");
    drop(clone);
    locked(agent.path()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_left_behind_does_no_harm() {
    let agent = TestAgent::start().await;
    std::fs::write(lock_file(&agent), "99999999999 and more\n").unwrap();
    let client = locked(agent.path()).await.unwrap();
    let held = std::fs::read_to_string(lock_file(&agent)).unwrap();
    assert_eq!(held, format!("{}\n", std::process::id()));
    drop(client);
}

#[tokio::test]
async fn the_file_is_for_its_user_alone() {
    let agent = TestAgent::start().await;
    let _client = locked(agent.path()).await.unwrap();
    let mode = std::fs::metadata(lock_file(&agent)).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_link_in_place_of_the_file_is_refused_and_its_target_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("target");
    let missing = folder.path().join("missing");
    std::fs::write(&target, "precious").unwrap();
    for kind in ["link", "dangling", "hard", "folder"] {
        let agent = TestAgent::start().await;
        match kind {
            "link" => symlink(&target, lock_file(&agent)).unwrap(),
            "dangling" => symlink(&missing, lock_file(&agent)).unwrap(),
            "hard" => std::fs::hard_link(&target, lock_file(&agent)).unwrap(),
            _ => std::fs::create_dir(lock_file(&agent)).unwrap(),
        }
        let error = locked(agent.path()).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Lock(_)),
            "{kind}: {error:?}"
        );
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert!(!missing.exists());
    }
}

#[tokio::test]
async fn two_names_of_one_socket_have_one_lock() {
    let agent = TestAgent::start().await;
    let folder = tempfile::tempdir().unwrap();
    let other_name = folder.path().join("qga.sock");
    symlink(agent.path(), &other_name).unwrap();
    let _client = locked(agent.path()).await.unwrap();
    assert!(locked(&other_name).await.unwrap_err().is_held());
}

#[tokio::test]
async fn without_a_socket_nothing_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let error = locked(&path).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
    assert!(error.to_string().contains("there is no such socket"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    let tcp = Client::builder().lock(true).connect("tcp:127.0.0.1:9");
    assert!(matches!(tcp.await.unwrap_err().kind(), ErrorKind::Lock(_)));
}

const HELD_BY: &str = "QGA_TEST_LOCKS";

/// This test started once more is the other process, which holds the lock until it is killed.
#[tokio::test]
async fn another_process_is_told_by_its_number_and_holds_nothing_once_it_is_killed() {
    if let Ok(path) = std::env::var(HELD_BY) {
        let _client = locked(Path::new(&path)).await.unwrap();
        println!("locked");
        std::future::pending::<()>().await;
    }
    let agent = TestAgent::start().await;
    let name = "lock::another_process_is_told_by_its_number_and_holds_nothing_once_it_is_killed";
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(HELD_BY, agent.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(other.stdout.take().unwrap());
    let waiting = move || {
        said.lines()
            .find(|line| line.as_ref().unwrap().contains("locked"))
    };
    let has_lock = tokio::task::spawn_blocking(waiting).await.unwrap();
    assert!(has_lock.is_some(), "the other process has ended");
    let error = locked(agent.path()).await.unwrap_err();
    let text = format!("held by process {}", other.id());
    assert!(error.to_string().ends_with(&text), "{error}");
    other.kill().unwrap();
    other.wait().unwrap();
    locked(agent.path()).await.unwrap();
}

/// Somebody who cleans up takes the file away: the lock on it is of no use any more, but a client that
/// has it still works.
#[tokio::test]
async fn a_file_that_was_taken_away_is_made_anew() {
    let agent = TestAgent::start().await;
    let first = locked(agent.path()).await.unwrap();
    std::fs::remove_file(lock_file(&agent)).unwrap();
    drop(first);
    let _second = locked(agent.path()).await.unwrap();
    assert!(locked(agent.path()).await.unwrap_err().is_held());
}

#[tokio::test]
async fn a_connecting_that_fails_or_is_dropped_lets_go_of_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let silent = tokio::net::UnixListener::bind(&path).unwrap();
    let connect = Client::builder()
        .lock(true)
        .connect_timeout(Duration::from_millis(1))
        .connect(&path);
    assert!(connect.await.unwrap_err().is_timeout());
    let mut connect = Box::pin(locked(&path));
    let polled = poll_fn(|cx| Poll::Ready(connect.as_mut().poll(cx).is_pending()));
    assert!(polled.await);
    assert!(locked(&path).await.unwrap_err().is_held());
    drop((connect, silent));
    let error = locked(&path).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
}

#[tokio::test]
async fn a_pipeline_keeps_the_lock_of_the_client_that_made_it() {
    let agent = TestAgent::start().await;
    let client = locked(agent.path()).await.unwrap();
    let mut pipeline = client.pipeline([Ping, Ping, Ping]);
    pipeline.next().await.unwrap().unwrap();
    drop(client);
    assert!(locked(agent.path()).await.unwrap_err().is_held());
    drop(pipeline);
    locked(agent.path()).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_was_asked_for_is_not_left_out_in_silence() {
    let (stream, _peer) = tokio::io::duplex(64);
    let client = Client::builder().lock(true).build(stream);
    let error = client.execute(Ping).await.unwrap_err();
    assert!(error.is_not_allowed() && error.is_permanent(), "{error}");
    assert!(error.to_string().contains("lock"), "{error}");
}
