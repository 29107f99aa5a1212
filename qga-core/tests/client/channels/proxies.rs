//! Vsock by way of a proxy.

use std::time::Duration;

use qga_core::{Address, Client, Error, ErrorKind, Options, Stage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::{Failing, assert_say};
use crate::support::{Peer, Ping};

/// What listens at the path, and answers each client so.
async fn errors(answer: &'static [u8], hangs: bool) -> [Error; 2] {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let serving = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 13];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"CONNECT 1024\n");
            let _ = stream.write_all(answer).await;
            if hangs {
                kept.push(stream);
            }
        }
    });
    let failing = Failing::new();
    let failing = if hangs { failing.soon() } else { failing };
    let errors = failing
        .errors(Address::VsockProxy { path, port: 1024 })
        .await;
    serving.abort();
    errors
}

#[tokio::test]
async fn a_proxy_that_answers_nonsense_is_quoted() {
    for answer in [
        &b"HTTP/1.1 400\x1b\r\n"[..],
        b"OKAY\n",
        b"\n",
        &[b'x'; 1000],
    ] {
        let errors = errors(answer, false).await;
        assert_say(
            &errors,
            Stage::Connect,
            &["in place of OK; is it the vsock socket"],
        );
        assert!(errors.iter().all(|error| error.to_string().len() < 400));
    }
}

#[tokio::test]
async fn an_end_before_ok_means_that_nobody_listens_in_the_machine_yet() {
    for answer in [&b""[..], b"OK 10"] {
        let errors = errors(answer, false).await;
        assert_say(
            &errors,
            Stage::Connect,
            &["nobody listens on port 1024 in the machine"],
        );
        assert!(!errors.iter().any(Error::is_permanent));
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_ends_at_the_deadline() {
    let errors = errors(b"OK ", true).await;
    assert_say(&errors, Stage::Connect, &["no connection within 200ms"]);
    assert!(errors.iter().all(Error::is_timeout));
}

#[tokio::test]
async fn a_machine_that_listens_later_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let patient = Options::new()
        .timeout(Duration::from_secs(60))
        .wait_for_channel(true);
    let client = Client::builder()
        .options(patient)
        .pauses(Duration::from_millis(1)..=Duration::from_millis(5))
        .connect_lazy(Address::VsockProxy { path, port: 1024 })
        .unwrap();
    let machine = async {
        for attempt in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_exact(&mut [0; 13]).await.unwrap();
            if attempt == 4 {
                // What the agent says at once belongs to the channel.
                stream
                    .write_all(b"OK 1073741824\n{\"return\": 5}\n")
                    .await
                    .unwrap();
                let mut peer = Peer::over(stream);
                peer.sync().await;
                peer.answer(serde_json::json!({})).await;
                return;
            }
        }
    };
    let (answer, ()) = tokio::join!(client.execute(Ping), machine);
    answer.unwrap();
}

#[tokio::test]
async fn a_path_that_is_no_socket_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.sock");
    std::fs::write(&path, "").unwrap();
    for error in Failing::new()
        .errors(Address::VsockProxy { path, port: 1 })
        .await
    {
        assert!(matches!(error.kind(), ErrorKind::NotASocket), "{error:?}");
    }
}
