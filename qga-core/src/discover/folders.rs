//! Sockets in the folders where they usually are.

use std::ffi::OsString;
use std::fs::FileType;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::bounded;
use super::found::{Reach, Source};
use super::host::Host;
use super::report::{Candidate, Report};
use super::roots::{Place, SESSION};
use super::socket_files::SocketFile;
use super::unix_table::UnixTable;
use super::unseen::Unseen;
use crate::transport::Address;

/// How many entries of a folder are looked at.
const ENTRIES: usize = 100_000;
const CHANNEL: &[u8] = b"org.qemu.guest_agent.";

pub(super) fn look(places: &[Place], host: &mut Host<'_>, report: &mut Report) {
    let mut search = Search { host, report };
    for place in places {
        match place {
            Place::Libvirt(folder) => search.libvirt(folder),
            Place::LibvirtSessions(folder) => {
                for (name, kind) in search.entries(folder) {
                    if kind.is_dir() {
                        search.libvirt(&folder.join(name).join(SESSION));
                    }
                }
            }
            Place::Proxmox(folder) => {
                for (name, kind) in search.entries(folder) {
                    let guest = name.as_bytes().strip_suffix(b".qga");
                    if kind.is_socket() && guest.is_some() {
                        search.socket(&folder.join(&name), guest, Source::Folder);
                    }
                }
            }
            Place::Socket(path) => {
                let file = path.symlink_metadata();
                if file.is_ok_and(|file| file.file_type().is_socket()) {
                    search.socket(path, None, Source::Folder);
                }
            }
            Place::Asked(address) => search.asked(address),
        }
    }
}

struct Search<'a, 'b> {
    host: &'a mut Host<'b>,
    report: &'a mut Report,
}

impl Search<'_, '_> {
    /// Links in it are not followed.
    fn entries(&mut self, folder: &Path) -> Vec<(OsString, FileType)> {
        let read = || -> io::Result<Vec<_>> {
            let entries = folder.read_dir()?.take(ENTRIES + 1);
            // What was deleted meanwhile is passed over.
            let entries = entries.filter_map(|entry| {
                let entry = entry.ok()?;
                Some((entry.file_name(), entry.file_type().ok()?))
            });
            Ok(entries.collect())
        };
        let mut entries = read().unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                let what = format!("the folder {}", folder.display());
                self.report.unseen(Unseen::failed(what, &error));
            }
            Vec::new()
        });
        if entries.len() > ENTRIES {
            let what = format!("the rest of the folder {}", folder.display());
            let why = format!("it has more than {ENTRIES} entries");
            self.report.unseen(Unseen::new(what, why));
            entries.truncate(ENTRIES);
        }
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        entries
    }

    fn libvirt(&mut self, folder: &Path) {
        for (name, kind) in self.entries(folder) {
            let path = folder.join(&name);
            if kind.is_dir() {
                self.domain(&path, domain_name(name.as_bytes()));
            } else if kind.is_socket()
                && let Some(guest) = socket_name(name.as_bytes())
            {
                self.socket(&path, Some(guest), Source::Folder);
            }
        }
    }

    fn domain(&mut self, folder: &Path, name: &[u8]) {
        for (file, kind) in self.entries(folder) {
            if kind.is_socket() && file.as_bytes().starts_with(CHANNEL) {
                self.socket(&folder.join(file), Some(name), Source::Folder);
            }
        }
    }

    fn asked(&mut self, address: &Address) {
        let reach = Reach::Address(address.clone());
        let mut candidate = Candidate::new(reach, Source::Asked);
        match address {
            Address::Unix(path) => return self.socket(path, None, Source::Asked),
            Address::Serial(path) => {
                let device = path.metadata().ok();
                let device = device.filter(|it| it.file_type().is_char_device());
                let Some(device) = device else { return };
                candidate.found.owner = Some(device.uid());
            }
            Address::Tcp(text) => {
                let listeners = self.host.tcp_listeners().unwrap_or_default();
                let wanted: Option<SocketAddr> = text.parse().ok();
                let is_it = |local: SocketAddr| {
                    let is_any = local.ip().is_unspecified();
                    wanted.is_some_and(|it| {
                        let is_here = it.ip() == local.ip() || is_any && it.ip().is_loopback();
                        it.port() == local.port() && is_here
                    })
                };
                let listener = listeners.iter().find(|it| is_it(it.local));
                let Some(listener) = listener else { return };
                candidate.listening = Some(listener.inode);
            }
            _ => return,
        }
        self.report.add(candidate);
    }

    fn socket(&mut self, path: &Path, guest: Option<&[u8]>, source: Source) {
        let what = || format!("the socket {}", path.display());
        let file = match SocketFile::at(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.report.unseen(Unseen::failed(what(), &error)),
        };
        let reach = Reach::Address(Address::Unix(path.to_owned()));
        let mut candidate = Candidate::new(reach, source).guest(guest).file(file);
        if let Ok(table) = self.host.own_unix_table() {
            match bound_path(&table, path, file) {
                Some(bound) => {
                    let mut sockets = table.at(&bound, None);
                    candidate.listening = sockets.find(|it| it.listens).map(|it| it.inode);
                    candidate = candidate.clients(table.at(&bound, None));
                }
                // Its process may be in another network namespace, and known.
                None if self.report.knows(&candidate) => {}
                None => {
                    let why = "nobody listens there in the network namespace of this program";
                    return self.report.unseen(Unseen::new(what(), why));
                }
            }
        }
        self.report.add(candidate);
    }
}

