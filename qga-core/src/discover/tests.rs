//! Discovery in folders and a `/proc` of the tests' own.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::found::{Found, Holder, Reach, Source};
use super::linux;
use super::roots::{Place, Roots, SESSION};
use super::{Discovered, Process};
use crate::transport::Address;

mod asked;
mod channels;
mod hostile;
mod places;
mod vsock;

/// A host in a folder.
struct FakeHost {
    folder: TempDir,
    places: Vec<Place>,
    unix: String,
    tcp: String,
    inode: u64,
    listeners: Vec<UnixListener>,
    unix_peers: HashMap<u64, u64>,
}

impl FakeHost {
    fn new() -> Self {
        let host = Self {
            folder: tempfile::tempdir().unwrap(),
            places: Vec::new(),
            unix: "Num       RefCount Protocol Flags    Type St Inode Path\n".to_owned(),
            tcp: "  sl  local_address rem_address   st ...\n".to_owned(),
            inode: 1000,
            listeners: Vec::new(),
            unix_peers: HashMap::new(),
        };
        fs::create_dir_all(host.proc("net")).unwrap();
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn proc(&self, name: &str) -> PathBuf {
        self.path("proc").join(name)
    }

    /// A process with this command line, of whose open files nothing is known.
    fn process(&self, pid: u32, arguments: &[&str]) {
        let folder = self.proc(&pid.to_string());
        fs::create_dir_all(&folder).unwrap();
        let mut line = arguments.join("\0");
        line.push('\0');
        fs::write(folder.join("cmdline"), line).unwrap();
    }

    /// A QEMU whose agent is behind this character device with the id `c`.
    fn qemu(&self, pid: u32, name: &str, backend: &str) {
        let port = "virtserialport,chardev=c,name=org.qemu.guest_agent.0";
        let name = format!("guest={}", name.replace(',', ",,"));
        let program = "/usr/bin/qemu-system-x86_64";
        self.process(
            pid,
            &[
                program, "-name", &name, "-chardev", backend, "-device", port,
            ],
        );
    }

    /// Lets a process have something open.
    fn open(&self, pid: u32, number: u32, link: &str) {
        let folder = self.proc(&format!("{pid}/fd"));
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(self.proc(&format!("{pid}/fdinfo"))).unwrap();
        symlink(link, folder.join(number.to_string())).unwrap();
    }

    /// A socket as a file, on which nobody listens as far as the host's tables say.
    fn socket_file(&mut self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        self.listeners.push(UnixListener::bind(path).unwrap());
    }

    /// A socket on which somebody listens, and its inode.
    fn listen(&mut self, path: &Path) -> u64 {
        self.socket_file(path);
        self.bind(&path.display().to_string(), true)
    }

    /// A line in the table of Unix sockets.
    fn bind(&mut self, bound: &str, listens: bool) -> u64 {
        self.inode += 1;
        let (flags, state) = if listens {
            ("00010000", 1)
        } else {
            ("00000000", 3)
        };
        let inode = self.inode;
        let line = format_args!("0000: 00000002 00000000 {flags} 0001 0{state} {inode} {bound}");
        writeln!(self.unix, "{line}").unwrap();
        inode
    }

    /// A line in the table of TCP sockets, whose state is 10 where it listens and 1 where it is connected.
    fn tcp(&mut self, local: u16, remote: u16, state: u8) -> u64 {
        self.inode += 1;
        let inode = self.inode;
        let ip = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
        let ends = format_args!("{ip}:{local:04X} {ip}:{remote:04X}");
        writeln!(self.tcp, "0: {ends} {state:02X} 0:0 0:0 0 0 0 {inode} 1").unwrap();
        inode
    }

    fn discover(&mut self) -> Discovered {
        fs::write(self.proc("net/unix"), &self.unix).unwrap();
        fs::write(self.proc("net/tcp"), &self.tcp).unwrap();
        let roots = Roots {
            proc: self.path("proc"),
            places: std::mem::take(&mut self.places),
        };
        linux::discover(&roots, &|| self.unix_peers.clone())
    }

    fn look_at(&mut self, address: &str) -> Option<Found> {
        fs::write(self.proc("net/unix"), &self.unix).unwrap();
        fs::write(self.proc("net/tcp"), &self.tcp).unwrap();
        let roots = Roots {
            proc: self.path("proc"),
            places: std::mem::take(&mut self.places),
        };
        linux::look_at(&address.parse().unwrap(), roots, &|| {
            self.unix_peers.clone()
        })
    }

    /// The only channel, where there is nothing else to say.
    fn only(&mut self) -> Found {
        let Discovered { mut agents, unseen } = self.discover();
        assert_eq!(unseen, []);
        assert_eq!(agents.len(), 1, "{agents:?}");
        agents.remove(0)
    }

    /// What is said of a host where no channel can be reached.
    fn nothing(&mut self) -> String {
        let Discovered { agents, unseen } = self.discover();
        assert_eq!(agents, []);
        let lines: Vec<_> = unseen.iter().map(ToString::to_string).collect();
        lines.join("\n")
    }
}

fn listening(path: &Path) -> String {
    format!("socket,id=c,path={},server=on,wait=off", path.display())
}

fn unix(path: &Path) -> Reach {
    Reach::Address(Address::Unix(path.to_owned()))
}

fn process(program: &str, pid: u32) -> Process {
    Process {
        program: program.to_owned(),
        pid,
    }
}
