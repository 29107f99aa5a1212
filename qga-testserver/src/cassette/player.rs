use serde_json::Value;

use super::{Cassette, Exchange, Reply, scrub};
use crate::Request;
use crate::request::excerpt;

/// A cassette that an agent answers from.
#[derive(Debug)]
pub(crate) struct Player {
    exchanges: Vec<Exchange>,
    strict: bool,
    /// How often each exchange has been played.
    played: Vec<usize>,
    complaints: Vec<String>,
}

/// Complaints are kept up to this number; the first ones matter.
const COMPLAINT_LIMIT: usize = 20;

impl Player {
    pub(crate) fn new(cassette: &Cassette, strict: bool) -> Self {
        Self {
            exchanges: cassette.exchanges.clone(),
            strict,
            played: vec![0; cassette.exchanges.len()],
            complaints: Vec::new(),
        }
    }

    /// What the recorded agent answered; the error is for a request that it was not asked.
    pub(crate) fn answer(&mut self, request: &Request) -> Result<Option<Reply>, String> {
        let asked = |exchange: &Exchange| is_same(exchange, request);
        let found = if self.strict {
            let next = self.played.iter().position(|count| *count == 0);
            next.filter(|index| self.exchanges.get(*index).is_some_and(asked))
        } else {
            self.least_played(asked)
        };
        if let Some(index) = found
            && let Some(count) = self.played.get_mut(index)
        {
            *count += 1;
            return Ok(self
                .exchanges
                .get(index)
                .and_then(|exchange| exchange.reply.clone()));
        }
        let complaint = self.complaint(request);
        if self.complaints.len() < COMPLAINT_LIMIT {
            self.complaints.push(complaint.clone());
        }
        Err(complaint)
    }

    /// A line for each request that was not as recorded.
    pub(crate) fn unmet(&self) -> Vec<String> {
        let mut lines = self.complaints.clone();
        let left = self.played.iter().filter(|count| **count == 0).count();
        if self.strict && left > 0 {
            lines.push(format!(
                "the cassette has {left} more, the next is {}",
                self.next()
            ));
        }
        lines
    }

    /// Of the exchanges that fit, the first that was played the least: a request that was recorded
    /// twice gets its answers in turn.
    fn least_played(&self, asked: impl Fn(&Exchange) -> bool) -> Option<usize> {
        let fits = self.exchanges.iter().map(asked);
        let fits = fits
            .zip(&self.played)
            .enumerate()
            .filter(|(_, (fits, _))| *fits);
        fits.min_by_key(|(_, (_, count))| **count)
            .map(|(index, _)| index)
    }

    fn complaint(&self, request: &Request) -> String {
        if self.strict {
            format!("the cassette has {} next, not {request}", self.next())
        } else {
            format!("the cassette has no {request}")
        }
    }

    fn next(&self) -> String {
        let next = self.exchanges.iter().zip(&self.played);
        let next = next.into_iter().find(|(_, count)| **count == 0);
        next.map_or("nothing".into(), |(exchange, _)| {
            describe(&exchange.command, &exchange.arguments)
        })
    }
}

/// Whether a request is the recorded one, of which the secrets may have been taken out. No
/// arguments are the same as empty ones.
fn is_same(exchange: &Exchange, request: &Request) -> bool {
    let plain = |arguments: &Value| match arguments {
        Value::Object(members) if members.is_empty() => Value::Null,
        other => other.clone(),
    };
    let recorded = plain(&exchange.arguments);
    let given = plain(&request.arguments);
    if exchange.command != request.name {
        return false;
    }
    let mut scrubbed = given.clone();
    scrub(&request.name, &mut scrubbed, &mut None);
    recorded == given || recorded == scrubbed
}

fn describe(command: &str, arguments: &Value) -> String {
    match arguments {
        Value::Null => command.to_owned(),
        arguments => format!("{command} {}", excerpt(arguments)),
    }
}
