//! Starts a real `qemu-ga` for a test, if one is installed.
//!
//! `QGA_REAL_AGENT=/path/to/qemu-ga` names another one, so that the same tests can be run against several
//! versions. It may be a shell script that starts the agent, which must do so with `exec`, since a test kills
//! the process that it has started.
//!
//! **This agent is real, and it runs as you on this very machine.** Its guest is your machine.
//! Never send it `guest-shutdown`, `guest-suspend-*`, `guest-set-time`, `guest-fsfreeze-*`,
//! `guest-fstrim`, `guest-set-vcpus`, `guest-set-memory-blocks` or `guest-set-user-password`, and
//! let `guest-exec` and `guest-file-*` touch only what the test has made. Disable the commands that a
//! test does not need: `RealAgent::start_with(&["-b", "guest-exec"])`.
//!
//! A real agent on a Unix socket ends when a client closes the connection before it has read all
//! replies. Before you close it, read all replies, or shut down the writing half and read to the end.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::wire::socket;

/// A `qemu-ga` that runs on a socket of its own and ends when this is dropped.
#[derive(Debug)]
pub struct RealAgent {
    version: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    path: PathBuf,
    process: Process,
    folder: TempDir,
}

/// A process that is killed when this is dropped.
#[derive(Debug)]
struct Process(Child);

/// How long an agent may take until its socket accepts connections.
const START_LIMIT: Duration = Duration::from_secs(10);
const NOT_INSTALLED: &str = "no qemu-ga is installed: there is none in PATH, /usr/sbin, /usr/bin and /sbin; \
    many systems have it in the package qemu-guest-agent; QGA_REAL_AGENT can name one that lies elsewhere";

/// How long to wait between two attempts to connect.
const START_PAUSE: Duration = Duration::from_millis(5);

impl RealAgent {
    /// Returns the program that [`start`](Self::start) would run: the one that the environment variable
    /// `QGA_REAL_AGENT` names, or else the first `qemu-ga` in `PATH`, `/usr/sbin`, `/usr/bin` and `/sbin`.
    ///
    /// # Errors
    ///
    /// The error is `NotFound` when the variable is not set, or empty, and no `qemu-ga` is installed. It is
    /// `InvalidInput` when the variable names what is not a file.
    pub fn program() -> io::Result<PathBuf> {
        let named = std::env::var_os("QGA_REAL_AGENT").filter(|named| !named.is_empty());
        let program = match named.map(PathBuf::from) {
            Some(program) if program.is_file() => program,
            Some(program) => return Err(no_file(&program)),
            None => {
                installed().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, NOT_INSTALLED))?
            }
        };
        std::path::absolute(program)
    }

    /// Starts an agent and waits until its socket accepts connections.
    ///
    /// # Errors
    ///
    /// The error is that of [`program`](Self::program) where there is no program, and of another kind than
    /// `NotFound` when it does not start.
    pub async fn start() -> io::Result<Self> {
        Self::start_with::<&str>(&[]).await
    }

    /// Starts an agent with more arguments, such as `["-b", "guest-exec"]`. It runs in `/`, so paths among them must be
    /// absolute.
    ///
    /// # Errors
    ///
    /// The error is that of [`program`](Self::program) where there is no program, and of another kind than
    /// `NotFound` when it does not start.
    pub async fn start_with<S: AsRef<OsStr>>(arguments: &[S]) -> io::Result<Self> {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|text| text.as_ref().to_owned())
            .collect();
        let program = Self::program()?;
        // Waiting for a process is real time, also in a test whose tokio time stands still.
        tokio::task::spawn_blocking(move || Self::run(&program, &arguments)).await?
    }

    /// Returns the agent's address: `unix:` and the path of its socket.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    /// Returns the path of the agent's socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the agent's version, such as `7.2.22`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Returns the id of the agent's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }

    /// Kills the agent in the middle of its work and starts another one on the same socket, as an update
    /// does. This blocks the thread until the new one accepts connections.
    ///
    /// # Errors
    ///
    /// When the new agent does not start.
    pub fn restart(&mut self) -> io::Result<()> {
        self.process.0.kill()?;
        self.process.0.wait()?;
        self.process = Process::start(
            &self.program,
            &self.arguments,
            self.folder.path(),
            &self.path,
        )?;
        Ok(())
    }

    fn run(program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let version = version(program)?;
        let folder = socket::folder()?;
        let path = folder.path().join("qga.sock");
        let process = Process::start(program, arguments, folder.path(), &path)?;
        Ok(Self {
            version,
            program: program.to_owned(),
            arguments: arguments.to_owned(),
            path,
            process,
            folder,
        })
    }
}

impl Process {
    fn start(
        program: &Path,
        arguments: &[OsString],
        folder: &Path,
        path: &Path,
    ) -> io::Result<Self> {
        // An agent that was killed leaves it behind, and nobody would know when the new one listens.
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // A pipe that nobody reads would fill up and stop the agent.
        let said = folder.join("stderr");
        let child = Command::new(program)
            .args(["-m", "unix-listen", "-p"])
            .arg(path)
            .arg("-t")
            .arg(folder)
            .arg("-f")
            .arg(folder.join("pid"))
            .args(arguments)
            // Where an agent that is a service runs, and the programs that it starts.
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said)?)
            .spawn()
            .map_err(|error| cannot_run(program, &error))?;
        let mut process = Self(child);
        process.wait_until_accepting(path, &said)?;
        Ok(process)
    }

    fn wait_until_accepting(&mut self, path: &Path, said: &Path) -> io::Result<()> {
        let start = Instant::now();
        loop {
            let Err(error) = UnixStream::connect(path) else {
                return Ok(());
            };
            if let Some(status) = self.0.try_wait()? {
                let said = std::fs::read_to_string(said).unwrap_or_default();
                let text = format!("qemu-ga ended at once with {status}: {}", said.trim());
                return Err(io::Error::other(text));
            }
            if start.elapsed() > START_LIMIT {
                let text = format!("qemu-ga did not listen within {START_LIMIT:?}: {error}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
            std::thread::sleep(START_PAUSE);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/bin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(usual)
        .map(|folder| folder.join("qemu-ga"))
        .find(|program| program.is_file())
}

fn no_file(program: &Path) -> io::Error {
    let mut text = format!(
        "QGA_REAL_AGENT names {}, which is not a file",
        program.display()
    );
    if let (true, Ok(folder)) = (program.is_relative(), std::env::current_dir()) {
        text = format!("{text} in {}", folder.display());
    }
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// Never `NotFound`, which means that there is no agent: a script may lack its interpreter.
fn cannot_run(program: &Path, error: &io::Error) -> io::Error {
    io::Error::other(format!("cannot run {}: {error}", program.display()))
}

/// The last word on the first line that `qemu-ga --version` prints.
fn version(program: &Path) -> io::Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| cannot_run(program, &error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let version = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().last());
    version
        .filter(|_| output.status.success())
        .map(str::to_owned)
        .ok_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            io::Error::other(format!(
                "{} --version told none and ended with {}: {}",
                program.display(),
                output.status,
                said.trim()
            ))
        })
}
