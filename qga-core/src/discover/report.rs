//! What has been found so far, and what is made of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::found::{Found, Holder, Process, Reach, Source};
use super::socket_files::SocketFile;
use super::unix_table::Bound;
use super::unseen::Unseen;
use super::{Discovered, bounded};
use crate::transport::Address;

const AGENTS: usize = 10_000;
const UNSEEN: usize = 1_000;
/// The longest name of a guest and of a program, in characters.
const GUEST: usize = 255;
const PROGRAM: usize = 64;
/// Of how many clients of a channel it is looked who they are.
const CLIENTS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) candidates: Vec<Candidate>,
    known: HashMap<Key, usize>,
    unseen: Vec<Unseen>,
    agents_left_out: usize,
    unseen_left_out: usize,
}

/// What may become an entry of the result.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) found: Found,
    pub(super) file: Option<SocketFile>,
    /// The socket that listens, if it is not known yet whose it is.
    pub(super) listening: Option<u64>,
    /// Its ends of the Unix connections that clients have made, the oldest first as far as their numbers tell.
    pub(super) connected: Vec<u64>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    File(SocketFile),
    Reach(Reach),
}

impl Candidate {
    pub(super) fn new(reach: Reach, source: Source) -> Self {
        Self {
            found: Found {
                reach,
                guest: None,
                listener: None,
                holder: Holder::Unknown,
                owner: None,
                sources: vec![source],
            },
            file: None,
            listening: None,
            connected: Vec::new(),
        }
    }

    pub(super) fn guest(mut self, name: Option<&[u8]>) -> Self {
        let name = name.filter(|name| !name.is_empty());
        self.found.guest = name.map(|name| bounded::text(name, GUEST));
        self
    }

    pub(super) fn listener(mut self, process: Process) -> Self {
        self.found.listener = Some(process);
        self
    }

    pub(super) fn holder(mut self, holder: Holder) -> Self {
        self.found.holder = holder;
        self
    }

    /// Whoever has connected to the sockets with its path, of which there is one at least.
    pub(super) fn clients<'a>(mut self, sockets: impl Iterator<Item = &'a Bound>) -> Self {
        let mut clients = sockets.filter(|socket| !socket.listens).peekable();
        if clients.peek().is_none() {
            return self.holder(Holder::Nobody);
        }
        // One that waits to be accepted has no inode yet, and is not served.
        let served = clients.map(|socket| socket.inode).filter(|it| *it != 0);
        self.connected = served.take(CLIENTS).collect();
        self.connected.sort_unstable();
        self.holder(Holder::Somebody)
    }

    pub(super) fn file(mut self, file: SocketFile) -> Self {
        self.found.owner = Some(file.owner);
        self.file = Some(file);
        self
    }

    /// The socket's path, if there is one and an agent is right behind it.
    pub(super) fn unix_path(&self) -> Option<&Path> {
        match &self.found.reach {
            Reach::Address(Address::Unix(path)) => Some(path),
            _ => None,
        }
    }

    /// The path of a pseudoterminal.
    pub(super) fn serial_path(&self) -> Option<&PathBuf> {
        match &self.found.reach {
            Reach::Address(Address::Serial(path)) => Some(path),
            _ => None,
        }
    }

    fn key(&self) -> Key {
        match self.file {
            Some(file) => Key::File(file),
            None => Key::Reach(self.found.reach.clone()),
        }
    }

    /// Takes over what another source knows of the same channel. What a process says counts more than what a folder does.
    fn join(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.found, other.found);
        mine.guest = mine.guest.take().or(theirs.guest);
        mine.listener = mine.listener.take().or(theirs.listener);
        if mine.holder == Holder::Unknown {
            mine.holder = theirs.holder;
        }
        mine.sources.extend(theirs.sources);
        self.listening = self.listening.or(other.listening);
        if self.connected.is_empty() {
            self.connected = other.connected;
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, candidate: Candidate) {
        let key = candidate.key();
        let known = self.known.get(&key).copied();
        if let Some(same) = known.and_then(|at| self.candidates.get_mut(at)) {
            same.join(candidate);
        } else if self.candidates.len() < AGENTS {
            self.known.insert(key, self.candidates.len());
            self.candidates.push(candidate);
        } else {
            self.agents_left_out += 1;
        }
    }

    /// Whether another source has told of the same channel.
    pub(super) fn knows(&self, candidate: &Candidate) -> bool {
        self.known.contains_key(&candidate.key())
    }

    pub(super) fn unseen(&mut self, unseen: Unseen) {
        if self.unseen.len() + 2 < UNSEEN {
            self.unseen.push(unseen);
        } else {
            self.unseen_left_out += 1;
        }
    }

    pub(super) fn finish(mut self) -> Discovered {
        if self.unseen_left_out > 0 {
            let what = format!("{} more entries of this kind", self.unseen_left_out);
            self.unseen
                .push(Unseen::new(what, "there are too many to keep"));
        }
        if self.agents_left_out > 0 {
            let what = format!("{} more channels", self.agents_left_out);
            self.unseen
                .push(Unseen::new(what, "there are too many to keep"));
        }
        let mut agents: Vec<_> = self.candidates.into_iter().map(|it| it.found).collect();
        for found in &mut agents {
            found.sources.sort_unstable();
            found.sources.dedup();
        }
        agents.sort_by_cached_key(|found| {
            let pid = found.listener.as_ref().map(|process| process.pid);
            (
                found.guest.is_none(),
                found.guest.clone(),
                found.reach.to_string(),
                pid,
            )
        });
        Discovered {
            agents,
            unseen: self.unseen,
        }
    }
}

pub(super) fn process(program: &[u8], pid: u32) -> Process {
    Process {
        program: bounded::text(program, PROGRAM),
        pid,
    }
}
