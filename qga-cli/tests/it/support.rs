//! What the tests have in common.

use std::path::Path;
use std::process::{Output, Stdio};

use qga_testserver::TestAgent;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

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
