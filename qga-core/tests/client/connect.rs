//! Connecting to addresses that do not answer as they should.

use std::time::Duration;

use qga_core::{Client, Error, ErrorKind, Execution, Stage};
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::support::{Peer, Ping, chain};

async fn connect_error(address: &str) -> Error {
    let builder = Client::builder().connect_timeout(Duration::from_millis(100));
    let error = builder.connect(address).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun);
    error
}

fn folder() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock").display().to_string();
    (folder, path)
}

#[tokio::test]
async fn an_address_that_cannot_be_read_is_refused_before_anything_is_opened() {
    let error = connect_error("vsock:3").await;
    assert!(matches!(error.kind(), ErrorKind::Address(_)));
    assert_eq!(error.stage(), Stage::Connect);
    assert!(
        chain(&error).contains("write vsock:CID:PORT"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_path_is_an_address_even_with_a_colon_in_it() {
    let (folder, _) = folder();
    let path = folder.path().join("a:b");
    let listener = UnixListener::bind(&path).unwrap();
    let (client, ()) = tokio::join!(Client::connect(path), async {
        let (stream, _) = listener.accept().await.unwrap();
        Peer::over(stream).sync().await;
    });
    client.unwrap();
}

#[tokio::test]
async fn a_path_that_is_not_there_asks_for_the_machine() {
    let (_folder, path) = folder();
    let error = connect_error(&path).await;
    assert_eq!(error.stage(), Stage::Connect);
    let text = chain(&error);
    assert!(
        text.contains(&format!("connect at unix:{path}: there is no such socket")),
        "{text}"
    );
    assert!(text.contains("No such file"), "{text}");
}

#[tokio::test]
async fn a_path_that_is_no_socket_says_so() {
    let (_folder, path) = folder();
    std::fs::write(&path, "").unwrap();
    let error = connect_error(&path).await;
    assert!(matches!(error.kind(), ErrorKind::NotASocket), "{error:?}");
    let (folder, _) = self::folder();
    let error = connect_error(folder.path().to_str().unwrap()).await;
    assert!(matches!(error.kind(), ErrorKind::NotASocket), "{error:?}");
}

#[tokio::test]
async fn a_socket_left_behind_is_told_from_one_that_is_not_there() {
    let (_folder, path) = folder();
    drop(UnixListener::bind(&path).unwrap());
    let error = connect_error(&path).await;
    assert!(
        error.to_string().contains("nobody listens there"),
        "{error}"
    );
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_an_error() {
    let error = connect_error(&format!("/{}", "x".repeat(200))).await;
    assert!(matches!(error.kind(), ErrorKind::Open(_)), "{error:?}");
}

#[tokio::test]
async fn a_socket_that_accepts_and_stays_silent_fails_in_the_sync() {
    let (_folder, path) = folder();
    let _listener = UnixListener::bind(&path).unwrap();
    let error = connect_error(&path).await;
    assert_eq!(error.stage(), Stage::Sync);
    assert!(error.is_timeout());
    assert!(
        error
            .to_string()
            .contains("did not answer the sync within 100ms"),
        "{error}"
    );
}

#[tokio::test]
async fn a_socket_whose_queue_is_full_is_tried_until_the_deadline() {
    let (_folder, path) = folder();
    let listener = tokio::net::UnixSocket::new_stream().unwrap();
    listener.bind(&path).unwrap();
    let listener = listener.listen(0).unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = UnixStream::connect(&path).await {
        queued.push(stream);
    }
    let error = connect_error(&path).await;
    assert!(error.is_timeout(), "{error:?}");
    drop(listener);
}

#[tokio::test]
async fn a_peer_that_hangs_up_before_the_sync_is_told_from_silence() {
    let (_folder, path) = folder();
    let listener = UnixListener::bind(&path).unwrap();
    let (error, ()) = tokio::join!(connect_error(&path), async {
        drop(listener.accept().await.unwrap());
    });
    assert_eq!(error.stage(), Stage::Sync);
    assert!(error.is_closed(), "{error:?}");
}

#[tokio::test]
async fn an_agent_behind_tcp_is_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp:{}", listener.local_addr().unwrap());
    let (pinged, ()) = tokio::join!(
        async {
            let client = Client::connect(&address).await.unwrap();
            client.execute(Ping).await
        },
        async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut peer = Peer::over(stream);
            peer.sync().await;
            peer.answer(serde_json::json!({})).await;
        }
    );
    pinged.unwrap();
}
