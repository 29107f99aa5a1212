//! Agents of QEMU's machines, from its command line and what it has open.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::bounded;
use super::found::{Reach, Source};
use super::host::Host;
use super::process::{OpenFiles, Running, socket_inode};
use super::report::{Candidate, Report};
use super::socket_files::SocketFile;
use super::unseen::Unseen;
use crate::transport::Address;

pub(super) mod command_line;
mod options;

use command_line::{Backend, CommandLine};

/// Whether a program with this name is QEMU.
pub(super) fn is_qemu(program: &[u8]) -> bool {
    // Some distributions wrap the program and put a dot before its name.
    let program = program.strip_prefix(b".").unwrap_or(program);
    program.starts_with(b"qemu-system-") || matches!(program, b"qemu-kvm" | b"kvm" | b"qemu")
}

pub(super) fn look(process: &Running, host: &mut Host<'_>, report: &mut Report) {
    let line = CommandLine::parse(&process.arguments);
    if line.reads_config {
        let what = format!("options of {}", process.process());
        let why = "it reads them from a file (-readconfig), which is not read here";
        report.unseen(Unseen::new(what, why));
    }
    for cid in &line.cids {
        let reach = Reach::Vsock { cid: *cid };
        report.add(Candidate::new(reach, Source::CommandLine).guest(line.name.as_deref()));
    }
    if line.channels.is_empty() {
        return;
    }
    let open = process.open_files();
    for backend in &line.channels {
        let mut machine = Machine {
            process,
            line: &line,
            open: &open,
            host,
        };
        match machine.candidate(backend) {
            Ok(candidate) => report.add(
                candidate
                    .guest(line.name.as_deref())
                    .listener(process.process()),
            ),
            Err(unseen) => report.unseen(unseen),
        }
    }
}

struct Machine<'a, 'b> {
    process: &'a Running,
    line: &'a CommandLine,
    open: &'a io::Result<OpenFiles>,
    host: &'a mut Host<'b>,
}

impl Machine<'_, '_> {
    fn candidate(&mut self, backend: &Backend) -> Result<Candidate, Unseen> {
        match backend {
            Backend::Unix(path) => self.unix(path, Source::CommandLine),
            Backend::Descriptor(number) => self.descriptor(*number),
            Backend::Tcp(ports) => self.tcp(ports),
            Backend::Terminal(link) => self.terminal(link.as_deref()),
            Backend::Unreachable(why) => Err(Unseen::new(self.what(), why)),
        }
    }

    fn what(&self) -> String {
        let process = self.process.process();
        match &self.line.name {
            Some(name) => format!("the agent of {} in {process}", bounded::text(name, 60)),
            None => format!("the agent in {process}"),
        }
    }

    fn cannot(&self, what: &str, error: &io::Error) -> Unseen {
        Unseen::failed(format!("{}: {what}", self.what()), error)
    }

    fn sockets(&self) -> Option<&HashSet<u64>> {
        Some(&self.open.as_ref().ok()?.sockets)
    }

    fn unix(&mut self, bound: &[u8], source: Source) -> Result<Candidate, Unseen> {
        let shown = bounded::text(bound, 108);
        let cannot = |error| self.cannot(&shown, &error);
        let path = self.process.absolute(bound).map_err(cannot)?;
        let root = self.process.root();
        let (path, file) = SocketFile::of_process(&root, &path).map_err(cannot)?;
        let reach = Reach::Address(Address::Unix(path));
        let candidate = Candidate::new(reach, source).file(file);
        let Ok(table) = self.host.unix_table_of(self.process) else {
            return Ok(candidate);
        };
        let mut sockets = table.at(bound, self.sockets()).peekable();
        if sockets.peek().is_none() {
            let what = format!("{}: {shown}", self.what());
            return Err(Unseen::new(what, "nobody listens there"));
        }
        Ok(candidate.clients(sockets))
    }

