//! A channel that was found.

use std::fmt;
use std::path::PathBuf;

use crate::text::Excerpt;
use crate::transport::Address;

/// The channel of a guest's agent, or one that may lead to an agent. It displays as one line.
///
/// ```
/// for agent in qga_core::discover().agents {
///     // Such as: web01: unix:/run/vm1/qga.sock, where qemu-system-x86_64 (process 4711) listens and nobody is connected
///     println!("{agent}");
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// How it is reached. The path of a socket that is in a container leads through `/proc`, as long as its process
    /// lives.
    pub reach: Reach,
    /// The guest's name, as whoever started it says; of libvirt's folders, at most its first 20 characters. A longer
    /// one than 255 characters is cut. It is not made safe for a terminal; the `Display` of this struct is.
    pub guest: Option<String>,
    /// Who listens, if that could be seen.
    pub listener: Option<Process>,
    /// Who is connected. An agent serves one client at a time.
    pub holder: Holder,
    /// The number of the user to whom the socket or the device belongs, where it has a path.
    pub owner: Option<u32>,
    /// How it was found, in the order of [`Source`]'s variants.
    pub sources: Vec<Source>,
}

/// How an agent is reached.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reach {
    /// This address leads to it.
    Address(Address),
    /// It may be behind this Unix socket, whose owner takes `CONNECT PORT`. On which port an agent listens, and
    /// whether one does, only the guest knows.
    VsockProxy {
        /// The path of the Unix socket.
        path: PathBuf,
    },
    /// It may be in the machine that has this context identifier. On which port an agent listens, and whether one does,
    /// only the guest knows.
    Vsock {
        /// The machine's context identifier.
        cid: u32,
    },
}

impl Reach {
    /// Returns the address, unless its port is missing.
    #[must_use]
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            _ => None,
        }
    }

    /// Returns the address, with this port if its port is missing.
    ///
    /// ```
    /// use qga_core::Address;
    /// use qga_core::discover::Reach;
    ///
    /// let reach = Reach::Vsock { cid: 3 };
    /// assert_eq!(reach.at_port(1234), Address::Vsock { cid: 3, port: 1234 });
    /// ```
    #[must_use]
    pub fn at_port(&self, port: u32) -> Address {
        match self {
            Self::Address(address) => address.clone(),
            Self::VsockProxy { path } => Address::VsockProxy {
                path: path.clone(),
                port,
            },
            Self::Vsock { cid } => Address::Vsock { cid: *cid, port },
        }
    }
}

/// A program that runs on this host.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Process {
    /// The name of the program, as it says itself; at most 64 characters.
    pub program: String,
    /// The number of the process.
    pub pid: u32,
}

/// Who is connected to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Holder {
    /// That could not be seen.
    Unknown,
    /// Nobody was connected.
    Nobody,
    /// Somebody is; who it is could not be seen.
    Somebody,
    /// This process is connected, or has the [lock](crate::ClientBuilder::lock) of the channel.
    Process(Process),
}

/// How a channel was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Source {
    /// It is in a folder where such channels usually are.
    Folder,
    /// It is on the command line of a process.
    CommandLine,
    /// It is in a file that a command line names.
    ConfigFile,
    /// It is among the open files of a process.
    OpenFile,
    /// It was [asked for](super::look_at).
    Asked,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.guest {
            Some(name) => write!(f, "{}: ", Excerpt(name))?,
            None => f.write_str("(no name): ")?,
        }
        write!(f, "{}", self.reach)?;
        let connected = match &self.holder {
            Holder::Unknown => None,
            Holder::Nobody => Some("nobody is connected".to_owned()),
            Holder::Somebody => Some("somebody is connected".to_owned()),
            Holder::Process(process) => Some(format!("{process} is the client")),
        };
        match (&self.listener, connected) {
            (Some(listener), Some(connected)) => {
                write!(f, ", where {listener} listens and {connected}")
            }
            (Some(listener), None) => write!(f, ", where {listener} listens"),
            (None, Some(connected)) => write!(f, ", where {connected}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("reach", &self.reach)
            .field("guest", &self.guest.as_deref().map(Excerpt))
            .field("listener", &self.listener)
            .field("holder", &self.holder)
            .field("owner", &self.owner)
            .field("sources", &self.sources)
            .finish()
    }
}

/// As an address, with `PORT` for a port that is missing.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Address(address) => address.to_string(),
            Self::VsockProxy { path } => format!("vsock-proxy:{}:PORT", path.display()),
            Self::Vsock { cid } => format!("vsock:{cid}:PORT"),
        };
        write!(f, "{}", Excerpt(&text))
    }
}

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (process {})", Excerpt(&self.program), self.pid)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
