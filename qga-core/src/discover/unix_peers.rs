//! Which Unix sockets are connected with which, as the kernel tells over netlink (`sock_diag`). `/proc` does not.

use std::collections::HashMap;
use std::io::{self, Read};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// How many sockets are looked at.
const SOCKETS: usize = 1_000_000;
/// The kernel answers at once; whatever else is there must not hold anybody up.
const PATIENCE: Duration = Duration::from_secs(1);

const NETLINK: i32 = 16;
const SOCK_DIAG: i32 = 4;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const REQUEST_AND_DUMP: u16 = 0x301;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const FAMILY_UNIX: u8 = 1;
const ESTABLISHED: u32 = 1 << 1;
const SHOW_PEER: u32 = 4;
const PEER: u16 = 2;
/// Of a message, and of what is said of a socket before its attributes.
const HEADER: usize = 16;
/// Of an attribute.
const ATTRIBUTE: usize = 4;

/// The inode of the other end of each socket of this network namespace that is connected; 0 of one that was closed, or
/// that waits to be accepted. Nothing if the kernel does not tell.
pub(super) fn of_this_host() -> HashMap<u64, u64> {
    ask().unwrap_or_default()
}

fn ask() -> io::Result<HashMap<u64, u64>> {
    let netlink = Domain::from(NETLINK);
    let mut socket = Socket::new(netlink, Type::DGRAM, Some(Protocol::from(SOCK_DIAG)))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.send(&request())?;
    let mut peers = HashMap::new();
    let mut buffer = vec![0; 64 << 10];
    while peers.len() < SOCKETS {
        let length = socket.read(&mut buffer)?;
        if length == 0 || !read(buffer.get(..length).unwrap_or_default(), &mut peers) {
            break;
        }
    }
    Ok(peers)
}

fn request() -> Vec<u8> {
    let mut body = vec![FAMILY_UNIX, 0, 0, 0];
    // The states that are wanted, no inode, what is to be told, and no cookie.
    for word in [ESTABLISHED, 0, SHOW_PEER, 0, 0] {
        body.extend(word.to_ne_bytes());
    }
    let length = u32::try_from(HEADER + body.len()).unwrap_or_default();
    let mut request = length.to_ne_bytes().to_vec();
    request.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    request.extend(REQUEST_AND_DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend(body);
    request
}

/// Reads messages. Whether more of them come.
fn read(mut messages: &[u8], peers: &mut HashMap<u64, u64>) -> bool {
    while let Some((message, rest)) = split(messages, u32_at(messages, 0), HEADER) {
        match u16_at(message, 4) {
            Some(ERROR | DONE) => return false,
            Some(SOCK_DIAG_BY_FAMILY) => {
                let body = message.get(HEADER..).unwrap_or_default();
                if let (Some(inode), Some(peer)) = (u32_at(body, 4), peer(body)) {
                    peers.insert(inode.into(), peer.into());
                }
            }
            _ => {}
        }
        messages = rest;
    }
    true
}

/// The other end, of what is said of a socket.
fn peer(body: &[u8]) -> Option<u32> {
    let mut attributes = body.get(HEADER..)?;
    loop {
        let length = u16_at(attributes, 0).map(u32::from);
        let (attribute, rest) = split(attributes, length, ATTRIBUTE)?;
        if u16_at(attribute, 2) == Some(PEER) {
            return u32_at(attribute, ATTRIBUTE);
        }
        attributes = rest;
    }
}

/// The first part, which is so long, and what follows after it; each begins at a multiple of four.
fn split(bytes: &[u8], length: Option<u32>, least: usize) -> Option<(&[u8], &[u8])> {
    let length = usize::try_from(length?).ok()?;
    let part = bytes.get(..length).filter(|part| part.len() >= least)?;
    let rest = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((part, rest))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*word))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn both_ends_of_a_connection_are_each_others_peers() {
        let inode = |stream: &UnixStream| {
            let folder = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(stream));
            std::fs::metadata(folder).unwrap().ino()
        };
        let (one, other) = UnixStream::pair().unwrap();
        let Ok(peers) = ask() else {
            eprintln!("left out: this kernel does not tell of Unix sockets over netlink");
            return;
        };
        assert_eq!(peers.get(&inode(&one)), Some(&inode(&other)));
        assert_eq!(peers.get(&inode(&other)), Some(&inode(&one)));
        drop(other);
        assert_eq!(ask().unwrap().get(&inode(&one)), Some(&0));
    }

    /// A message of the kernel about a socket, with these attributes.
    fn message(inode: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![FAMILY_UNIX, 1, 1, 0];
        body.extend(inode.to_ne_bytes());
        body.extend([0; 8]);
        for (kind, value) in attributes {
            let length = u16::try_from(ATTRIBUTE + value.len()).unwrap();
            body.extend(length.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        message.extend([0; 10]);
        message.extend(body);
        message
    }

    fn read_all(bytes: &[u8]) -> (HashMap<u64, u64>, bool) {
        let mut peers = HashMap::new();
        let more = read(bytes, &mut peers);
        (peers, more)
    }

    #[test]
    fn a_peer_is_read_behind_other_attributes_and_one_without_an_inode_is_zero() {
        let peer = |inode: u32| inode.to_ne_bytes();
        let bytes = [
            message(7, &[(0, b"/run/qga.sock\0"), (PEER, &peer(8))]),
            message(9, &[(PEER, &peer(0))]),
            message(10, &[(0, b"x")]),
            message(11, &[(PEER, &peer(12))]),
        ]
        .concat();
        let peers = HashMap::from([(7, 8), (9, 0), (11, 12)]);
        assert_eq!(read_all(&bytes), (peers, true));
    }

    #[test]
    fn what_makes_no_sense_is_passed_over_and_ends() {
        let whole = message(7, &[(0, b"/run/qga.sock\0"), (PEER, &8_u32.to_ne_bytes())]);
        for length in 0..whole.len() {
            let cut = &whole[..length];
            assert_eq!(read_all(cut).0, HashMap::new(), "{length}");
            // The same, where the message says that it ends there.
            let mut told = cut.to_vec();
            if let Some(field) = told.first_chunk_mut() {
                *field = u32::try_from(length).unwrap().to_ne_bytes();
                read_all(&told);
            }
        }
        for (at, value) in (0..whole.len()).flat_map(|at| [(at, 0), (at, 1), (at, 255)]) {
            let mut odd = whole.clone();
            odd[at] = value;
            read_all(&odd);
        }
        assert!(!read_all(&[&20_u32.to_ne_bytes()[..], &DONE.to_ne_bytes(), &[0; 14]].concat()).1);
    }
}
