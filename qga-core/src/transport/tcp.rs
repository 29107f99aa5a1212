//! TCP connections. A name may have several addresses, and some of them may never answer.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Result};
use std::net::{SocketAddr, TcpStream as BlockingTcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::time_left;
use crate::error::Reason;

/// How long one address is waited for before the next one is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

type Attempt = Pin<Box<dyn Future<Output = Result<TcpStream>> + Send>>;

pub(super) async fn open(host_and_port: &str) -> Result<TcpStream> {
    let found = tokio::net::lookup_host(host_and_port).await;
    let addresses = found.map_err(|error| unresolved(host_and_port, &error))?;
    let mut race = Race::of(addresses.collect());
    let stream = poll_fn(|cx| race.poll(cx)).await;
    let stream = stream.unwrap_or_else(|| Err(nothing(host_and_port)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connections to all addresses of a name, of which the first that is made wins.
struct Race {
    waiting: std::vec::IntoIter<SocketAddr>,
    running: Vec<Attempt>,
    /// When the next one begins.
    next: Pin<Box<Sleep>>,
    /// How the first attempt failed.
    failed: Option<io::Error>,
}

impl Race {
    fn of(addresses: Vec<SocketAddr>) -> Self {
        Self {
            waiting: addresses.into_iter(),
            running: Vec::new(),
            next: Box::pin(sleep(Duration::ZERO)),
            failed: None,
        }
    }

    /// The winner, or why nobody won; none if nobody took part.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<TcpStream>>> {
        loop {
            if let Some(stream) = self.poll_running(cx) {
                return Poll::Ready(Some(Ok(stream)));
            }
            let is_time = self.running.is_empty() || self.next.as_mut().poll(cx).is_ready();
            match is_time.then(|| self.waiting.next()) {
                Some(Some(address)) => {
                    self.running.push(Box::pin(TcpStream::connect(address)));
                    self.next = Box::pin(sleep(HEAD_START));
                }
                _ if self.running.is_empty() => return Poll::Ready(self.failed.take().map(Err)),
                _ => return Poll::Pending,
            }
        }
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<TcpStream> {
        let mut winner = None;
        self.running
            .retain_mut(|attempt| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    winner = Some(stream);
                    false
                }
                Poll::Ready(Err(error)) => {
                    self.failed.get_or_insert(error);
                    false
                }
            });
        winner
    }
}

pub(super) fn open_blocking(host_and_port: &str, deadline: Instant) -> Result<BlockingTcpStream> {
    let addresses = look_up(host_and_port, deadline)?;
    let stream = first_of(&addresses, deadline);
    let stream = stream.unwrap_or_else(|| Err(nothing(host_and_port)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The system looks names up for as long as it likes, so a thread of its own waits for that.
fn look_up(host_and_port: &str, deadline: Instant) -> Result<Vec<SocketAddr>> {
    if let Ok(address) = host_and_port.parse() {
        return Ok(vec![address]);
    }
    let (sender, receiver) = mpsc::channel();
    let name = host_and_port.to_owned();
    let thread = thread::Builder::new().name("qga-lookup".to_owned());
    thread.spawn(move || sender.send(name.to_socket_addrs().map(Iterator::collect)))?;
    match receiver.recv_timeout(time_left(deadline)?) {
        Ok(found) => found.map_err(|error| unresolved(host_and_port, &error)),
        Err(_) => Err(ErrorKind::TimedOut.into()),
    }
}

/// Tries one address after the other, each for its share of the time that is left. None if there is none.
fn first_of(addresses: &[SocketAddr], deadline: Instant) -> Option<Result<BlockingTcpStream>> {
    let mut failed = None;
    for (address, waiting) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        let stream = time_left(deadline)
            .and_then(|left| BlockingTcpStream::connect_timeout(address, left / waiting));
        match stream {
            Ok(stream) => return Some(Ok(stream)),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map(Err)
}

fn unresolved(host_and_port: &str, error: &io::Error) -> io::Error {
    let host = host_and_port
        .rsplit_once(':')
        .map_or(host_and_port, |(host, _)| host);
    Reason::error(
        ErrorKind::HostUnreachable,
        format!("no address is found for the host {host}: {error}"),
    )
}

fn nothing(host_and_port: &str) -> io::Error {
    unresolved(host_and_port, &ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address where nobody listens, one that never answers, and one that does.
    struct Addresses {
        refuses: SocketAddr,
        silent: SocketAddr,
        answers: SocketAddr,
        _kept: (Vec<socket2::Socket>, std::net::TcpListener),
    }

    impl Addresses {
        fn new() -> Self {
            let here: SocketAddr = ([127, 0, 0, 1], 0).into();
            let listener = std::net::TcpListener::bind(here).unwrap();
            let answers = listener.local_addr().unwrap();
            let refuses = std::net::TcpListener::bind(here)
                .unwrap()
                .local_addr()
                .unwrap();
            let new = || {
                socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
            };
            let full = new();
            full.bind(&here.into()).unwrap();
            full.listen(0).unwrap();
            let silent = full.local_addr().unwrap().as_socket().unwrap();
            // Once its queue is full, Linux answers nobody.
            let mut kept = vec![full];
            for _ in 0..4 {
                let socket = new();
                socket.set_nonblocking(true).unwrap();
                drop(socket.connect(&silent.into()));
                kept.push(socket);
            }
            Self {
                refuses,
                silent,
                answers,
                _kept: (kept, listener),
            }
        }
    }

    #[tokio::test]
    async fn the_first_address_that_answers_is_taken_whatever_the_others_do() {
        let some = Addresses::new();
        for all in [
            vec![some.answers],
            vec![some.refuses, some.answers],
            vec![some.silent, some.refuses, some.answers],
            vec![some.silent, some.answers, some.silent],
        ] {
            let mut race = Race::of(all.clone());
            let stream = poll_fn(|cx| race.poll(cx)).await.unwrap().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), some.answers);
            let deadline = Instant::now() + Duration::from_secs(2);
            let stream = first_of(&all, deadline).unwrap().unwrap();
            assert_eq!(stream.peer_addr().unwrap(), some.answers);
        }
    }

    #[tokio::test]
    async fn of_several_failures_the_first_one_is_told() {
        let some = Addresses::new();
        let mut race = Race::of(vec![some.refuses, some.refuses]);
        let error = poll_fn(|cx| race.poll(cx)).await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let mut race = Race::of(Vec::new());
        assert!(poll_fn(|cx| race.poll(cx)).await.is_none());
        assert!(first_of(&[], Instant::now()).is_none());
    }
}
