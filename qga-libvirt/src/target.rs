//! Which domain of which daemon an address names.

use std::path::PathBuf;
use std::{fmt, io};

use crate::wire::call::Open;
use crate::wire::types::Uuid;

mod channel;
mod host;
mod ssh;

pub(crate) use channel::ChannelTarget;
pub(crate) use host::Host;
pub(crate) use ssh::SshHost;

/// Names of domains are shorter than file names.
const LONGEST_NAME: usize = 255;

/// The schemes that addresses of daemons begin with.
const SCHEME: &str = "libvirt:";
const SSH_SCHEME: &str = "libvirt+ssh:";
const CHANNEL_SCHEME: &str = "libvirt-channel:";

const SSH_FORMS: &str =
    "write libvirt+ssh://USER@HOST/system/NAME or libvirt+ssh://USER@HOST/session/NAME";

/// What stands before a socket's path.
const SOCKET: &str = "?socket=";

/// A domain, and the daemon that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) daemon: Endpoint,
    pub(crate) domain: DomainKey,
}

/// A daemon, and which driver to open there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) instance: Instance,
    pub(crate) location: Location,
    /// Whether only to look.
    pub(crate) is_read_only: bool,
}

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Location {
    /// The socket of a daemon of this host.
    Here(PathBuf),
    /// On another host.
    Ssh(SshHost),
}

/// Whose domains a daemon has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Instance {
    /// Those of the host.
    System,
    /// Those of one user.
    Session,
}

/// By what a domain is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DomainKey {
    Name(String),
    Uuid(Uuid),
}

impl Target {
    /// Reads what stands behind the colon of `libvirt:`.
    pub(crate) fn read(rest: &str, host: &Host) -> io::Result<Self> {
        let Some(url) = rest.strip_prefix("//") else {
            return Ok(Self {
                daemon: Endpoint::default_of(host)?,
                domain: DomainKey::read(rest)?,
            });
        };
        let forms = "write libvirt:///system/NAME or libvirt:///session/NAME";
        let (daemon, name) = Endpoint::read_url(url, host, forms)?;
        Ok(Self {
            daemon,
            domain: DomainKey::read(name.ok_or_else(|| wrong(forms))?)?,
        })
    }

    /// Reads an address with its scheme.
    pub(crate) fn read_address(address: &str, host: &Host) -> io::Result<Self> {
        if let Some(rest) = address.strip_prefix(SSH_SCHEME) {
            return Self::read_ssh(rest);
        }
        if let Some(rest) = address.strip_prefix(CHANNEL_SCHEME) {
            let ChannelTarget { daemon, domain, .. } = ChannelTarget::read(rest, host)?;
            return Ok(Self { daemon, domain });
        }
        let rest = address.strip_prefix(SCHEME);
        Self::read(rest.ok_or_else(|| wrong("write libvirt:NAME"))?, host)
    }

    /// The same, by another program than `ssh` if the daemon is on another host.
    pub(crate) fn by(mut self, program: &[String]) -> Self {
        if let Location::Ssh(host) = &mut self.daemon.location {
            program.clone_into(&mut host.program);
        }
        self
    }

    /// Reads what stands behind the colon of `libvirt+ssh:`.
    pub(crate) fn read_ssh(rest: &str) -> io::Result<Self> {
        let (daemon, name) = Endpoint::read_ssh_url(rest)?;
        Ok(Self {
            daemon,
            domain: DomainKey::read(name.ok_or_else(|| wrong(SSH_FORMS))?)?,
        })
    }
}

impl Endpoint {
    /// Reads the address of a daemon, which names no domain.
    pub(crate) fn read(address: &str, host: &Host) -> io::Result<Self> {
        if let Some(rest) = address.strip_prefix(SSH_SCHEME) {
            return match Self::read_ssh_url(rest)? {
                (daemon, None) => Ok(daemon),
                (_, Some(_)) => Err(wrong(format!("a daemon has no domain's name; {SSH_FORMS}"))),
            };
        }
        let forms =
            "write libvirt:, libvirt:///system, libvirt:///session or libvirt+ssh://HOST/system";
        let rest = address.strip_prefix(SCHEME).ok_or_else(|| wrong(forms))?;
        match rest.strip_prefix("//") {
            None if rest.is_empty() => Self::default_of(host),
            None => Err(wrong(format!("a daemon has no domain's name; {forms}"))),
            Some(url) => match Self::read_url(url, host, forms)? {
                (daemon, None) => Ok(daemon),
                (_, Some(_)) => Err(wrong(format!("a daemon has no domain's name; {forms}"))),
            },
        }
    }

