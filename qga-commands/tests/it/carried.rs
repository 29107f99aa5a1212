//! A channel that carries whole messages, and none longer than it may.

use std::time::{Duration, Instant};

use qga_commands::guest::process::{KillOutcome, Output};
use qga_commands::{Guest, GuestError};
use qga_core::{Answering, Client, Execution, MessageTransport, TransportError, TransportLimits};
use qga_testserver::{Profile, TestAgent};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

const REQUEST: usize = 60 * 1024;
const REPLY: usize = 40 * 1024;

/// Carries messages to an agent, one a line.
struct Carried<S> {
    stream: BufReader<S>,
    limits: TransportLimits,
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> MessageTransport for Carried<S> {
    fn limits(&self) -> TransportLimits {
        self.limits
    }

    fn call<'a>(&'a mut self, request: &'a [u8], _: Instant) -> Answering<'a> {
        assert!(request.len() <= self.limits.request.unwrap());
        Box::pin(async move {
            let line = [request, b"\n"].concat();
            self.stream
                .write_all(&line)
                .await
                .map_err(TransportError::other)?;
            let mut reply = Vec::new();
            let read = self.stream.read_until(b'\n', &mut reply).await;
            read.map_err(TransportError::other)?;
            if reply.len() > self.limits.reply.unwrap() {
                return Err(TransportError::other("the reply is too long"));
            }
            Ok(reply)
        })
    }
}

fn guest() -> (TestAgent, Guest) {
    guest_within(REQUEST, REPLY)
}

fn guest_within(request: usize, reply: usize) -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let carried = Carried {
        stream: BufReader::new(stream),
        limits: TransportLimits::new().request(request).reply(reply),
    };
    (agent, Guest::new(Client::builder().build_messages(carried)))
}

fn bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(1_000_003).collect()
}

#[tokio::test(start_paused = true)]
async fn whole_files_go_in_pieces_that_the_channel_carries() {
    let (agent, guest) = guest();
    guest.write("/tmp/f", bytes()).await.unwrap();
    assert_eq!(agent.file_content("/tmp/f").unwrap(), bytes());
    assert_eq!(guest.read("/tmp/f").await.unwrap(), bytes());
}

#[tokio::test]
async fn copies_go_in_pieces_that_the_channel_carries() {
    let (agent, guest) = guest();
    let folder = tempfile::tempdir().unwrap();
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    std::fs::write(&here, bytes()).unwrap();
    guest.upload(&here, "/tmp/f").await.unwrap();
    assert_eq!(agent.file_content("/tmp/f").unwrap(), bytes());
    guest.download("/tmp/f", &back).await.unwrap();
    assert_eq!(std::fs::read(&back).unwrap(), bytes());
}

