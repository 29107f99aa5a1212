//! Commands, cancels, timeouts and pipelines in any order, against an agent that loses, delays,
//! repeats, tears and garbles its replies: no reply is given to another command, no command
//! outlives its deadline, and only what may be sent again runs twice. A failure names its seed.

use std::collections::HashSet;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use qga_core::{Client, Error, QgaCommand};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{QUICK, STRAY, echo};

const SEEDS: u64 = 250;
const COMMANDS: u64 = 25;

/// `SplitMix64`: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn size(&mut self, end: u64) -> usize {
        usize::try_from(self.below(end)).unwrap()
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// As `Echo`, but it may be sent again.
#[derive(QgaCommand)]
#[qga(name = "test-echo", response = Value, retry = Safe)]
struct SafeEcho {
    text: String,
    safe: bool,
}

/// An agent with an input that outlives clients' mistakes: 0xFF ends a broken request.
struct Agent {
    random: Random,
    echoes_ids: bool,
    is_faulty: bool,
    said: Vec<String>,
    ran: HashSet<String>,
    repeated: u32,
}

impl Agent {
    /// Says, at the end, how many commands came again.
    async fn serve(mut self, stream: DuplexStream) -> std::io::Result<u32> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut input = Vec::new();
        loop {
            let mut piece = vec![0; 1 + self.random.size(300)];
            let count = reader.read(&mut piece).await?;
            if count == 0 {
                return Ok(self.repeated);
            }
            input.extend_from_slice(&piece[..count]);
            while let Some(end) = input.iter().position(|byte| b"\n\xFF".contains(byte)) {
                let line: Vec<u8> = input.drain(..=end).collect();
                let answer = self.answer(&line).await;
                for piece in answer.chunks(1 + self.random.size(200)) {
                    writer.write_all(piece).await?;
                }
            }
        }
    }

    async fn answer(&mut self, line: &[u8]) -> Vec<u8> {
        let (last, request) = line.split_last().unwrap();
        let Ok(request) = serde_json::from_slice::<Value>(request) else {
            return STRAY.repeat(1 + self.random.size(3)).into_bytes();
        };
        if *last == 0xFF {
            return STRAY.into();
        }
        let is_sync = request["execute"] == "guest-sync-delimited";
        let arguments = &request["arguments"];
        if !is_sync && !self.ran.insert(arguments["text"].to_string()) {
            assert_eq!(arguments["safe"], true, "sent twice: {request}");
            self.repeated += 1;
        }
        let text = self.reply(&request, is_sync);
        let mut answer = Vec::new();
        if self.is_faulty && self.spoil(&mut answer, &text, is_sync).await {
            return answer;
        }
        if is_sync {
            answer.push(0xFF);
        }
        answer.extend_from_slice(text.as_bytes());
        if self.is_faulty && self.echoes_ids && self.random.percent(5) {
            answer.extend_from_slice(text.as_bytes());
        }
        self.said.push(text);
        answer
    }

    fn reply(&mut self, request: &Value, is_sync: bool) -> String {
        let id = match &request["id"] {
            id if self.echoes_ids && !id.is_null() => format!(", \"id\": {id}"),
            _ => String::new(),
        };
        let text = &request["arguments"]["text"];
        if is_sync {
            format!("{{\"return\": {}{id}}}\n", request["arguments"]["id"])
        } else if self.random.percent(5) {
            format!("{{\"error\": {{\"class\": \"GenericError\", \"desc\": {text}}}{id}}}\n")
        } else {
            format!("{{\"return\": {text}{id}}}\n")
        }
    }

    /// Delays an answer, puts something before it, or loses it (then true).
    async fn spoil(&mut self, answer: &mut Vec<u8>, text: &str, is_sync: bool) -> bool {
        if self.random.percent(10) {
            sleep(Duration::from_millis(self.random.below(400))).await;
        }
        if self.random.percent(3) {
            sleep(Duration::from_millis(self.random.below(15_000))).await;
        }
        if !is_sync && self.random.percent(4) {
            return true;
        }
        // Without ids, an old reply cannot be told from a new one.
        if self.echoes_ids {
            if !is_sync && self.random.percent(4) {
                answer.extend_from_slice(b"{\"return\": \"brok\n");
                return true;
            }
            if self.random.percent(6) && !self.said.is_empty() {
                let old = self.random.size(self.said.len() as u64);
                answer.extend_from_slice(self.said[old].as_bytes());
            }
            if self.random.percent(3) {
                let torn = self.random.size(text.len() as u64 - 1);
                answer.extend_from_slice(&text.as_bytes()[..torn]);
            }
            if self.random.percent(2) {
                answer.extend_from_slice(b"\xFE\xFE");
            }
        }
        false
    }
}

