//! TCP connections. A name may have several addresses, and some of them may never answer.

use std::future::poll_fn;
use std::io::{self, ErrorKind, Result};
use std::net::{SocketAddr, TcpStream as BlockingTcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
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
    let mut race = Race {
        waiting: addresses.collect::<Vec<_>>().into_iter(),
        running: Vec::new(),
        next: Box::pin(sleep(Duration::ZERO)),
        failed: None,
    };
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

/// Gives each address its share of the time that is left.
pub(super) fn open_blocking(host_and_port: &str, deadline: Instant) -> Result<BlockingTcpStream> {
    let found = host_and_port.to_socket_addrs();
    let addresses: Vec<_> = found
        .map_err(|error| unresolved(host_and_port, &error))?
        .collect();
    let mut failed = None;
    for (address, waiting) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = time_left(deadline)? / u32::try_from(waiting).unwrap_or(u32::MAX);
        match BlockingTcpStream::connect_timeout(address, share) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => {
                failed.get_or_insert(error);
            }
        }
    }
    Err(failed.unwrap_or_else(|| nothing(host_and_port)))
}

fn unresolved(host_and_port: &str, error: &io::Error) -> io::Error {
    let host = host_and_port
        .rsplit_once(':')
        .map_or(host_and_port, |(host, _)| host);
    Reason::error(
        ErrorKind::HostUnreachable,
        format!("no address is found for the host {host}: {error}; is its name right?"),
    )
}

fn nothing(host_and_port: &str) -> io::Error {
    unresolved(host_and_port, &ErrorKind::NotFound.into())
}
