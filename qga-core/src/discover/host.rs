//! What is read of this host once, and asked for often.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use super::process::Running;
use super::report::Report;
use super::tcp_table::{self, TcpSocket};
use super::unix_table::UnixTable;
use super::unseen::Unseen;

/// How many processes are looked at; Linux can have no more than four million.
const PROCESSES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Host<'a> {
    proc: &'a Path,
    /// The table that was read last, and what tells it from those of other network namespaces.
    unix_table: Option<((u64, u64), Rc<UnixTable>)>,
    tcp_listeners: Option<Rc<[TcpSocket]>>,
}

impl<'a> Host<'a> {
    pub(super) fn new(proc: &'a Path) -> Self {
        Self {
            proc,
            unix_table: None,
            tcp_listeners: None,
        }
    }

    pub(super) fn proc(&self) -> &'a Path {
        self.proc
    }

    /// The numbers of all processes, sorted.
    pub(super) fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids = Vec::new();
        for entry in self.proc.read_dir()?.take(PROCESSES) {
            let name = entry?.file_name();
            pids.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
        }
        pids.sort_unstable();
        Ok(pids)
    }

    /// The sockets in the network namespace of a process. What listens elsewhere can be reached all the same, as long
    /// as its path can.
    pub(super) fn unix_table_of(&mut self, process: &Running) -> io::Result<Rc<UnixTable>> {
        let table = process.folder.join("net/unix");
        match self.unix_table(&table) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.own_unix_table(),
            table => table,
        }
    }

    pub(super) fn own_unix_table(&mut self) -> io::Result<Rc<UnixTable>> {
        let table = self.proc.join("net/unix");
        self.unix_table(&table)
    }

    fn unix_table(&mut self, path: &Path) -> io::Result<Rc<UnixTable>> {
        // The file has one inode in all processes of a namespace.
        let file = path.metadata()?;
        let namespace = (file.dev(), file.ino());
        match &self.unix_table {
            Some((of, table)) if *of == namespace => Ok(Rc::clone(table)),
            _ => {
                let table = Rc::new(UnixTable::read(path)?);
                self.unix_table = Some((namespace, Rc::clone(&table)));
                Ok(table)
            }
        }
    }

    /// The TCP sockets that listen in the network namespace of this program.
    pub(super) fn tcp_listeners(&mut self) -> io::Result<Rc<[TcpSocket]>> {
        if let Some(listeners) = &self.tcp_listeners {
            return Ok(Rc::clone(listeners));
        }
        let listeners = tcp_table::read(&self.proc.join("net"), |socket| socket.listens)?;
        let listeners: Rc<[_]> = listeners.into();
        self.tcp_listeners = Some(Rc::clone(&listeners));
        Ok(listeners)
    }

    /// Says so if processes of other users are hidden.
    pub(super) fn look_for_hidden_processes(&self, report: &mut Report) {
        if self.proc.join("1").exists() {
            return;
        }
        let mut hides = false;
        let mounts = self.proc.join("self/mountinfo");
        // Without that file nothing is known of it.
        let _ = super::bounded::lines(&mounts, 100_000, |line| {
            let line = String::from_utf8_lossy(line);
            let Some((_, filesystem)) = line.split_once(" - proc ") else {
                return;
            };
            let mut options = filesystem.split([' ', ',']);
            hides |= options.any(|option| {
                let mode = option.strip_prefix("hidepid=");
                mode.is_some_and(|mode| mode != "0" && mode != "off")
            });
        });
        if hides {
            let why = "/proc is mounted with hidepid";
            report.unseen(Unseen::denied("processes of other users", why));
        }
    }
}
