use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;

/// A request that the agent has carried out, also if with an error.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Request {
    /// The command's name, the value of `execute`.
    pub name: String,
    /// The arguments, or `Value::Null` when the request has none.
    pub arguments: Value,
    /// The request's `id`, if it has one.
    pub id: Option<Value>,
    /// The request's own bytes from its first brace to its last, or the first 64 KiB of them.
    pub raw: Vec<u8>,
}

/// So many requests are kept.
const COUNT_LIMIT: usize = 100_000;
/// So many bytes of requests are kept.
const COST_LIMIT: usize = 128 << 20;

/// The latest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: VecDeque<(Arc<Request>, usize)>,
    cost: usize,
}

impl Log {
    /// Takes a request of this cost in bytes down, and forgets the oldest ones when there are too many.
    pub(crate) fn add(&mut self, request: Arc<Request>, cost: usize) {
        self.cost += cost;
        self.requests.push_back((request, cost));
        while self.requests.len() > COUNT_LIMIT
            || (self.cost > COST_LIMIT && self.requests.len() > 1)
        {
            if let Some((_, cost)) = self.requests.pop_front() {
                self.cost -= cost;
            }
        }
    }

    /// The requests, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().map(|(request, _)| &**request)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arc, COST_LIMIT, Log, Request, Value};

    fn request(name: &str) -> Arc<Request> {
        let (arguments, raw) = (Value::Null, Vec::new());
        Arc::new(Request {
            name: name.into(),
            arguments,
            id: None,
            raw,
        })
    }

    #[test]
    fn the_oldest_requests_are_forgotten_when_they_are_too_large_together() {
        let mut log = Log::default();
        log.add(request("first"), COST_LIMIT / 2);
        log.add(request("second"), COST_LIMIT / 2);
        assert_eq!(log.iter().count(), 2);
        log.add(request("third"), COST_LIMIT * 2);
        let names: Vec<_> = log.iter().map(|request| request.name.as_str()).collect();
        assert_eq!(names, ["third"]);
    }
}
