//! The end of a channel: a clean one, which a command that is answered only on failure hopes for, and others.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::support::{Peer, Ping, QUICK, Shutdown, pair, synced_pair};
use qga_core::{ChannelState, Client, Error, ErrorKind, Execution, NoReply, Stage};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// What comes of a stream once its peer has gone.
#[derive(Clone, Copy, Debug)]
struct Ends {
    reading: Option<io::ErrorKind>,
    writing: Option<io::ErrorKind>,
    flushing: Option<io::ErrorKind>,
}

const CLEANLY: Ends = Ends {
    reading: None,
    writing: None,
    flushing: None,
};

/// A stream that fails from the first request on that is no sync.
struct Failing {
    stream: DuplexStream,
    ends: Ends,
    is_over: bool,
}

impl Failing {
    fn result<T>(error: Option<io::ErrorKind>, otherwise: T) -> Poll<io::Result<T>> {
        Poll::Ready(error.map_or(Ok(otherwise), |error| Err(error.into())))
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_over {
            return Self::result(self.ends.reading, ());
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes[0] == 0xFF {
            return Pin::new(&mut self.stream).poll_write(cx, bytes);
        }
        self.is_over = true;
        Self::result(self.ends.writing, bytes.len())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::result(self.ends.flushing.filter(|_| self.is_over), ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What comes of a shutdown whose request meets this end.
async fn shut_down(ends: Ends) -> Result<NoReply, Error> {
    let (ours, theirs) = tokio::io::duplex(4096);
    let client = Client::builder().options(QUICK).build(Failing {
        stream: ours,
        ends,
        is_over: false,
    });
    let mut peer = Peer::over(theirs);
    tokio::join!(client.execute(Shutdown), peer.sync()).0
}

fn cause(error: &Error) -> Option<io::ErrorKind> {
    match error.kind() {
        ErrorKind::Closed(cause) => cause.as_ref().map(io::Error::kind),
        kind => panic!("{kind:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn only_an_end_after_everything_was_written_is_a_clean_one() {
    assert_eq!(shut_down(CLEANLY).await.unwrap(), NoReply::Closed);
    for error in [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::UnexpectedEof,
        io::ErrorKind::Other,
    ] {
        let reading = Some(error);
        let broken = shut_down(Ends { reading, ..CLEANLY }).await.unwrap_err();
        assert_eq!((broken.stage(), cause(&broken)), (Stage::Receive, reading));
        assert_eq!(broken.execution(), Execution::MaybeRun, "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_could_not_be_written_has_not_run_and_one_that_was_not_flushed_may_have() {
    let broken = Some(io::ErrorKind::BrokenPipe);
    for reading in [None, Some(io::ErrorKind::ConnectionReset)] {
        let error = shut_down(Ends {
            reading,
            writing: broken,
            ..CLEANLY
        });
        let error = error.await.unwrap_err();
        assert_eq!((error.stage(), cause(&error)), (Stage::Send, broken));
        assert_eq!(error.execution(), Execution::NotRun, "{error}");
        let error = shut_down(Ends {
            reading,
            flushing: broken,
            ..CLEANLY
        });
        let error = error.await.unwrap_err();
        assert_eq!((error.stage(), cause(&error)), (Stage::Send, broken));
        assert_eq!(error.execution(), Execution::MaybeRun, "{error}");
    }
}

/// Tells when a request that is no sync was written.
struct Telling {
    stream: UnixStream,
    written: Arc<Notify>,
}

impl AsyncRead for Telling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Telling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() && bytes[0] != 0xFF {
            self.written.notify_one();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Linux makes the close of a socket with unread bytes a reset of the other end.
#[tokio::test]
async fn a_reset_before_the_request_was_read_is_no_clean_end() {
    let (stream, theirs) = UnixStream::pair().unwrap();
    let written = Arc::new(Notify::new());
    let ours = Telling {
        stream,
        written: Arc::clone(&written),
    };
    let client = Client::builder().options(QUICK).build(ours);
    let mut peer = Peer::over(theirs);
    let (outcome, ()) = tokio::join!(client.execute(Shutdown), async {
        peer.sync().await;
        written.notified().await;
        drop(peer);
    });
    let error = outcome.unwrap_err();
    assert_eq!(cause(&error), Some(io::ErrorKind::ConnectionReset));
    assert_eq!(error.execution(), Execution::MaybeRun);
    let text = error.to_string();
    assert!(text.ends_with("(the command may have run)"), "{text}");
}

#[tokio::test]
async fn an_end_after_the_request_was_read_is_a_clean_one() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let client = Client::builder().options(QUICK).build(ours);
    let mut peer = Peer::over(theirs);
    let (outcome, ()) = tokio::join!(client.execute(Shutdown), async {
        peer.sync().await;
        peer.request().await;
        drop(peer);
    });
    assert_eq!(outcome.unwrap(), NoReply::Closed);
}

/// An agent answers these only when it has failed.
#[tokio::test(start_paused = true)]
async fn an_answer_that_was_begun_is_neither_a_clean_end_nor_silence() {
    let begun = "{\"id\": 7, \"error\": {\"class\": \"Gene";
    for closes in [true, false] {
        let (client, mut peer) = synced_pair().await;
        let (outcome, peer) = tokio::join!(client.execute(Shutdown), async {
            peer.request().await;
            peer.send(begun).await;
            (!closes).then_some(peer)
        });
        let error = outcome.unwrap_err();
        assert_eq!((error.is_closed(), error.is_timeout()), (closes, !closes));
        assert_eq!(error.execution(), Execution::MaybeRun);
        drop(peer);
    }
}

#[tokio::test(start_paused = true)]
async fn what_broke_a_channel_while_nobody_looked_is_told_by_the_next_command_and_ever_after() {
    let (breaks, broken) = tokio::sync::oneshot::channel();
    let (ours, theirs) = tokio::io::duplex(4096);
    let ours = crate::support::Breaking::new(ours, broken);
    let client = Client::builder().options(QUICK).build(ours);
    let mut peer = Peer::over(theirs);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.sync().await;
        peer.answer(json!({})).await;
    });
    pinged.unwrap();
    breaks.send(()).unwrap();
    for _ in 0..2 {
        let error = client.execute(Shutdown).await.unwrap_err();
        assert_eq!(cause(&error), Some(io::ErrorKind::ConnectionReset));
        assert_eq!(error.execution(), Execution::NotRun);
    }
    let state = client.state();
    match &*state.borrow() {
        ChannelState::Lost { cause } => assert!(cause.contains("connection reset"), "{cause}"),
        state => panic!("{state:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_in_the_middle_of_a_sync_is_told_too() {
    let (client, mut peer) = pair(4096);
    let (pinged, ()) = tokio::join!(client.execute(Ping), async {
        peer.request().await;
        drop(peer);
    });
    let error = pinged.unwrap_err();
    assert_eq!((error.stage(), cause(&error)), (Stage::Sync, None));
    let error = client.execute(Ping).await.unwrap_err();
    assert_eq!(error.execution(), Execution::NotRun);
}
