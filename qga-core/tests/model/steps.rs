//! What a program does with its client.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use qga_core::{Client, Error, QgaCommand};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::calls::{Ask, Calls, Class, Quit, Run, Set};
use crate::random::Random;

/// How much later than its deadline a command may end: timers count milliseconds.
const SLACK: Duration = Duration::from_millis(3);

/// What a future comes to, or `None` if it was polled so often and then dropped.
async fn poll_or_drop<T>(future: impl Future<Output = T>, polls: u64) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A handle on the client, with the time that its commands have.
struct Caller<'a> {
    client: Client,
    limit: Duration,
    calls: &'a mut Calls,
}

pub(crate) async fn step(client: &Client, random: &mut Random, calls: &mut Calls, serial: u64) {
    let limit = Duration::from_millis(1 + random.below(12_000));
    let client = client.with_options(client.options().timeout(limit));
    let most = if random.percent(5) { 3000 } else { 50 };
    let text = format!("{serial}-{}", "x".repeat(random.size(most)));
    let mut caller = Caller {
        client,
        limit,
        calls,
    };
    match random.below(16) {
        0..6 => caller.whole(text, random.below(10)).await,
        6..8 => caller.impatiently(text, random.below(300_000)).await,
        8..10 => caller.polled(text, random.below(12)).await,
        10..12 => caller.together(&text).await,
        12 => sleep(Duration::from_millis(random.below(60_000))).await,
        13 => {
            let command = |text| Ask { text };
            caller.pipeline(&text, random, Class::Safe, command).await;
        }
        _ => {
            let command = |text| Run { text };
            caller.pipeline(&text, random, Class::Once, command).await;
        }
    }
}

impl Caller<'_> {
    async fn in_time<T>(&self, future: impl Future<Output = T>) -> T {
        let start = Instant::now();
        let value = future.await;
        let took = start.elapsed();
        assert!(took <= self.limit + SLACK, "{took:?} of {:?}", self.limit);
        value
    }

    async fn execute(&self, command: impl QgaCommand<Response = Value>) -> Result<Value, Error> {
        self.in_time(self.client.execute(command)).await
    }

    async fn whole(&mut self, text: String, kind: u64) {
        let sent = text.clone();
        let (class, result) = match kind {
            0 => {
                let result = self.in_time(self.client.execute(Quit { text: sent })).await;
                return self.calls.quit(&text, result);
            }
            1..5 => (Class::Safe, self.execute(Ask { text: sent }).await),
            5 => (Class::Once, self.execute(Set { text: sent }).await),
            _ => (Class::Once, self.execute(Run { text: sent }).await),
        };
        self.calls.ended(&text, class, result);
    }

    async fn impatiently(&mut self, text: String, microseconds: u64) {
        let patience = Duration::from_micros(microseconds);
        let command = Run { text: text.clone() };
        let result = timeout(patience, self.execute(command)).await;
        self.settle(&text, Class::Once, result.ok());
    }

    async fn polled(&mut self, text: String, polls: u64) {
        let sent = text.clone();
        let (class, result) = if polls.is_multiple_of(2) {
            let result = poll_or_drop(self.execute(Ask { text: sent }), polls).await;
            (Class::Safe, result)
        } else {
            let result = poll_or_drop(self.execute(Run { text: sent }), polls).await;
            (Class::Once, result)
        };
        self.settle(&text, class, result);
    }

    /// Three tasks' commands on one channel.
    async fn together(&mut self, text: &str) {
        let [a, b, c] = ["a", "b", "c"].map(|task| format!("{task}{text}"));
        let results = tokio::join!(
            self.execute(Run { text: a.clone() }),
            self.execute(Ask { text: b.clone() }),
            self.execute(Run { text: c.clone() }),
        );
        self.calls.ended(&a, Class::Once, results.0);
        self.calls.ended(&b, Class::Safe, results.1);
        self.calls.ended(&c, Class::Once, results.2);
    }

    /// Some results are asked for in several calls, and the pipeline may be dropped half read.
    async fn pipeline<C: QgaCommand<Response = Value>>(
        &mut self,
        text: &str,
        random: &mut Random,
        class: Class,
        command: impl Fn(String) -> C,
    ) {
        let texts = (0..random.below(12)).map(|n| format!("{n}p{text}"));
        let texts: Vec<String> = texts.collect();
        let commands = texts.iter().cloned().map(command);
        let pipeline = self.client.pipeline(commands);
        let mut pipeline = pipeline.in_flight(random.size(6));
        let mut sent = texts.iter();
        while !random.percent(8) {
            let hurry = random.percent(40);
            let polls = if hurry { random.below(5) } else { u64::MAX };
            match poll_or_drop(self.in_time(pipeline.next()), polls).await {
                None => tokio::task::yield_now().await,
                Some(None) => break,
                Some(Some(result)) => self.calls.ended(sent.next().unwrap(), class, result),
            }
        }
        drop(pipeline);
        for text in sent {
            self.calls.dropped(text, class);
        }
    }

    fn settle(&mut self, text: &str, class: Class, result: Option<Result<Value, Error>>) {
        match result {
            Some(result) => self.calls.ended(text, class, result),
            None => self.calls.dropped(text, class),
        }
    }
}
