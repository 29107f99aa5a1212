//! The channels that the cases run over, each in front of the Unix socket of an agent.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::task::AbortHandle;
use tokio::time::{Duration, timeout};

use crate::relay;
use crate::ssh_server::SshServer;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Channel {
    /// The agent's own socket.
    Unix,
    Tcp,
    Serial,
    Vsock,
    VsockProxy,
    Exec,
    /// A program on the other host carries the bytes.
    Ssh,
    /// There is no program there, so ssh forwards the socket.
    SshForward,
}

/// All of them, but for the agent's own socket.
pub(crate) const OTHERS: &[Channel] = &[
    Channel::Tcp,
    Channel::Serial,
    Channel::Vsock,
    Channel::VsockProxy,
    Channel::Exec,
    Channel::Ssh,
    Channel::SshForward,
];

/// An address that leads to an agent's socket, for as long as this lives.
pub(crate) struct Way {
    pub(crate) address: String,
    /// The program in the place of `ssh`.
    pub(crate) ssh: Vec<String>,
    _task: Option<Task>,
}

/// A task that ends with this.
struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Channel {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Unix => "unix",
            Self::Tcp => "tcp",
            Self::Serial => "serial",
            Self::Vsock => "vsock",
            Self::VsockProxy => "vsock_proxy",
            Self::Exec => "exec",
            Self::Ssh => "ssh",
            Self::SshForward => "ssh_forward",
        }
    }

    /// Why it cannot be had on this machine.
    pub(crate) fn missing(self) -> Option<&'static str> {
        match self {
            Self::Vsock if vsock_listener().is_err() => {
                Some("the kernel has no vsock loopback (module vsock_loopback)")
            }
            Self::Ssh if !is_installed("socat") => Some("socat is not installed"),
            Self::Ssh | Self::SshForward if !is_installed("sshd") || !is_installed("ssh") => {
                Some("openssh-server and openssh-client are not installed")
            }
            _ => None,
        }
    }

    /// Whether it is slow to open.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::Ssh | Self::SshForward)
    }

    /// Builds a way to a socket.
    pub(crate) async fn lead_to(self, socket: &Path, folder: &Path) -> Way {
        let target = socket.to_owned();
        match self {
            Self::Unix => Way::new(format!("unix:{}", socket.display())),
            Self::Tcp => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = format!("tcp:{}", listener.local_addr().unwrap());
                Way::new(address).kept_by(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(carry(stream, target.clone()));
                    }
                })
            }
            Self::Serial => {
                let (master, path) = relay::pseudoterminal();
                let address = format!("serial:{}", path.display());
                Way::new(address).kept_by(relay::serial_line(master, target))
            }
            Self::Vsock => {
                let (listener, port) = vsock_listener().unwrap();
                Way::new(format!("vsock:1:{port}")).kept_by(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(carry(stream, target.clone()));
                    }
                })
            }
            Self::VsockProxy => {
                let path = folder.join("vsock");
                let listener = UnixListener::bind(&path).unwrap();
                let address = format!("vsock-proxy:{}:1234", path.display());
                Way::new(address).kept_by(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(proxy(stream, target.clone()));
                    }
                })
            }
            Self::Exec => {
                let relay = relay::command(socket);
                // More complaints than a pipe holds must not keep it from its work.
                let script = format!("head -c 200000 /dev/zero >&2; exec {relay}");
                Way::new(format!("exec:sh -c '{script}'"))
            }
            Self::Ssh | Self::SshForward => {
                let server = SshServer::start(folder, self == Self::Ssh).await;
                let address = format!("ssh://127.0.0.1:{}{}", server.port, socket.display());
                let mut way = Way::new(address);
                way.ssh = server.client();
                way.kept_by(server.serve())
            }
        }
    }
}

impl Way {
    fn new(address: String) -> Self {
        Self {
            address,
            ssh: vec!["ssh".into()],
            _task: None,
        }
    }

    fn kept_by(self, task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self {
            _task: Some(Task(tokio::spawn(task).abort_handle())),
            ..self
        }
    }
}

pub(crate) fn is_installed(program: &str) -> bool {
    path_of(program).is_some()
}

pub(crate) fn path_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

/// Waits for connections from this machine, on a port that the kernel chooses.
fn vsock_listener() -> std::io::Result<(UnixListener, u32)> {
    let any = u32::MAX;
    let socket = Socket::new(Domain::VSOCK, Type::STREAM, None)?;
    socket.bind(&SockAddr::vsock(1, any))?;
    socket.listen(16)?;
    socket.set_nonblocking(true)?;
    let port = socket.local_addr()?.as_vsock_address();
    let (_, port) = port.ok_or(ErrorKind::Unsupported)?;
    // Once it is bound, it is accepted from as a Unix socket is.
    let listener = std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket));
    Ok((UnixListener::from_std(listener)?, port))
}

/// Reads `CONNECT`, says `OK`, and then carries.
async fn proxy(mut stream: UnixStream, target: PathBuf) {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let Ok(byte) = stream.read_u8().await else {
            return;
        };
        line.push(byte);
    }
    assert_eq!(String::from_utf8_lossy(&line), "CONNECT 1234\n");
    stream.write_all(b"OK 1073741824\n").await.unwrap();
    carry(stream, target).await;
}

/// Carries bytes between a stream and a socket until one of them ends.
pub(crate) async fn carry(stream: impl AsyncRead + AsyncWrite, target: PathBuf) {
    let Ok(agent) = UnixStream::connect(target).await else {
        return;
    };
    let (mut agent_reader, mut agent_writer) = agent.into_split();
    let (mut reader, mut writer) = tokio::io::split(stream);
    tokio::select! {
        _ = tokio::io::copy(&mut reader, &mut agent_writer) => {}
        _ = tokio::io::copy(&mut agent_reader, &mut writer) => return,
    }
    // A real agent ends when it is left with a reply unread.
    drop(agent_writer.shutdown().await);
    let mut nowhere = tokio::io::sink();
    drop(
        timeout(
            Duration::from_secs(5),
            tokio::io::copy(&mut agent_reader, &mut nowhere),
        )
        .await,
    );
}
