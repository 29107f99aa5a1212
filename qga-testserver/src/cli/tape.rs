//! Records a real agent, and answers as it was recorded.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::arguments::{Record, Replay};
use super::serve::{Setup, announce, listen};
use super::{Failure, signals};
use crate::Cassette;
use crate::cassette::header;
use crate::lock::lock;
use crate::wire::listener::{Listener, Stream, connect};
use crate::wire::socket::Socket;

mod recorder;

use recorder::Recorder;

/// The most bytes that are passed on at once.
const CHUNK: usize = 64 << 10;

type Tape = Arc<Mutex<Recorder<File>>>;

/// Answers from a cassette until the program is told to end.
pub(super) async fn replay(options: &Replay) -> Result<(), Failure> {
    let cassette = Cassette::load(&options.cassette).map_err(|error| error.to_string())?;
    let setup = Setup::of(&options.agent)?;
    let stop = signals::stop()?;
    let agent = listen(&options.listen).await?;
    setup.apply(&agent);
    if options.matching {
        agent.play_matching(&cassette);
    } else {
        agent.play(&cassette);
    }
    announce(&agent.address())?;
    stop.await;
    let failure = agent.failure();
    agent.reset();
    failure.map_or(Ok(()), Err)
}

/// Stands between clients and a real agent until the program is told to end.
pub(super) async fn record(options: &Record) -> Result<(), Failure> {
    let stop = signals::stop()?;
    let tape = open(&options.cassette, options.with_secrets)?;
    let cannot = |error| format!("cannot listen on {}: {error}", options.listen);
    let (socket, listener) = Socket::listen(&options.listen).await.map_err(cannot)?;
    announce(&socket.address())?;
    let upstream = options.upstream.clone();
    let proxy = tokio::spawn(proxy(listener, upstream, Arc::clone(&tape)));
    stop.await;
    proxy.abort();
    let kept = lock(&tape).finish();
    kept.map_err(|error| format!("cannot write {}: {error}", options.cassette.display()))
}

fn open(path: &Path, with_secrets: bool) -> Result<Tape, Failure> {
    let cannot = |error| format!("cannot write {}: {error}", path.display());
    let mut file = File::create(path).map_err(cannot)?;
    writeln!(file, "{}", header()).map_err(cannot)?;
    Ok(Arc::new(Mutex::new(Recorder::new(file, with_secrets))))
}

/// Serves one client after the other, as an agent does.
#[allow(
    clippy::print_stderr,
    reason = "the client sees only that it is let down"
)]
async fn proxy(listener: Listener, upstream: String, tape: Tape) {
    loop {
        let Ok(client) = listener.accept().await else {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        match connect(&upstream).await {
            Ok(agent) => pass_on(client, agent, &tape).await,
            Err(error) => eprintln!("qga-testserver: cannot connect to {upstream}: {error}"),
        }
    }
}

async fn pass_on(client: Box<dyn Stream>, agent: Box<dyn Stream>, tape: &Tape) {
    let (from_client, to_client) = tokio::io::split(client);
    let (from_agent, to_agent) = tokio::io::split(agent);
    let requests = Arc::clone(tape);
    let forward = tokio::spawn(copy(from_client, to_agent, move |bytes| {
        lock(&requests).sent(bytes);
    }));
    copy(from_agent, to_client, |bytes| lock(tape).received(bytes)).await;
    forward.abort();
    lock(tape).disconnected();
}

/// Passes bytes on until the stream ends.
async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    note: impl Fn(&[u8]),
) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let bytes = buffer.get(..count).unwrap_or_default();
        note(bytes);
        if to.write_all(bytes).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    // The other side may be gone already.
    drop(to.shutdown().await);
}
