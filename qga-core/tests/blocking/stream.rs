//! Streams of the caller's own.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::support::{BRIEF, PATIENT, Peer, Ping, echo};
use qga_core::blocking::{Client, Stream};
use qga_core::{Error, Execution, Stage};
use serde_json::Value;

/// A stream that misbehaves.
struct Odd {
    stream: UnixStream,
    way: Way,
    calls: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// Reads and writes one byte at a time.
    Bytewise,
    /// Every second call is interrupted, as by a signal.
    Interrupted,
    /// Every third call ends as if it had waited long enough.
    Hasty,
    /// Takes a byte at a time, slowly.
    Sips,
    /// Takes nothing of a request that is no sync, and waits as it was told.
    TakesNothing,
    WriteZero,
    WriteFails,
    FlushFails,
    FlushNever,
    RefusesTimeouts,
    /// Refuses a read that may wait longer than this.
    WaitsAtMost(Duration),
}

impl Odd {
    fn new(stream: UnixStream, way: Way) -> Self {
        Self {
            stream,
            way,
            calls: 0,
        }
    }

    fn turn(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.way {
            Way::Interrupted if self.calls.is_multiple_of(2) => Err(ErrorKind::Interrupted.into()),
            Way::Hasty if self.calls.is_multiple_of(3) => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

impl Read for Odd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn()?;
        let length = match self.way {
            Way::Bytewise => 1,
            _ => buffer.len(),
        };
        self.stream.read(&mut buffer[..length])
    }
}

impl Write for Odd {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.turn()?;
        let is_sync = bytes[0] == 0xFF;
        match self.way {
            Way::Bytewise => self.stream.write(&bytes[..1]),
            Way::Sips if !is_sync => {
                sleep(Duration::from_millis(5));
                Ok(1)
            }
            Way::TakesNothing if !is_sync => {
                sleep(Duration::from_millis(10));
                Err(ErrorKind::WouldBlock.into())
            }
            Way::WriteZero if !is_sync => Ok(0),
            Way::WriteFails if !is_sync => Err(ErrorKind::BrokenPipe.into()),
            _ => self.stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.turn()?;
        // The first flush is that of the sync.
        match self.way {
            Way::FlushFails if self.calls > 3 => Err(ErrorKind::BrokenPipe.into()),
            Way::FlushNever if self.calls > 3 => Err(ErrorKind::WouldBlock.into()),
            _ => self.stream.flush(),
        }
    }
}

impl Stream for Odd {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        assert!(timeout >= Duration::from_micros(1), "{timeout:?}");
        match self.way {
            Way::RefusesTimeouts => Err(ErrorKind::Unsupported.into()),
            Way::WaitsAtMost(most) if timeout > most => Err(ErrorKind::Unsupported.into()),
            _ => Stream::set_read_timeout(&self.stream, timeout),
        }
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        Stream::set_write_timeout(&self.stream, timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.stream.set_nonblocking(nonblocking)
    }
}

/// A client over such a stream, before an agent that echoes.
fn client(way: Way) -> Client {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || Peer::over(theirs).echo_all());
    Client::builder()
        .options(PATIENT)
        .build(Odd::new(ours, way))
}

fn fails(way: Way, size: usize) -> Error {
    let client = client(way).with_options(BRIEF);
    client.execute(echo("x".repeat(size))).unwrap_err()
}

#[test]
fn a_stream_may_take_and_bring_as_little_as_it_likes() {
    for way in [Way::Bytewise, Way::Interrupted, Way::Hasty] {
        let client = client(way);
        for text in ["a".to_owned(), "b".repeat(10_000), "c".to_owned()] {
            let answer = client.execute(echo(&text));
            assert_eq!(answer.unwrap(), Value::String(text), "{way:?}");
        }
        let results: Vec<_> = client.pipeline((0..20).map(echo)).collect();
        assert!(results.iter().all(Result::is_ok), "{way:?}: {results:?}");
    }
}

#[test]
fn a_stream_that_takes_a_byte_at_a_time_does_not_extend_the_deadline() {
    let error = fails(Way::Sips, 10_000);
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::MaybeRun)
    );
}

#[test]
fn a_request_that_the_stream_does_not_take_has_not_run() {
    let error = fails(Way::TakesNothing, 10);
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(
        (error.stage(), error.execution()),
        (Stage::Send, Execution::NotRun)
    );
    for way in [Way::WriteZero, Way::WriteFails] {
        let error = fails(way, 10);
        assert!(error.is_closed(), "{way:?}: {error:?}");
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Send, Execution::NotRun),
            "{way:?}"
        );
    }
}

#[test]
fn a_request_that_was_written_and_not_flushed_may_have_run() {
    for way in [Way::FlushFails, Way::FlushNever] {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut peer = Peer::over(theirs);
        let client = Client::builder().options(BRIEF).build(Odd::new(ours, way));
        let (error, ()) = crate::support::both(
            || client.execute(Ping).unwrap_err(),
            || {
                peer.sync();
                peer.request();
            },
        );
        assert_eq!(
            (error.stage(), error.execution()),
            (Stage::Send, Execution::MaybeRun),
            "{way:?}: {error:?}"
        );
    }
}

#[test]
fn a_stream_that_refuses_timeouts_is_an_error_and_not_used_without_them() {
    let error = fails(Way::RefusesTimeouts, 10);
    assert!(error.is_closed() && !error.is_timeout(), "{error:?}");
    assert_eq!(error.execution(), Execution::NotRun);
}

#[test]
fn a_read_waits_hardly_longer_than_there_is_time_however_long_that_is() {
    for timeout in [Duration::from_secs(1), Duration::from_secs(3600)] {
        let client = client(Way::WaitsAtMost(timeout + Duration::from_millis(50)));
        let patient = client.with_options(client.options().timeout(timeout));
        for text in ["a", "b"] {
            assert_eq!(patient.execute(echo(text)).unwrap(), text);
        }
    }
}