    /// The daemon, and the domain's name if there is one.
    fn read_url<'a>(url: &'a str, host: &Host, forms: &str) -> io::Result<(Self, Option<&'a str>)> {
        let (path, socket) = match url.split_once(SOCKET) {
            Some((path, socket)) => (path, Some(socket)),
            None => (url, None),
        };
        let path = path.strip_prefix('/').ok_or_else(|| {
            let words =
                format!("a daemon on another host is reached by libvirt+ssh://{path}; {forms}");
            wrong(words)
        })?;
        let (instance, name) = match path.split_once('/') {
            Some((instance, name)) => (instance, Some(name)),
            None => (path, None),
        };
        let instance = Instance::read(instance).ok_or_else(|| wrong(forms))?;
        Ok((Self::new(instance, socket, host)?, name))
    }

    /// A daemon on another host, and the domain's name if there is one.
    fn read_ssh_url(rest: &str) -> io::Result<(Self, Option<&str>)> {
        let url = rest.strip_prefix("//").ok_or_else(|| wrong(SSH_FORMS))?;
        let (path, query) = match url.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url, None),
        };
        let (login, path) = path.split_once('/').ok_or_else(|| wrong(SSH_FORMS))?;
        let (instance, name) = match path.split_once('/') {
            Some((instance, name)) => (instance, Some(name)),
            None => (path, None),
        };
        let instance = Instance::read(instance).ok_or_else(|| wrong(SSH_FORMS))?;
        let daemon = Self {
            instance,
            location: Location::Ssh(SshHost::read(login, query)?),
            is_read_only: false,
        };
        Ok((daemon, name))
    }

    /// All that this host may have.
    pub(crate) fn local(host: &Host) -> [Self; 2] {
        [Instance::System, Instance::Session].map(|instance| Self {
            instance,
            location: Location::Here(host.socket(instance)),
            is_read_only: false,
        })
    }

    /// The same daemon, only to look at.
    pub(crate) fn read_only(self) -> Self {
        Self {
            is_read_only: true,
            ..self
        }
    }

    /// The one that the environment names; else the system's for who may use it, and the user's own for all others.
    fn default_of(host: &Host) -> io::Result<Self> {
        match host.default_uri() {
            Some(uri) => Self::of_uri(uri, host)
                .map_err(|why| wrong(format!("LIBVIRT_DEFAULT_URI is {uri:?}, and {why}"))),
            None if host.may_use_system() => Self::new(Instance::System, None, host),
            None => Self::new(Instance::Session, None, host),
        }
    }

    fn new(instance: Instance, socket: Option<&str>, host: &Host) -> io::Result<Self> {
        let socket = match socket {
            Some(path) if path.starts_with('/') => path.into(),
            Some(path) => {
                let words = format!(
                    "the path of the daemon's socket, {path:?}, does not begin with a slash"
                );
                return Err(wrong(words));
            }
            None => host.socket(instance),
        };
        Ok(Self {
            instance,
            location: Location::Here(socket),
            is_read_only: false,
        })
    }

    /// Reads libvirt's own form, such as `qemu:///system`.
    fn of_uri(uri: &str, host: &Host) -> io::Result<Self> {
        let forms = "this crate knows qemu:///system, qemu:///session, \
                     qemu+unix:///system?socket=PATH and qemu+ssh://HOST/system";
        let (scheme, rest) = uri.split_once("://").ok_or_else(|| wrong(forms))?;
        if scheme == "qemu+ssh" {
            return match Self::read_ssh_url(&format!("//{rest}"))? {
                (daemon, None) => Ok(daemon),
                (_, Some(_)) => Err(wrong(forms)),
            };
        }
        if !matches!(scheme, "qemu" | "qemu+unix") {
            return Err(wrong(forms));
        }
        let path = rest.strip_prefix('/').ok_or_else(|| wrong(forms))?;
        let (instance, query) = path
            .split_once('?')
            .map_or((path, None), |(path, query)| (path, Some(query)));
        let instance = Instance::read(instance).ok_or_else(|| wrong(forms))?;
        let mut socket = None;
        for parameter in query.into_iter().flat_map(|query| query.split('&')) {
            match parameter.split_once('=') {
                Some(("socket", path)) => socket = Some(path),
                // It is about programs that this crate does not start.
                Some(("mode", _)) => {}
                _ => return Err(wrong(forms)),
            }
        }
        Self::new(instance, socket, host)
    }

    /// The address of a domain of this daemon.
    pub(crate) fn address_of(&self, domain: &DomainKey, host: &Host) -> String {
        let instance = match self.instance {
            Instance::System => "system",
            Instance::Session => "session",
        };
        let domain = match domain {
            DomainKey::Name(name) => name.clone(),
            DomainKey::Uuid(uuid) => uuid.to_string(),
        };
        let (place, socket) = match &self.location {
            Location::Here(socket) if *socket == host.socket(self.instance) => {
                (SCHEME.to_owned() + "//", None)
            }
            Location::Here(socket) => {
                (SCHEME.to_owned() + "//", Some(socket.display().to_string()))
            }
            Location::Ssh(there) => (format!("{SSH_SCHEME}//{}", there.login()), there.socket()),
        };
        let socket = socket.map_or_else(String::new, |socket| format!("{SOCKET}{socket}"));
        format!("{place}/{instance}/{domain}{socket}")
    }

    /// Which driver to open.
    pub(crate) fn driver(&self) -> Open<'static> {
        let uri = match self.instance {
            Instance::System => "qemu:///system",
            Instance::Session => "qemu:///session",
        };
        Open {
            uri,
            is_read_only: self.is_read_only,
        }
    }

    /// The error that it has not answered in time.
    pub(crate) fn says_nothing(&self) -> io::Error {
        let words = format!("{self} has not answered in time; does it hang?");
        io::Error::new(io::ErrorKind::TimedOut, words)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.instance {
            Instance::System => "the system's libvirt daemon",
            Instance::Session => "this user's libvirt daemon",
        };
        match &self.location {
            Location::Here(socket) => write!(f, "{whose} at {}", socket.display()),
            Location::Ssh(place) => write!(f, "{whose} on {place}"),
        }
    }
}

