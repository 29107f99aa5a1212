//! Schemes that a builder is told of.

use qga_core::{Client, Error, Stage, blocking};
use tokio::net::{UnixListener, UnixStream};

use super::assert_say;
use crate::support::{Peer, Ping};

#[tokio::test]
async fn an_unknown_scheme_is_an_error_that_knows_what_was_meant() {
    let builder = || Client::builder().scheme("libvirt", UnixStream::connect);
    let error = builder().connect("libvrt:vm1").await.unwrap_err();
    let lazy = builder().connect_lazy("libvrt:vm1").err().unwrap();
    let from_blocking = blocking::Client::builder()
        .scheme("libvirt", |path| {
            std::os::unix::net::UnixStream::connect(path)
        })
        .connect("libvrt:vm1")
        .err()
        .unwrap();
    let errors = [error, lazy, from_blocking];
    assert_say(
        &errors,
        Stage::Connect,
        &["connect at libvrt:vm1", "did you mean libvirt:vm1"],
    );
    assert!(errors.iter().all(Error::is_permanent));
}

#[tokio::test]
async fn a_scheme_of_ones_own_is_opened_again_after_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vm1");
    let listener = UnixListener::bind(&path).unwrap();
    let root = folder.path().to_owned();
    let connecting = Client::builder()
        .scheme("vm", move |name| UnixStream::connect(root.join(name)))
        .connect("vm:vm1");
    let (client, ()) = tokio::join!(connecting, async {
        let (stream, _) = listener.accept().await.unwrap();
        Peer::over(stream).sync().await;
    });
    let client = client.unwrap();
    assert_eq!(client.address().unwrap().to_string(), "vm:vm1");
    let (answer, ()) = tokio::join!(client.execute(Ping), async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer::over(stream);
        peer.sync().await;
        peer.answer(serde_json::json!({})).await;
    });
    answer.unwrap();
}

#[tokio::test]
async fn what_a_scheme_says_of_a_failure_is_in_the_error() {
    let closed =
        |_: String| async { Err::<UnixStream, _>(std::io::Error::other("vm1 is switched off")) };
    let error = Client::builder()
        .scheme("vm", closed)
        .connect("vm:vm1")
        .await
        .unwrap_err();
    assert_say(
        &[error],
        Stage::Connect,
        &["connect at vm:vm1", "vm1 is switched off"],
    );
}

#[tokio::test]
async fn a_name_that_cannot_be_a_scheme_is_an_error_at_once() {
    let error = Client::builder()
        .scheme("VM", UnixStream::connect)
        .connect("/run/qga.sock")
        .await
        .unwrap_err();
    assert_say(
        &[error],
        Stage::Connect,
        &["a scheme begins with a small letter"],
    );
}
