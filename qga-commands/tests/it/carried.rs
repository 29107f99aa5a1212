//! A channel that carries whole messages, and none longer than it may.

use std::time::Instant;

use qga_commands::Guest;
use qga_core::{Answering, Client, MessageTransport, TransportError, TransportLimits};
use qga_testserver::TestAgent;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

const REQUEST: usize = 60 * 1024;
const REPLY: usize = 40 * 1024;

/// Carries messages to an agent, one a line.
struct Carried<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Send + Unpin> MessageTransport for Carried<S> {
    fn limits(&self) -> TransportLimits {
        TransportLimits::new().request(REQUEST).reply(REPLY)
    }

    fn call<'a>(&'a mut self, request: &'a [u8], _: Instant) -> Answering<'a> {
        assert!(request.len() <= REQUEST);
        Box::pin(async move {
            let line = [request, b"\n"].concat();
            self.0
                .write_all(&line)
                .await
                .map_err(TransportError::other)?;
            let mut reply = Vec::new();
            let read = self.0.read_until(b'\n', &mut reply).await;
            read.map_err(TransportError::other)?;
            assert!(reply.len() <= REPLY, "{} bytes", reply.len());
            Ok(reply)
        })
    }
}

fn guest() -> (TestAgent, Guest) {
    let (agent, stream) = TestAgent::in_memory();
    let client = Client::builder().build_messages(Carried(BufReader::new(stream)));
    (agent, Guest::new(client))
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