#[tokio::test]
async fn small_files_go_together_as_far_as_the_channel_carries_them() {
    for (request, reply) in [(REQUEST, REPLY), (8192, 8192), (6144, 2048)] {
        let (agent, guest) = guest_within(request, reply);
        let folder = tempfile::tempdir().unwrap();
        let (here, back) = (folder.path().join("here"), folder.path().join("back"));
        std::fs::create_dir(&here).unwrap();
        for number in 0..40 {
            let content = &bytes()[number..number * 151];
            std::fs::write(here.join(number.to_string()), content).unwrap();
        }
        guest.upload(&here, "/tmp/tree").await.unwrap();
        guest.download("/tmp/tree", &back).await.unwrap();
        for number in 0..40 {
            let name = number.to_string();
            let there = agent.file_content(&format!("/tmp/tree/{name}"));
            let content = std::fs::read(here.join(&name)).unwrap();
            assert!(there.as_ref() == Some(&content), "{request} {name}");
            assert!(std::fs::read(back.join(&name)).unwrap() == content);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_input_that_the_channel_does_not_carry_is_told_before_anything_is_sent() {
    let (agent, guest) = guest();
    let error = guest
        .command("cat")
        .stdin(vec![b'x'; REQUEST])
        .output()
        .await
        .unwrap_err();
    assert!(error.to_string().contains("can be sent"), "{error}");
    assert!(agent.requests_of("guest-exec").is_empty());
}

#[tokio::test(start_paused = true)]
async fn small_limits_cost_no_exchange_for_each_byte() {
    for limit in [512, 1024, 4096, 8192] {
        let (agent, guest) = guest_within(limit, limit);
        let bytes = &bytes()[..5000];
        guest.write("/tmp/f", bytes).await.unwrap();
        assert_eq!(agent.file_content("/tmp/f").unwrap(), bytes);
        assert_eq!(guest.read("/tmp/f").await.unwrap(), bytes);
        let messages = agent.requests().len();
        assert!(messages < 100, "{limit}: {messages}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_request_fits_there_is_an_error() {
    let (agent, guest) = guest_within(60, 60);
    let written = guest.write("/tmp/f", "x").await.unwrap_err();
    let read = guest.read("/tmp/f").await.unwrap_err();
    for error in [written, read] {
        assert_eq!(error.execution(), Execution::NotRun);
        assert!(error.to_string().contains("60 bytes"), "{error}");
    }
    guest.command("true").output().await.unwrap_err();
    assert!(agent.requests_of("guest-exec").is_empty());
}

#[tokio::test]
async fn trees_are_copied_in_requests_that_the_channel_carries() {
    let (_agent, guest) = guest_within(16 * 1024, 256 * 1024);
    let folder = tempfile::tempdir().unwrap();
    let (here, back) = (folder.path().join("here"), folder.path().join("back"));
    for number in 0..400 {
        let inner = here.join(format!("{number:0>60}"));
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::write(inner.join("f"), "x").unwrap();
    }
    let copied = guest.upload(&here, "/tmp/d").verify(true).await.unwrap();
    assert_eq!((copied.files, copied.folders), (400, 401));
    let copied = guest.download("/tmp/d", &back).verify(true).await.unwrap();
    assert_eq!((copied.files, copied.folders), (400, 401));
}

/// A program that prints more than one reply carries, and ends with 3.
fn chatter(agent: &TestAgent) {
    let program = agent.program("/bin/chatter").stdout(bytes());
    program.stderr("and an error").exit(3);
}

fn is_whole(output: &Output) {
    assert!(output.stdout == bytes());
    assert_eq!(output.stderr, b"and an error");
    assert_eq!(output.status.code(), Some(3));
    assert!(!output.truncated);
}

#[tokio::test(start_paused = true)]
async fn output_comes_whole_where_one_reply_does_not_carry_it() {
    let (agent, guest) = guest();
    chatter(&agent);
    let command = guest.command("/bin/chatter");
    is_whole(&command.output().await.unwrap());
    let mut limited = guest.command("/bin/chatter");
    limited
        .timeout(Duration::from_secs(60))
        .kill_on_drop(true)
        .current_dir("/tmp");
    is_whole(&limited.output().await.unwrap());
    let mut started = command.start().await.unwrap();
    is_whole(&started.wait().await.unwrap());
    let mut started = command.start().await.unwrap();
    let asked = loop {
        if let Some(output) = started.try_wait().await.unwrap() {
            break output;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    is_whole(&asked);
    assert!(agent.open_handles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn output_ends_at_what_an_agent_keeps_where_one_reply_does_not_carry_it() {
    let (agent, guest) = guest_within(1 << 20, 4 << 20);
    let more = vec![b'x'; (16 << 20) + 1];
    agent.program("/bin/yes").stdout(more).exit(0);
    let output = guest.command("/bin/yes").output().await.unwrap();
    assert_eq!(output.stdout.len(), 16 << 20);
    assert!(output.truncated && output.status.success());
    assert!(agent.open_handles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_program_that_is_killed_late_has_its_output_read_in_pieces() {
    let (agent, guest) = guest();
    let program = agent.program("/bin/hangs").stdout(bytes());
    program.pause(Duration::from_secs(1000)).exit(0);
    let mut command = guest.command("/bin/hangs");
    command.timeout(Duration::from_secs(5)).kill_on_drop(true);
    let error = command.output().await.unwrap_err();
    let GuestError::TimedOut { kill, output, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(kill, KillOutcome::Killed);
    assert!(output.unwrap().stdout == bytes());
}

#[tokio::test(start_paused = true)]
async fn a_windows_has_its_output_captured_by_the_agent_on_any_channel() {
    let (agent, guest) = guest();
    agent.profile(Profile::Windows);
    agent.program("ver").stdout("10.0").exit(0);
    assert_eq!(guest.command("ver").output().await.unwrap().stdout, b"10.0");
}
