//! Where an agent listens.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where an agent listens: a Unix socket or a TCP port.
///
/// As text it is `unix:/path`, a bare path, or `tcp:host:port`. A [`Path`] is one too.
///
/// ```
/// use qga_core::Address;
///
/// let address: Address = "/run/vm1/qga.sock".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/vm1/qga.sock");
/// assert!("tcp:localhost".parse::<Address>().is_err());
/// # Ok::<(), qga_core::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port, as in `localhost:1234` or `[::1]:1234`.
    Tcp(String),
}

/// Why a text is no [`Address`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Address, &'static str> {
    match text.split_once(':') {
        Some(("unix", path)) => unix(path),
        Some(("tcp", rest)) => tcp(rest),
        Some((scheme, _)) if !scheme.contains(['/', '.']) => {
            Err("the scheme is neither `unix` nor `tcp`; write unix:PATH for a path with a colon")
        }
        _ => unix(text),
    }
}

fn unix(path: &str) -> Result<Address, &'static str> {
    match path {
        "" => Err("the path is empty"),
        path if path.contains('\0') => Err("the path holds a NUL character"),
        path => Ok(Address::Unix(path.into())),
    }
}

fn tcp(text: &str) -> Result<Address, &'static str> {
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        return Err("the host is missing");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address stands in brackets: tcp:[::1]:1234");
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err("the port is not a number from 1 to 65535"),
        Ok(_) => Ok(Address::Tcp(text.to_owned())),
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

impl From<Infallible> for AddressError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host_and_port) => write!(f, "tcp:{host_and_port}"),
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no address: {}", self.text, self.reason)
    }
}

impl std::error::Error for AddressError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_stand_bare_or_behind_unix() {
        for text in ["/run/qga.sock", "unix:/run/qga.sock"] {
            assert_eq!(text.parse(), Ok(Address::Unix("/run/qga.sock".into())));
        }
        assert_eq!("qga.sock".parse(), Ok(Address::Unix("qga.sock".into())));
        assert_eq!("./a:b".parse(), Ok(Address::Unix("./a:b".into())));
        assert_eq!("unix:a:b".parse(), Ok(Address::Unix("a:b".into())));
    }

    #[test]
    fn a_tcp_address_has_a_host_and_a_port() {
        for text in ["tcp:localhost:1", "tcp:10.0.0.1:65535", "tcp:[::1]:1234"] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn each_mistake_in_an_address_has_its_own_message() {
        let cases = [
            ("", "the path is empty"),
            ("unix:", "the path is empty"),
            ("a\0b", "NUL"),
            ("vsock:3:1024", "neither `unix` nor `tcp`"),
            ("tcp:localhost", "the port is missing"),
            ("tcp::1234", "the host is missing"),
            ("tcp:localhost:0", "1 to 65535"),
            ("tcp:localhost:65536", "1 to 65535"),
            ("tcp:localhost:http", "1 to 65535"),
            ("tcp:::1:1234", "brackets"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