/// The path by which the program that listens on this file has named it.
fn bound_path(table: &UnixTable, path: &Path, file: SocketFile) -> Option<Vec<u8>> {
    let own = path.as_os_str().as_bytes();
    if table.at(own, None).next().is_some() {
        return Some(own.to_vec());
    }
    // Such as a path with `/var/run` for `/run`.
    let ending = [b"/", path.file_name()?.as_bytes()].concat();
    let is_it = |bound: &[u8]| {
        let may_be = bound.starts_with(b"/") && bound.ends_with(&ending);
        may_be && SocketFile::at(&bounded::path(bound)).is_ok_and(|other| other == file)
    };
    let found = table.sockets().iter().find(|socket| is_it(&socket.path))?;
    Some(found.path.clone())
}

/// The name of a domain, from that of its folder: `3-web`, `domain-3-web`, or `domain-web` of old.
fn domain_name(folder: &[u8]) -> &[u8] {
    let name = folder.strip_prefix(b"domain-").unwrap_or(folder);
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    match name.split_at_checked(digits) {
        Some(([_, ..], [b'-', name @ ..])) => name,
        _ => name,
    }
}

/// The name of a domain, from that of its socket, if it is an agent's.
fn socket_name(file: &[u8]) -> Option<&[u8]> {
    if file.starts_with(CHANNEL) {
        return Some(&[]);
    }
    let channel = [b".", CHANNEL].concat();
    let at = file
        .windows(channel.len())
        .rposition(|part| part == channel);
    match at {
        Some(at) => file.get(..at),
        None => file.strip_suffix(b".agent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_domains_are_read_from_folders_and_sockets() {
        for (folder, name) in [
            ("3-web", "web"),
            ("domain-3-web", "web"),
            ("domain-web", "web"),
            ("domain-12-3-web", "3-web"),
            ("domain-3", "3"),
            ("web-3", "web-3"),
            ("-web", "-web"),
            ("", ""),
        ] {
            assert_eq!(domain_name(folder.as_bytes()), name.as_bytes(), "{folder}");
        }
        for (file, name) in [
            ("org.qemu.guest_agent.0", Some("")),
            ("web.org.qemu.guest_agent.0", Some("web")),
            ("web.agent", Some("web")),
            ("monitor.sock", None),
        ] {
            assert_eq!(
                socket_name(file.as_bytes()),
                name.map(str::as_bytes),
                "{file}"
            );
        }
    }
}
