//! Who listens on a channel, and who is connected to it, as far as open files and locks tell.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::found::{Holder, Process, Reach};
use super::host::Host;
use super::locks::Locks;
use super::process::{Running, each_open_file, is_gone, socket_inode};
use super::report::{self, Candidate, Report};
use super::tcp_table::{self, TcpSocket};
use super::unseen::Unseen;
use crate::terms::lock_path;
use crate::transport::Address;

/// `unix_peers` tells which Unix sockets are connected with which.
pub(super) fn look(
    host: &mut Host<'_>,
    report: &mut Report,
    unix_peers: &dyn Fn() -> HashMap<u64, u64>,
) {
    let is_connected = |candidate: &Candidate| !candidate.connected.is_empty();
    let unix_peers = if report.candidates.iter().any(is_connected) {
        unix_peers()
    } else {
        HashMap::new()
    };
    look_at_connections(host, report, &unix_peers);
    look_at_locks(host, report);
}

fn look_at_locks(host: &Host<'_>, report: &mut Report) {
    if report.candidates.is_empty() {
        return;
    }
    let Ok(locks) = Locks::read(&host.proc().join("locks")) else {
        return;
    };
    for candidate in &mut report.candidates {
        let socket = candidate.unix_path().map(Path::canonicalize);
        if let Some(Ok(socket)) = socket
            && let Some(pid) = locks.holder(&lock_path(&socket))
        {
            candidate.found.holder = Holder::Process(process(host, pid));
        }
    }
}

/// The sockets and devices whose owners are looked for among all open files.
#[derive(Debug, Default)]
struct Wanted {
    sockets: HashSet<u64>,
    devices: HashSet<PathBuf>,
}

/// What was found of them.
#[derive(Debug, Default)]
struct Owners {
    sockets: HashMap<u64, u32>,
    devices: HashMap<PathBuf, Vec<u32>>,
    /// Of how many processes the open files may not be seen.
    denied: usize,
}

fn look_at_connections(host: &mut Host<'_>, report: &mut Report, unix_peers: &HashMap<u64, u64>) {
    let connections = tcp_connections(host, &report.candidates);
    let mut wanted = Wanted::default();
    for candidate in &report.candidates {
        wanted.devices.extend(candidate.serial_path().cloned());
        if candidate.found.listener.is_none() {
            wanted.sockets.extend(candidate.listening);
        }
        let peer = tcp_peer(candidate, &connections);
        wanted.sockets.extend(peer.map(|peer| peer.inode));
        wanted.sockets.extend(clients(candidate, unix_peers));
    }
    if wanted.sockets.is_empty() && wanted.devices.is_empty() {
        return settle(host, report, &connections, &Owners::default());
    }
    let owners = owners(host, &wanted);
    let is_complete = wanted.sockets.len() == owners.sockets.len()
        && wanted.devices.len() == owners.devices.len();
    if owners.denied > 0 && !is_complete {
        let what = format!("the open files of {} of the processes", owners.denied);
        let why = "permission denied, so who listens or is connected may be missing";
        report.unseen(Unseen::denied(what, why));
    }
    settle(host, report, &connections, &owners);
    for candidate in &mut report.candidates {
        let mut clients = clients(candidate, unix_peers);
        let client = clients.find_map(|client| owners.sockets.get(&client));
        drop(clients);
        if let Some(pid) = client {
            candidate.found.holder = Holder::Process(process(host, *pid));
        } else if is_left(candidate, unix_peers) {
            candidate.found.holder = Holder::Nobody;
        }
    }
}

/// The clients' ends of Unix connections.
fn clients(candidate: &Candidate, unix_peers: &HashMap<u64, u64>) -> impl Iterator<Item = u64> {
    let connected = candidate.connected.iter();
    let clients = connected.filter_map(|served| unix_peers.get(served).copied());
    clients.filter(|client| *client != 0)
}