fn check(sent: &str, result: Result<Value, Error>) -> bool {
    match result {
        Ok(returned) => {
            assert_eq!(returned, sent);
            true
        }
        Err(error) => {
            if let Some(error) = error.agent_error() {
                assert_eq!(error.desc, sent);
            }
            false
        }
    }
}

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

/// One step of a run; says how many commands were answered.
async fn step(client: &Client, random: &mut Random, serial: u64) -> u32 {
    let limit = Duration::from_millis(1 + random.below(12_000));
    let client = client.with_options(client.options().timeout(limit));
    let text = format!("{serial}-{}", "x".repeat(random.size(3000)));
    match random.below(5) {
        4 => {
            let start = Instant::now();
            let safe = true;
            let sent = text.clone();
            let result = client.execute(SafeEcho { text, safe }).await;
            assert!(start.elapsed() <= limit + Duration::from_millis(3));
            u32::from(check(&sent, result))
        }
        0 => {
            let start = Instant::now();
            let result = client.execute(echo(&text)).await;
            assert!(start.elapsed() <= limit + Duration::from_millis(3));
            u32::from(check(&text, result))
        }
        1 => {
            let patience = Duration::from_micros(random.below(300_000));
            let result = timeout(patience, client.execute(echo(&text))).await;
            result.map_or(0, |result| u32::from(check(&text, result)))
        }
        2 => {
            let polls = random.below(12);
            let result = poll_or_drop(client.execute(echo(&text)), polls).await;
            result.map_or(0, |result| u32::from(check(&text, result)))
        }
        _ => pipeline(&client, random, &text).await,
    }
}

async fn pipeline(client: &Client, random: &mut Random, text: &str) -> u32 {
    let texts: Vec<String> = (0..random.below(12))
        .map(|n| format!("{n}-{text}"))
        .collect();
    let commands = texts.iter().map(echo);
    let mut pipeline = client.pipeline(commands).in_flight(random.size(6));
    let mut sent = texts.iter();
    let mut answered = 0;
    while !random.percent(8) {
        let polls = if random.percent(60) {
            u64::MAX
        } else {
            random.below(5)
        };
        match poll_or_drop(pipeline.next(), polls).await {
            None => tokio::task::yield_now().await,
            Some(None) => break,
            Some(Some(result)) => answered += u32::from(check(sent.next().unwrap(), result)),
        }
    }
    answered
}

/// Says how many commands were answered, and how many were sent again.
fn run(seed: u64, echoes_ids: bool, is_faulty: bool) -> (u32, u32) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut random = Random(seed);
        let (ours, theirs) = tokio::io::duplex(1 + random.size(2000));
        let agent = Agent {
            random: Random(!seed),
            echoes_ids,
            is_faulty,
            said: Vec::new(),
            ran: HashSet::new(),
            repeated: 0,
        };
        let agent = tokio::spawn(agent.serve(theirs));
        let client = Client::builder().options(QUICK).build(ours);
        let mut answered = 0;
        for serial in 0..COMMANDS {
            answered += step(&client, &mut random, serial).await;
        }
        drop(client);
        (answered, agent.await.unwrap().unwrap_or_default())
    })
}

fn run_all(echoes_ids: bool, is_faulty: bool) {
    let (mut answered, mut repeated) = (0, 0);
    for seed in 0..SEEDS {
        let one = std::panic::catch_unwind(|| run(seed, echoes_ids, is_faulty));
        let (more_answered, more_repeated) = one.unwrap_or_else(|_| panic!("seed {seed}"));
        answered += more_answered;
        repeated += more_repeated;
    }
    assert_eq!(repeated > 10, echoes_ids && is_faulty, "{repeated}");
    assert!(answered > 1000, "only {answered} commands were answered");
}

#[test]
fn with_ids_no_reply_goes_astray() {
    run_all(true, false);
}

#[test]
fn with_ids_and_a_faulty_agent_no_reply_goes_astray() {
    run_all(true, true);
}

#[test]
fn without_ids_no_reply_goes_astray() {
    run_all(false, false);
}

#[test]
fn without_ids_and_with_lost_and_late_replies_no_reply_goes_astray() {
    run_all(false, true);
}
