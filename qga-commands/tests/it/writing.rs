//! Many bytes that are written, with requests written ahead.

use std::time::Duration;

use qga_commands::guest::files::OpenOptions;
use qga_commands::{Guest, GuestError};
use qga_core::Client;
use qga_testserver::{Fault, TestAgent};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex, split};
use tokio::time::timeout;

const PATH: &str = "/tmp/file";
/// More than four requests.
const LENGTH: usize = 1_100_000;

fn bytes(length: usize) -> Vec<u8> {
    (0_u32..).flat_map(u32::to_le_bytes).take(length).collect()
}

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    (agent, Guest::new(Client::new(stream)))
}

/// Hands requests on to an agent, and the reply to a write only once another request is there. How many came so.
async fn hold_replies_back(client: DuplexStream, agent: DuplexStream) -> usize {
    let ((requests, mut replies), (answers, mut questions)) = (split(client), split(agent));
    let (mut requests, mut answers) = (BufReader::new(requests), BufReader::new(answers));
    let (mut overlapping, mut next) = (0, Vec::new());
    loop {
        let mut request = std::mem::take(&mut next);
        if request.is_empty() && requests.read_until(b'\n', &mut request).await.unwrap_or(0) == 0 {
            return overlapping;
        }
        questions.write_all(&request).await.unwrap();
        let text = String::from_utf8_lossy(&request[..request.len().min(100)]).into_owned();
        let mut reply = Vec::new();
        answers.read_until(b'\n', &mut reply).await.unwrap();
        if text.contains("guest-sync-delimited") && reply.starts_with(b"{\"error") {
            reply.clear();
            answers.read_until(b'\n', &mut reply).await.unwrap();
        }
        if text.contains("guest-file-write") {
            let ahead = requests.read_until(b'\n', &mut next);
            overlapping += usize::from(timeout(Duration::from_secs(1), ahead).await.is_ok());
        }
        replies.write_all(&reply).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_on_its_way_while_the_agent_writes() {
    let agent = TestAgent::in_memory().0;
    let (stream, client) = duplex(4 << 20);
    let between = tokio::spawn(hold_replies_back(client, agent.connect()));
    let guest = Guest::new(Client::new(stream));
    guest.write(PATH, bytes(LENGTH)).await.unwrap();
    drop(guest);
    assert!(agent.file_content(PATH).unwrap() == bytes(LENGTH));
    assert!(between.await.unwrap() >= 4);
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_short_write_is_written_to_its_place() {
    for at in 0..4 {
        let (agent, guest) = guest();
        // It writes all of it, and says less.
        let short = Fault::rewrite_return(|_| json!({"count": 3, "eof": false}));
        let stub = agent.on("guest-file-write").up_to(1).expect(1);
        stub.fault(short);
        if at > 0 {
            let passes = agent.on("guest-file-write").up_to(at).expect(at);
            passes.fault(Fault::drip(1000));
        }
        guest.write(PATH, bytes(LENGTH)).await.unwrap();
        let written = agent.file_content(PATH).unwrap();
        let differs = written.iter().zip(bytes(LENGTH)).position(|(a, b)| *a != b);
        assert_eq!((written.len(), differs), (LENGTH, None), "{at}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_after_a_write_that_failed_but_what_is_on_its_way() {
    let (agent, guest) = guest();
    agent
        .on("guest-file-write")
        .error("GenericError", "No space left on device");
    let error = guest.write(PATH, bytes(LENGTH)).await.unwrap_err();
    assert!(
        error.command_error().unwrap().agent_error().is_some(),
        "{error}"
    );
    assert!(agent.requests_of("guest-file-write").len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_count_that_makes_no_sense_ends_the_writing() {
    let (agent, guest) = guest();
    agent
        .on("guest-file-write")
        .reply(json!({"count": 1_i64 << 40, "eof": false}));
    let error = guest.write(PATH, bytes(LENGTH)).await.unwrap_err();
    assert!(matches!(error, GuestError::Unexpected(_)), "{error}");
    assert!(agent.requests_of("guest-file-write").len() <= 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_appended_is_sent_one_request_after_the_other() {
    let agent = TestAgent::in_memory().0;
    let (stream, client) = duplex(4 << 20);
    let between = tokio::spawn(hold_replies_back(client, agent.connect()));
    let guest = Guest::new(Client::new(stream));
    let mut options = OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(&guest, PATH)
        .await
        .unwrap();
    file.write_all(&bytes(LENGTH)).await.unwrap();
    file.close().await.unwrap();
    drop(guest);
    assert!(agent.file_content(PATH).unwrap() == bytes(LENGTH));
    assert_eq!(between.await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn other_tasks_have_their_turn_while_a_file_is_written() {
    let (agent, guest) = guest();
    let (written, ()) = tokio::join!(guest.write(PATH, bytes(LENGTH)), async {
        agent.wait_for("guest-file-write", 2).await;
        guest
            .execute(qga_commands::commands::agent::Ping)
            .await
            .unwrap();
    });
    written.unwrap();
    let names: Vec<_> = agent
        .requests()
        .into_iter()
        .map(|request| request.name)
        .collect();
    let ping = names.iter().position(|name| name == "guest-ping").unwrap();
    let last = names
        .iter()
        .rposition(|name| name == "guest-file-write")
        .unwrap();
    assert!(ping < last, "{names:?}");
    assert!(agent.file_content(PATH).unwrap() == bytes(LENGTH));
}