/// Whether all clients have closed their ends, which who listens has not noticed yet.
fn is_left(candidate: &Candidate, unix_peers: &HashMap<u64, u64>) -> bool {
    let mut connected = candidate.connected.iter();
    !candidate.connected.is_empty() && connected.all(|served| unix_peers.get(served) == Some(&0))
}

fn settle(host: &Host<'_>, report: &mut Report, connections: &[TcpSocket], owners: &Owners) {
    for candidate in &mut report.candidates {
        let listener = candidate.listening.and_then(|it| owners.sockets.get(&it));
        if candidate.found.listener.is_none() {
            candidate.found.listener = listener.map(|pid| process(host, *pid));
        }
        if tcp_address(candidate).is_some() {
            let peer = tcp_peer(candidate, connections);
            let pid = peer.and_then(|peer| owners.sockets.get(&peer.inode));
            candidate.found.holder = match (has_client(candidate, connections), pid) {
                (false, _) => Holder::Nobody,
                (true, None) => Holder::Somebody,
                (true, Some(pid)) => Holder::Process(process(host, *pid)),
            };
        }
        if let Some(path) = candidate.serial_path() {
            let qemu = candidate.found.listener.as_ref().map(|it| it.pid);
            let mut others = owners.devices.get(path).into_iter().flatten();
            candidate.found.holder = match others.find(|pid| Some(**pid) != qemu) {
                Some(pid) => Holder::Process(process(host, *pid)),
                None if owners.denied > 0 => Holder::Unknown,
                None => Holder::Nobody,
            };
        }
    }
}

fn owners(host: &Host<'_>, wanted: &Wanted) -> Owners {
    let mut owners = Owners::default();
    for pid in host.pids().unwrap_or_default() {
        let folder = host.proc().join(pid.to_string());
        let read = each_open_file(&folder, |_, link| {
            if let Some(inode) = socket_inode(link) {
                if wanted.sockets.contains(&inode) {
                    owners.sockets.entry(inode).or_insert(pid);
                }
            } else if wanted.devices.contains(link) {
                let pids = owners.devices.entry(link.to_owned()).or_default();
                if pids.last() != Some(&pid) {
                    pids.push(pid);
                }
            }
        });
        match read {
            Err(error) if !is_gone(&error) => owners.denied += 1,
            _ => {}
        }
    }
    owners
}

fn tcp_address(candidate: &Candidate) -> Option<SocketAddr> {
    match &candidate.found.reach {
        Reach::Address(Address::Tcp(address)) => address.parse().ok(),
        _ => None,
    }
}

/// The connections of the ports that were found, from both of their ends.
fn tcp_connections(host: &Host<'_>, candidates: &[Candidate]) -> Vec<TcpSocket> {
    let ports = candidates.iter().filter_map(tcp_address);
    let ports: HashSet<u16> = ports.map(|address| address.port()).collect();
    if ports.is_empty() {
        return Vec::new();
    }
    let read: io::Result<_> = tcp_table::read(&host.proc().join("net"), |socket| {
        let ends = [socket.local.port(), socket.remote.port()];
        !socket.listens && ends.iter().any(|port| ports.contains(port))
    });
    read.unwrap_or_default()
}

fn has_client(candidate: &Candidate, connections: &[TcpSocket]) -> bool {
    let port = tcp_address(candidate).map(|address| address.port());
    connections.iter().any(|it| Some(it.local.port()) == port)
}

/// Of a TCP port, the client's end of the connection, if that is on this host.
fn tcp_peer<'a>(candidate: &Candidate, connections: &'a [TcpSocket]) -> Option<&'a TcpSocket> {
    let port = tcp_address(candidate)?.port();
    let mut servers = connections.iter().filter(|it| it.local.port() == port);
    servers.find_map(|server| {
        let ends = (server.remote, server.local);
        connections.iter().find(|it| (it.local, it.remote) == ends)
    })
}

fn process(host: &Host<'_>, pid: u32) -> Process {
    match Running::read(host.proc(), pid) {
        Ok(Some(process)) => process.process(),
        _ => report::process(b"a program", pid),
    }
}
