use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::*;
use crate::monitor::Monitor;

const HANDSHAKE: &[u8] = b"{\"QMP\": {}} {\"return\": {}, \"id\": 0}";
const EVENT: &[u8] = b"{\"event\": \"RTC_CHANGE\", \"data\": {\"offset\": 1}}";

/// A monitor that never rests: there is always another event to be read.
#[derive(Default)]
struct Endless {
    has_begun: bool,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        room: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.has_begun, true) {
            room.put_slice(HANDSHAKE);
        }
        while room.remaining() >= EVENT.len() {
            room.put_slice(EVENT);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn events_without_end_do_not_keep_an_outcome_from_being_told() {
    let monitor = Monitor::new(Endless::default());
    let mut events = monitor.events();
    assert!(events.next().await.is_some());
    assert!(told(Outcome::Off, &mut events).is_none());
}