impl Instance {
    fn read(text: &str) -> Option<Self> {
        match text {
            "system" => Some(Self::System),
            "session" => Some(Self::Session),
            _ => None,
        }
    }
}

impl DomainKey {
    /// The name, unless it would be read as something else in an address.
    pub(crate) fn of(name: &str, uuid: Uuid) -> Self {
        match Self::read(name) {
            Ok(Self::Name(name)) if !name.contains('?') => Self::Name(name),
            _ => Self::Uuid(uuid),
        }
    }

    /// What looks like a UUID is one.
    pub(crate) fn read(text: &str) -> io::Result<Self> {
        if let Ok(uuid) = text.parse() {
            return Ok(Self::Uuid(uuid));
        }
        let is_odd = |c: char| c == '/' || c.is_control();
        match text {
            "" => Err(wrong("the domain's name is missing")),
            _ if text.len() > LONGEST_NAME => Err(wrong("the domain's name is too long")),
            _ if text.contains(is_odd) => Err(wrong(
                "a domain's name holds neither slashes nor control characters",
            )),
            name => Ok(Self::Name(name.to_owned())),
        }
    }
}

impl fmt::Display for DomainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?}"),
            Self::Uuid(uuid) => uuid.fmt(f),
        }
    }
}

/// An address that can never be opened.
fn wrong(words: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, words.into())
}

#[cfg(test)]
mod tests;
