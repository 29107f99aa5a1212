//! Where an agent is reached.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::quoted;
use crate::error::AddressError;

pub(super) mod parse;
mod ssh;
#[cfg(test)]
mod tests;

pub use ssh::SshAddress;

/// Where an agent is reached, and over what kind of channel.
///
/// As text it is a scheme, a colon, and the rest:
///
/// | text | channel |
/// |---|---|
/// | `unix:PATH`, or a bare path without a colon before its first slash | a Unix socket |
/// | `tcp:HOST:PORT`, `tcp:[::1]:PORT` | a TCP connection |
/// | `serial:/dev/DEVICE` | a serial line, a pseudoterminal, or a virtio port |
/// | `vsock:CID:PORT` | a port of a machine over vsock |
/// | `vsock-proxy:PATH:PORT` | a port of a machine over the Unix socket of Firecracker, Cloud Hypervisor or `vhost-device-vsock` |
/// | `exec:PROGRAM ARGUMENTS` | the input and output of a program on this host, if [that is allowed](crate::ClientBuilder::exec_scheme) |
/// | `ssh://USER@HOST:PORT/PATH`, `ssh://HOST/vsock:CID:PORT` | a socket on another host, reached by OpenSSH |
/// | `SCHEME:REST` | whatever the builder was [told](crate::ClientBuilder::scheme) of this scheme |
///
/// A [`Path`] and a [`SocketAddr`] are an address too, and with serde it is a string. An address that was read from a text
/// displays as one that is read as the same address.
///
/// ```
/// use qga_core::Address;
///
/// let address: Address = "/run/vm1/qga.sock".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/vm1/qga.sock");
/// assert_eq!("vsock:3:1024".parse(), Ok(Address::Vsock { cid: 3, port: 1024 }));
/// let error = "192.168.0.7:1234".parse::<Address>().unwrap_err();
/// assert!(error.to_string().ends_with("write tcp:192.168.0.7:1234"));
/// # Ok::<(), qga_core::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port, as in `localhost:1234` or `[::1]:1234`. Of a name that has several addresses, the first that
    /// answers is taken.
    Tcp(String),
    /// The absolute path of a terminal device, such as `/dev/ttyS0` or `/dev/pts/3`, or of a virtio port.
    Serial(PathBuf),
    /// A port of a machine over vsock.
    Vsock {
        /// The machine's context identifier; 1 is this host itself, and 2 is the host of a machine.
        cid: u32,
        /// The port that the agent listens on.
        port: u32,
    },
    /// A port of a machine over a Unix socket whose owner takes `CONNECT PORT`, as Firecracker's does.
    VsockProxy {
        /// The path of the Unix socket.
        path: PathBuf,
        /// The port that the agent listens on.
        port: u32,
    },
    /// A program on this host and its arguments, whose standard input and output are the channel. As text they are
    /// split as a POSIX shell splits words. There is no shell, unless it is the program: `exec:sh -c 'one | two'`.
    Exec(Vec<String>),
    /// A socket on another host.
    Ssh(Box<SshAddress>),
    /// An address of a scheme that this crate does not know; the builder may have been
    /// [told](crate::ClientBuilder::scheme) what to do with it.
    Other {
        /// The scheme, which is what stands before the first colon.
        scheme: String,
        /// What stands behind that colon.
        rest: String,
    },
}

impl Address {
    /// The schemes that this crate knows itself. A [builder](crate::ClientBuilder::scheme) may know more.
    ///
    /// ```
    /// use qga_core::Address;
    ///
    /// assert!(Address::SCHEMES.contains(&"unix"));
    /// ```
    pub const SCHEMES: &'static [&'static str] = &parse::SCHEMES;

    /// The scheme, which is what stands before the first colon of the text.
    ///
    /// ```
    /// use qga_core::Address;
    ///
    /// assert_eq!(Address::from(std::path::Path::new("/run/vm1/qga.sock")).scheme(), "unix");
    /// ```
    #[must_use]
    pub fn scheme(&self) -> &str {
        match self {
            Self::Unix(_) => "unix",
            Self::Tcp(_) => "tcp",
            Self::Serial(_) => "serial",
            Self::Vsock { .. } => "vsock",
            Self::VsockProxy { .. } => "vsock-proxy",
            Self::Exec(_) => "exec",
            Self::Ssh(_) => "ssh",
            Self::Other { scheme, .. } => scheme,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse::address(text).map_err(|reason| {
            let shown = if reason == parse::PASSWORD {
                "ssh://USER:..."
            } else {
                text
            };
            AddressError::new(shown, reason)
        })
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = AddressError;

    fn try_from(text: &String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        Self::Unix(path.clone())
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address.to_string())
    }
}

/// What would not be read as the same address cannot be written, such as a path that is not UTF-8 or holds a
/// line break.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        match text.parse::<Self>() {
            Ok(read) if read == *self => serializer.serialize_str(&text),
            Ok(_) => Err(ser::Error::custom(
                "the address cannot be written as a text that is read as the same address",
            )),
            Err(error) => Err(ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme())?;
        match self {
            Self::Unix(path) | Self::Serial(path) => write!(f, "{}", path.display()),
            Self::Tcp(host_and_port) => f.write_str(host_and_port),
            Self::Vsock { cid, port } => write!(f, "{cid}:{port}"),
            Self::VsockProxy { path, port } => write!(f, "{}:{port}", path.display()),
            Self::Exec(words) => f.write_str(&quoted(words.iter().map(String::as_str))),
            Self::Ssh(address) => address.fmt(f),
            Self::Other { rest, .. } => f.write_str(rest),
        }
    }
}
