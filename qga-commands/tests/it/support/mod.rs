//! What the tests of operations share.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use qga_testserver::{Request, TestAgent};

pub(crate) mod faults;

/// Polls a future so many times, each time when it is woken, and drops it. Whether it has ended.
pub(crate) async fn poll_times<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// The requests for a command, but for those by which a guest learns which agent answers.
pub(crate) fn requests_of(agent: &TestAgent, command: &str) -> Vec<Request> {
    let is_question = |path: &str| path.starts_with("/proc/s");
    let (mut asked, mut handles) = (false, HashSet::new());
    let mut requests = agent.requests();
    requests.retain(|request| {
        let arguments = &request.arguments;
        let handle = arguments["handle"].as_i64().unwrap_or_default();
        match request.name.as_str() {
            "guest-file-open" => {
                asked = arguments["path"].as_str().is_some_and(is_question);
                !asked
            }
            // No other read is of this length.
            "guest-file-read" if asked && arguments["count"] == 4096 => {
                handles.insert(handle);
                false
            }
            "guest-file-close" => !handles.remove(&handle),
            _ => true,
        }
    });
    requests.retain(|request| request.name == command);
    requests
}
