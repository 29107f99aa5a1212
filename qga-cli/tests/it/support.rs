//! What the tests have in common.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qga_testserver::TestAgent;
use tempfile::TempDir;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, sink,
};
use tokio::net::{UnixListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// What a run of the program has left.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The program, with no configuration but what the test gives it.
pub(crate) fn qga(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qga"));
    command
        .args(args)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("LIBVIRT_DEFAULT_URI")
        .env("HOME", "/none")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

impl Run {
    /// Whether a row begins with these words. How far they are apart depends on the other rows.
    pub(crate) fn has_row(&self, words: &[&str]) -> bool {
        let mut rows = self.stdout.lines().map(str::split_whitespace);
        rows.any(|row| row.take(words.len()).eq(words.iter().copied()))
    }
}

pub(crate) async fn run(args: &[&str]) -> Run {
    ended(qga(args).output().await.unwrap())
}

/// Runs it with something to read.
pub(crate) async fn run_with(args: &[&str], input: &[u8]) -> Run {
    let mut child = qga(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may not want to read all of it.
    drop(stdin.write_all(input).await);
    drop(stdin);
    ended(child.wait_with_output().await.unwrap())
}

pub(crate) fn ended(output: Output) -> Run {
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Sends a signal to the program.
pub(crate) fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = i32::try_from(child.id().unwrap()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A guest, and its address.
pub(crate) async fn guest() -> (TestAgent, String) {
    let agent = TestAgent::start().await;
    let address = agent.address();
    (agent, address)
}

/// A configuration, in a folder of its own.
pub(crate) fn config(text: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// The names of what is in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// An address that leads to an agent until so many of its replies have come, and nowhere after that.
pub(crate) fn cut_after(agent: &TestAgent, replies: usize) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let address = format!("unix:{}", path.display());
    let theirs = agent.connect();
    tokio::spawn(async move {
        let (mut ours, _) = listener.accept().await.unwrap();
        drop(listener);
        std::fs::remove_file(path).unwrap();
        let (mut requests, mut answers) = ours.split();
        let (from_agent, mut to_agent) = tokio::io::split(theirs);
        let mut from_agent = tokio::io::BufReader::new(from_agent);
        let pass_on = async {
            for _ in 0..replies {
                let mut line = Vec::new();
                from_agent.read_until(b'\n', &mut line).await.unwrap();
                answers.write_all(&line).await.unwrap();
            }
        };
        tokio::select! {
            _ = tokio::io::copy(&mut requests, &mut to_agent) => {}
            () = pass_on => {}
        }
    });
    (folder, address)
}

/// An address that leads to an agent until so many bytes have passed, and nowhere after that.
pub(crate) struct Relay {
    pub(crate) address: String,
    passed: Arc<AtomicU64>,
    task: JoinHandle<()>,
    _folder: TempDir,
}

impl Relay {
    pub(crate) fn to(agent: &Path, most: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qga.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (agent, passed) = (agent.to_owned(), Arc::<AtomicU64>::default());
        let count = Arc::clone(&passed);
        let task = tokio::spawn(async move {
            while count.load(Ordering::Relaxed) < most {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut agent = UnixStream::connect(&agent).await.unwrap();
                let (mut requests, mut answers) = client.split();
                let (mut from_agent, mut to_agent) = agent.split();
                tokio::select! {
                    () = pass(&mut requests, &mut to_agent, most, &count) => {}
                    () = pass(&mut from_agent, &mut answers, most, &count) => {}
                }
                // An agent ends where a connection is closed with answers in it that nobody has read.
                drop(to_agent.shutdown().await);
                drop(copy(&mut from_agent, &mut sink()).await);
            }
        });
        Self {
            address: format!("unix:{}", path.display()),
            passed,
            task,
            _folder: folder,
        }
    }

    /// How many bytes have passed, in both directions.
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }

    /// Waits until it leads nowhere any more.
    pub(crate) async fn ended(self) {
        self.task.await.unwrap();
    }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    most: u64,
    passed: &AtomicU64,
) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let before = passed.fetch_add(count as u64, Ordering::Relaxed);
        if before >= most || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}