    fn descriptor(&mut self, number: u32) -> Result<Candidate, Unseen> {
        let what = format!("its open file {number}");
        let link = self.process.descriptor(number);
        let link = link.map_err(|error| self.cannot(&what, &error))?;
        let what = format!("{}: {what}", self.what());
        let unseen = |why: &str| Unseen::new(&what, why);
        let inode = socket_inode(&link).ok_or_else(|| unseen("it is not a socket"))?;
        let table = self.host.unix_table_of(self.process);
        let table = table.map_err(|error| self.cannot("its sockets", &error))?;
        let bound = match table.by_inode(inode) {
            Some(socket) if socket.listens => socket.path.clone(),
            Some(_) => return Err(unseen("it is a connection, which another program has made")),
            None => {
                let listeners = self.host.tcp_listeners().unwrap_or_default();
                let listener = listeners.iter().find(|socket| socket.inode == inode);
                let local = listener.map(|socket| socket.local);
                let why = "it is a socket without a path, or not one of this network namespace";
                return local
                    .map(|local| tcp(local, Source::OpenFile))
                    .ok_or_else(|| unseen(why));
            }
        };
        self.unix(&bound, Source::OpenFile)
    }

    fn tcp(&mut self, ports: &RangeInclusive<u16>) -> Result<Candidate, Unseen> {
        let listeners = self.host.tcp_listeners();
        let listeners = listeners.map_err(|error| self.cannot("TCP sockets", &error))?;
        let sockets = self.sockets();
        let is_its = |inode| sockets.is_none_or(|sockets| sockets.contains(inode));
        let mut open = BTreeMap::new();
        for socket in listeners.iter() {
            if ports.contains(&socket.local.port()) && is_its(&socket.inode) {
                let local = open.entry(socket.local.port()).or_insert(socket.local);
                *local = socket.local.min(*local);
            }
        }
        let is_known = ports.start() == ports.end() || sockets.is_some();
        match (open.len(), open.values().next(), self.open) {
            (1, Some(local), _) if is_known => Ok(tcp(*local, Source::CommandLine)),
            (0, ..) => Err(Unseen::new(
                format!("{}: its TCP port", self.what()),
                "it is not open in the network namespace of this program",
            )),
            (_, _, Err(error)) => Err(self.cannot("which TCP port it has", error)),
            _ => {
                let ports: Vec<_> = open.keys().take(10).map(ToString::to_string).collect();
                let why = format!(
                    "it has the ports {}, and nothing says which",
                    ports.join(", ")
                );
                Err(Unseen::new(format!("{}: its TCP port", self.what()), why))
            }
        }
    }

    fn terminal(&self, link: Option<&[u8]>) -> Result<Candidate, Unseen> {
        let linked = link.and_then(|link| self.process.absolute(link).ok()?.read_link().ok());
        let linked = linked.filter(|path| path.starts_with("/dev/pts"));
        let path = match (linked, self.open) {
            (Some(path), _) => path,
            (None, Ok(open)) => match open.terminals[..] {
                [number] if self.line.terminals == 1 => PathBuf::from(format!("/dev/pts/{number}")),
                _ => return Err(self.which_terminal(&open.terminals)),
            },
            (None, Err(error)) => return Err(self.cannot("its pseudoterminal", error)),
        };
        let there = self.process.root().join("dev/pts").metadata();
        if let (Ok(here), Ok(there)) = (Path::new("/dev/pts").metadata(), there)
            && here.dev() != there.dev()
        {
            let why = "it is one of a container";
            return Err(Unseen::new(
                format!("{}: {}", self.what(), path.display()),
                why,
            ));
        }
        let owner = path.metadata().ok().map(|device| device.uid());
        let reach = Reach::Address(Address::Serial(path));
        let mut candidate = Candidate::new(reach, Source::CommandLine);
        candidate.found.owner = owner;
        Ok(candidate)
    }

    fn which_terminal(&self, numbers: &[u32]) -> Unseen {
        let paths = numbers.iter().take(10);
        let paths: Vec<_> = paths.map(|number| format!("/dev/pts/{number}")).collect();
        let why = match paths.as_slice() {
            [] => "it has none open".to_owned(),
            paths => format!("it has {}, and nothing says which", paths.join(", ")),
        };
        Unseen::new(format!("{}: its pseudoterminal", self.what()), why)
    }
}

fn tcp(local: SocketAddr, source: Source) -> Candidate {
    let ip = match local.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let address = SocketAddr::new(ip, local.port());
    Candidate::new(Reach::Address(address.into()), source)
}
