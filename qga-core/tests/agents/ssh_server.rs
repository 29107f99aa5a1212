//! OpenSSH's server for one test: its own keys, its own configuration, and a port of the loopback interface.

use std::fmt::Write as _;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use crate::channel::path_of;

pub(crate) struct SshServer {
    pub(crate) port: u16,
    folder: PathBuf,
    listener: TcpListener,
    connections: Arc<AtomicUsize>,
}

impl SshServer {
    /// Starts one, on whose host there are programs or, if not, only a shell and `cat`.
    pub(crate) async fn start(folder: &Path, has_programs: bool) -> Self {
        let folder = folder.join("ssh");
        fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        for key in ["host", "user"] {
            let mut keygen = Command::new(path_of("ssh-keygen").unwrap());
            keygen
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(key));
            assert!(keygen.status().unwrap().success());
        }
        configure(&folder, port, has_programs);
        Self {
            port,
            folder,
            listener,
            connections: Arc::default(),
        }
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> Arc<AtomicUsize> {
        self.connections.clone()
    }

    pub(crate) async fn serve(self) {
        while let Ok((stream, _)) = self.listener.accept().await {
            self.connections.fetch_add(1, Ordering::SeqCst);
            let stream = stream.into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            let output = stream.try_clone().unwrap();
            let mut sshd = Command::new(path_of("sshd").unwrap());
            sshd.arg("-i")
                .arg("-f")
                .arg(self.folder.join("sshd_config"));
            sshd.stdin(OwnedFd::from(stream));
            sshd.stdout(OwnedFd::from(output)).stderr(Stdio::null());
            // It ends with the connection.
            let mut sshd = sshd.spawn().unwrap();
            tokio::task::spawn_blocking(move || drop(sshd.wait()));
        }
    }

    /// OpenSSH's client, told to trust this server and to use its key.
    pub(crate) fn client(&self) -> Vec<String> {
        let config = self.folder.join("ssh_config").display().to_string();
        vec!["ssh".into(), "-F".into(), config]
    }

    /// The same, where all sessions share one connection.
    pub(crate) fn client_with_master(&self) -> Vec<String> {
        let socket = self.folder.join("%C").display().to_string();
        let path = format!("ControlPath={socket}");
        let options = [
            "-o",
            "ControlMaster=auto",
            "-o",
            "ControlPersist=5",
            "-o",
            &path,
        ];
        let mut words = self.client();
        words.extend(options.map(str::to_owned));
        words
    }
}

fn configure(folder: &Path, port: u16, has_programs: bool) {
    // The server wants it if it runs as root.
    if rustix::process::geteuid().is_root() {
        let privileged = Path::new("/run/sshd");
        fs::create_dir_all(privileged).unwrap();
        fs::set_permissions(privileged, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let at = |name: &str| folder.join(name).display().to_string();
    fs::copy(at("user.pub"), at("authorized_keys")).unwrap();
    let mut server = format!(
        "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
         PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        at("host"),
        at("authorized_keys")
    );
    if !has_programs {
        let programs = folder.join("programs");
        fs::create_dir(&programs).unwrap();
        for program in ["sh", "cat"] {
            symlink(path_of(program).unwrap(), programs.join(program)).unwrap();
        }
        writeln!(server, "SetEnv PATH={}", programs.display()).unwrap();
    }
    fs::write(at("sshd_config"), server).unwrap();
    let key = fs::read_to_string(at("host.pub")).unwrap();
    fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {key}")).unwrap();
    let client = format!(
        "IdentityFile {}\nIdentitiesOnly yes\nIdentityAgent none\nUserKnownHostsFile {}\nStrictHostKeyChecking yes\n",
        at("user"),
        at("known_hosts")
    );
    fs::write(at("ssh_config"), client).unwrap();
}
