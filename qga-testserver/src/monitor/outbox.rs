//! What is still to be written to a client, in the order in which it came up.

use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use crate::lock::lock;

/// A client that leaves more than this unread is given up, in bytes.
const LIMIT: usize = 64 << 20;

/// What is still to be written to a client.
#[derive(Debug, Default)]
pub(super) struct Outbox(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    is_over: bool,
    writer: Option<Waker>,
    /// Whoever waits until there is room.
    filler: Option<Waker>,
}

impl Outbox {
    /// Adds bytes, whatever the client reads.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut content = lock(&self.0);
        content.is_over |= content.bytes.len() + bytes.len() > LIMIT;
        if !content.is_over {
            content.bytes.extend_from_slice(bytes);
        }
        if let Some(writer) = content.writer.take() {
            writer.wake();
        }
    }

    /// Waits until everything was taken.
    pub(super) async fn taken(&self) {
        std::future::poll_fn(|task| {
            let mut content = lock(&self.0);
            if content.bytes.is_empty() {
                return Poll::Ready(());
            }
            content.filler = Some(task.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Takes all bytes, or waits for some. Nothing comes any more once there were too many.
    pub(super) fn poll_take(&self, task: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut content = lock(&self.0);
        if content.is_over {
            return Poll::Ready(None);
        }
        if let Some(filler) = content.filler.take() {
            filler.wake();
        }
        if content.bytes.is_empty() {
            content.writer = Some(task.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Some(std::mem::take(&mut content.bytes)))
    }

    /// Takes all bytes that are there.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.0).bytes)
    }
}
