//! The tables of TCP sockets in `/proc/net/tcp` and `/proc/net/tcp6`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::bounded;

/// How many sockets are looked at, and how many of those that are wanted are kept.
const SOCKETS: usize = 2_000_000;
const KEPT: usize = 100_000;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct TcpSocket {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) listens: bool,
    pub(super) inode: u64,
}

/// Reads both tables for the sockets that are wanted.
pub(super) fn read(net: &Path, wanted: impl Fn(&TcpSocket) -> bool) -> io::Result<Vec<TcpSocket>> {
    let mut sockets = Vec::new();
    for name in ["tcp", "tcp6"] {
        let read = bounded::lines(&net.join(name), SOCKETS, |line| {
            let socket = std::str::from_utf8(line).ok().and_then(socket);
            if sockets.len() < KEPT {
                sockets.extend(socket.filter(&wanted));
            }
        });
        match read {
            // A host may have no IPv6.
            Err(error) if name == "tcp6" && error.kind() == io::ErrorKind::NotFound => {}
            read => read?,
        }
    }
    Ok(sockets)
}

/// Columns: number, local, remote, state, queues, timer, retransmits, user, timeout, inode.
fn socket(line: &str) -> Option<TcpSocket> {
    const ESTABLISHED: &str = "01";
    const LISTEN: &str = "0A";
    let mut columns = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (columns.next()?, columns.next()?);
    let state = columns.next()?;
    (state == ESTABLISHED || state == LISTEN).then_some(())?;
    Some(TcpSocket {
        local: address(local)?,
        remote: address(remote)?,
        listens: state == LISTEN,
        inode: columns.nth(5)?.parse().ok()?,
    })
}

/// Words of 32 bits in the byte order of this host.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| {
        let word = u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            let bytes = <[u8; 16]>::try_from(words.as_flattened()).ok()?;
            IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_this_process_are_read_from_the_real_table() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(host) else {
                continue; // Without IPv6.
            };
            let local = listener.local_addr().unwrap();
            let client = std::net::TcpStream::connect(local).unwrap();
            let sockets = read(Path::new("/proc/net"), |socket| {
                [socket.local, socket.remote].contains(&local)
            });
            let sockets = sockets.unwrap();
            assert!(sockets.iter().any(|it| it.listens && it.local == local));
            let client = client.local_addr().unwrap();
            let mut connected = sockets.iter().filter(|socket| !socket.listens);
            assert!(connected.any(|it| (it.local, it.remote) == (client, local)));
        }
    }

    #[test]
    fn lines_that_make_no_sense_are_passed_over() {
        for line in [
            "",
            "0: 0100007F:1F90",
            "0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 x",
            "0: 0100007:1F900 00000000:0000 0A 0 0 0 0 0 1",
            "0: \u{e9}\u{e9}\u{e9}\u{e9}:1F90 00000000:0000 0A 0 0 0 0 0 1",
            "0: 0100007F:1F90 00000000:0000 06 0 0 0 0 0 1",
        ] {
            assert_eq!(socket(line), None, "{line}");
        }
    }
}
