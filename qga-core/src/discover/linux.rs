//! All sources together.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::found::{Found, Reach};
use super::host::Host;
use super::process::{Running, is_gone};
use super::report::Report;
use super::roots::{Place, Roots};
use super::socket_files::SocketFile;
use super::unseen::Unseen;
use super::{Discovered, folders, holders, microvm, qemu};
use crate::transport::Address;

/// `unix_peers` tells which Unix sockets are connected with which.
pub(super) fn discover(roots: &Roots, unix_peers: &dyn Fn() -> HashMap<u64, u64>) -> Discovered {
    let mut host = Host::new(&roots.proc);
    let mut report = Report::default();
    look_at_processes(&mut host, &mut report);
    folders::look(&roots.places, &mut host, &mut report);
    holders::look(&mut host, &mut report, unix_peers);
    report.finish()
}

/// What is found at this address.
pub(super) fn look_at(
    address: &Address,
    mut roots: Roots,
    unix_peers: &dyn Fn() -> HashMap<u64, u64>,
) -> Option<Found> {
    let wanted = resolved(address)?;
    roots.places.push(Place::Asked(wanted.clone()));
    let found = discover(&roots, unix_peers).agents.into_iter();
    let mut found = found.filter(|found| leads_to(&found.reach, &wanted));
    found.next()
}

/// The address of a channel of this host, as it is found.
fn resolved(address: &Address) -> Option<Address> {
    match address {
        Address::Unix(path) => Some(Address::Unix(path.canonicalize().ok()?)),
        Address::Serial(path) => Some(Address::Serial(path.canonicalize().ok()?)),
        Address::Tcp(text) => Some(text.parse::<SocketAddr>().ok()?.into()),
        Address::VsockProxy { .. } => Some(address.clone()),
        _ => None,
    }
}

fn leads_to(reach: &Reach, wanted: &Address) -> bool {
    match (reach, wanted) {
        (Reach::Address(Address::Unix(found)), Address::Unix(path))
        | (Reach::VsockProxy { path: found }, Address::VsockProxy { path, .. }) => {
            let file = |path| SocketFile::at(path).ok();
            file(path).is_some() && file(path) == file(found)
        }
        (reach, wanted) => reach.address() == Some(wanted),
    }
}

fn look_at_processes(host: &mut Host<'_>, report: &mut Report) {
    let pids = match host.pids() {
        Ok(pids) => pids,
        Err(error) => {
            let what = format!("processes in {}", host.proc().display());
            return report.unseen(Unseen::failed(what, &error));
        }
    };
    for pid in pids {
        match Running::read(host.proc(), pid) {
            Ok(Some(process)) => look_at_process(&process, host, report),
            Ok(None) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                let what = format!("the command line of process {pid}");
                report.unseen(Unseen::failed(what, &error));
            }
        }
    }
    host.look_for_hidden_processes(report);
}

fn look_at_process(process: &Running, host: &mut Host<'_>, report: &mut Report) {
    if qemu::is_qemu(process.program()) {
        qemu::look(process, host, report);
    } else if let Some(kind) = microvm::Kind::of(process.program()) {
        kind.look(process, host, report);
    } else {
        return;
    }
    if !process.is_whole {
        let what = format!("the end of the command line of {}", process.process());
        report.unseen(Unseen::new(what, "it is longer than 1 MiB"));
    }
}
