//! Daemons on other hosts.

use std::{fmt, io};

use qga_core::{Address, SshAddress, SshStream};

use super::{Instance, wrong};

/// What libvirt itself runs there. It finds the daemon's socket.
const HELPER: &str = "virt-ssh-helper";

/// Where the system's daemon listens on most hosts.
const SYSTEM_SOCKET: &str = "/run/libvirt/libvirt-sock";

/// What ends the address of a host, of which only who logs in where is taken.
const NO_SOCKET: &str = "/socket";

/// Another host, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SshHost {
    login: SshAddress,
    /// The path of the daemon's socket there, if the address says so.
    socket: Option<String>,
    /// OpenSSH's client, and arguments that come before all others.
    pub(super) program: Vec<String>,
}

impl SshHost {
    /// Reads who logs in where, and what stands behind the question mark.
    pub(super) fn read(login: &str, query: Option<&str>) -> io::Result<Self> {
        let text = format!("ssh://{login}{NO_SOCKET}");
        let login = match text.parse() {
            Ok(Address::Ssh(login)) => *login,
            Ok(_) => return Err(wrong(format!("{login:?} is no host"))),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut place = Self {
            login,
            socket: None,
            program: vec!["ssh".to_owned()],
        };
        for parameter in query.into_iter().flat_map(|query| query.split('&')) {
            match parameter.split_once('=') {
                Some(("socket", path)) if path.starts_with('/') => {
                    place.socket = Some(path.to_owned());
                }
                Some(("socket", path)) => {
                    let words = format!(
                        "the path of the daemon's socket, {path:?}, does not begin with a slash"
                    );
                    return Err(wrong(words));
                }
                // It is about programs that this crate does not start.
                Some(("mode", _)) => {}
                _ => {
                    let words = format!("{parameter:?} is not socket=PATH");
                    return Err(wrong(words));
                }
            }
        }
        Ok(place)
    }

    /// Who logs in where, as it stands in an address.
    pub(super) fn login(&self) -> String {
        let address = self.login.to_string();
        let login = address.strip_prefix("//").unwrap_or(&address);
        login.strip_suffix(NO_SOCKET).unwrap_or(login).to_owned()
    }

    /// The path of the daemon's socket there, if the address says so.
    pub(super) fn socket(&self) -> Option<String> {
        self.socket.clone()
    }

    /// Opens a stream of bytes to the daemon.
    pub(crate) async fn open(
        &self,
        instance: Instance,
        is_read_only: bool,
    ) -> io::Result<SshStream> {
        let uri = match instance {
            Instance::System => "qemu:///system",
            Instance::Session => "qemu:///session",
        };
        let helper: &[&str] = match (&self.socket, is_read_only) {
            // It cannot be told of another socket.
            (Some(_), _) => &[],
            (None, true) => &[HELPER, "-r", uri],
            (None, false) => &[HELPER, uri],
        };
        let ending = if is_read_only { "-ro" } else { "" };
        let target = match (self.socket.as_deref(), instance) {
            (Some(socket), _) => Some(socket),
            (None, Instance::System) => Some(SYSTEM_SOCKET),
            // Only its own host knows where it is.
            (None, Instance::Session) => None,
        };
        let mut address = self.login.clone();
        address.target = match target {
            Some(socket) => Address::Unix(format!("{socket}{ending}").into()),
            None => Address::Other {
                scheme: "libvirt".to_owned(),
                rest: uri.to_owned(),
            },
        };
        address.open(&self.program, helper).await
    }
}

/// Who logs in where.
impl fmt::Display for SshHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.login.user {
            write!(f, "{user}@")?;
        }
        f.write_str(&self.login.host)?;
        if let Some(port) = self.login.port {
            write!(f, ":{port}")?;
        }
        match &self.socket {
            Some(socket) => write!(f, ", at {socket}"),
            None => Ok(()),
        }
    }
}
