//! The socket over which a test in any language tells the agent what to do.

#[cfg(unix)]
use std::sync::Arc;
use std::sync::Weak;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::task::AbortHandle;

mod order;
mod parse;

use super::Failure;
use crate::TestAgent;
#[cfg(unix)]
use crate::monitor::Monitor;
use crate::wire::listener::{Listener, Stream};
use crate::wire::socket::Socket;
use parse::parse;
#[cfg(test)]
pub(super) use parse::{check as check_order, fields as order_fields, names as order_names};

/// Who carries orders out.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) agent: Weak<TestAgent>,
    /// That of the agent's machine, if it has one.
    #[cfg(unix)]
    pub(super) monitor: Option<Arc<Monitor>>,
}

/// A control socket, which is closed when this is dropped.
#[derive(Debug)]
pub(super) struct Control {
    socket: Socket,
    task: AbortHandle,
}

/// The longest order, in bytes.
const LINE_LIMIT: u64 = 64 << 20;

impl Control {
    /// Takes orders.
    pub(super) async fn listen(address: &str, target: Target) -> Result<Self, Failure> {
        let (socket, listener) = Socket::listen(address)
            .await
            .map_err(|error| format!("cannot listen on {address}: {error}"))?;
        let task = tokio::spawn(accept(listener, target)).abort_handle();
        Ok(Self { socket, task })
    }

    pub(super) fn address(&self) -> String {
        self.socket.address()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: Listener, target: Target) {
    loop {
        match listener.accept().await {
            Ok(stream) => drop(tokio::spawn(serve(stream, target.clone()))),
            // Out of descriptors, say: the client stays in the queue.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(10)).await,
        }
    }
}

/// Carries out the order on each line, and answers it with a line.
async fn serve(stream: Box<dyn Stream>, target: Target) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut stream)
            .take(LINE_LIMIT)
            .read_until(b'\n', &mut line)
            .await;
        if !matches!(read, Ok(1..)) || !line.ends_with(b"\n") {
            return;
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let reply = match obey(&line, &target).await {
            Ok(Value::Object(mut reply)) => {
                reply.insert("ok".into(), true.into());
                Value::Object(reply)
            }
            Ok(_) => json!({"ok": true}),
            Err(failure) => json!({"ok": false, "error": failure}),
        };
        let reply = format!("{reply}\n");
        if stream.write_all(reply.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn obey(line: &[u8], target: &Target) -> Result<Value, Failure> {
    parse(line)?.carry_out(target).await
}
