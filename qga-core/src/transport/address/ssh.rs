//! A socket on another host.

use std::fmt;

use super::Address;

/// What an address of the scheme `ssh` names: a socket on another host, which OpenSSH leads to.
///
/// ```
/// use qga_core::{Address, SshAddress};
/// use std::path::Path;
///
/// let socket = Address::from(Path::new("/run/vm1/qga.sock"));
/// let address = Address::from(SshAddress::new("hypervisor7", socket).user("backup").port(2222));
/// assert_eq!(address, "ssh://backup@hypervisor7:2222/run/vm1/qga.sock".parse()?);
/// # Ok::<(), qga_core::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SshAddress {
    /// The user there, if it is not the one that OpenSSH's configuration says.
    pub user: Option<String>,
    /// A host's name or address, or a name from OpenSSH's configuration.
    pub host: String,
    /// The port of the SSH server, if it is not the one that OpenSSH's configuration says.
    pub port: Option<u16>,
    /// What to reach from there: a [`Unix`](Address::Unix) socket with an absolute path, or a
    /// [`Vsock`](Address::Vsock) port. Any other address cannot be connected to.
    pub target: Address,
}

impl SshAddress {
    /// What is reached from a host, as the user and by the port that OpenSSH's configuration says.
    pub fn new(host: impl Into<String>, target: Address) -> Self {
        Self {
            user: None,
            host: host.into(),
            port: None,
            target,
        }
    }

    /// The user there.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The port of the SSH server.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }
}

impl From<SshAddress> for Address {
    fn from(address: SshAddress) -> Self {
        Self::Ssh(Box::new(address))
    }
}

/// The address without its scheme.
impl fmt::Display for SshAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("//")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.target {
            Address::Unix(path) => write!(f, "{}", path.display()),
            other => write!(f, "/{other}"),
        }
    }
}
