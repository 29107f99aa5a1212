//! Programs of the host that a client has started.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::output::{Data, Output};
use super::script::{Capture, End};
use super::{Invocation, Status};

/// The processes, by their ids on the host.
#[derive(Debug, Default)]
pub(crate) struct HostProcesses {
    started: BTreeMap<i64, HostProcess>,
    /// Where programs are looked for, instead of in the `PATH` of this process.
    path: Option<OsString>,
}

/// A process of the host, which is killed when this is dropped.
#[derive(Debug)]
struct HostProcess {
    child: Child,
    ended: Option<ExitStatus>,
    out: Option<File>,
    err: Option<File>,
}

/// The host's programs, which are not looked for in the guest's folder.
const PROGRAMS: [&str; 4] = ["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/"];

impl HostProcesses {
    pub(crate) fn new(path: Option<OsString>) -> Self {
        Self {
            path,
            ..Self::default()
        }
    }

    /// Starts a program, and returns the id of its process.
    pub(crate) fn start(
        &mut self,
        call: &Invocation,
        capture: Capture,
        root: &Path,
        place: impl Fn(&str) -> OsString,
    ) -> io::Result<i64> {
        let word = |word: &String| word_for(word, &place);
        let mut command = Command::new(word(&call.path));
        command.args(call.args.iter().map(word)).current_dir(root);
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        if let Some(env) = &call.env {
            let variables = env.iter().filter_map(|entry| entry.split_once('='));
            command.env_clear().envs(variables);
        }
        let stream = |wanted| {
            if wanted {
                tempfile::tempfile().map(Some)
            } else {
                Ok(None)
            }
        };
        let out = stream(!matches!(capture, Capture::Nothing | Capture::Err))?;
        let err = stream(matches!(capture, Capture::Err | Capture::Both))?;
        let stdio = |file: Option<&File>| match file {
            Some(file) => file.try_clone().map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        let errors = if capture == Capture::Merged {
            &out
        } else {
            &err
        };
        command
            .stdout(stdio(out.as_ref())?)
            .stderr(stdio(errors.as_ref())?);
        command.stdin(input(&call.stdin)?);
        let child = command.spawn()?;
        let pid = i64::from(child.id());
        let process = HostProcess {
            child,
            ended: None,
            out,
            err,
        };
        self.started.insert(pid, process);
        Ok(pid)
    }

    /// Says whether a process is running or how it has ended. A process that has ended is forgotten.
    pub(crate) fn status(&mut self, pid: i64) -> Option<Status> {
        let process = self.started.get_mut(&pid)?;
        let Some(ended) = process.ended() else {
            return Some(Status::Running);
        };
        let mut process = self.started.remove(&pid)?;
        let end = match (ended.code(), ended.signal()) {
            (_, Some(signal)) => End::Signal(signal.into()),
            (code, None) => End::Exit(code.unwrap_or(-1).into()),
        };
        let (out, err) = (output(process.out.take()), output(process.err.take()));
        Some(Status::Ended { end, out, err })
    }

    pub(crate) fn kill(&mut self, pid: i64, signal: i64) -> bool {
        let Some(process) = self.started.get_mut(&pid) else {
            return false;
        };
        if process.ended().is_some() {
            return false;
        }
        let mut kill = Command::new("kill");
        kill.arg(format!("-{signal}")).arg(pid.to_string());
        kill.status().is_ok_and(|status| status.success())
    }

    pub(crate) fn running(&mut self) -> Vec<i64> {
        let mut running = Vec::new();
        for (pid, process) in &mut self.started {
            if process.ended().is_none() {
                running.push(*pid);
            }
        }
        running
    }

    pub(crate) fn forget_all(&mut self) {
        self.started.clear();
    }
}

impl HostProcess {
    fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // It may just have ended by itself.
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// Turns a word that begins with a slash into a path below the guest's folder, unless it is a program of the host.
fn word_for(word: &str, place: &impl Fn(&str) -> OsString) -> OsString {
    let program = PROGRAMS.iter().any(|folder| word.starts_with(folder));
    if !word.starts_with('/') || (program && Path::new(word).is_file()) {
        return word.into();
    }
    place(word)
}

fn input(bytes: &[u8]) -> io::Result<Stdio> {
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = tempfile::tempfile()?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Reads as much of the output as an agent keeps.
fn output(file: Option<File>) -> Output {
    let mut output = Output::default();
    let mut bytes = Vec::new();
    if let Some(mut file) = file {
        let read = file
            .seek(SeekFrom::Start(0))
            .and_then(|_| file.take(64 << 20).read_to_end(&mut bytes));
        if read.is_ok() {
            output.take(&Data::Bytes(bytes.into()));
        }
    }
    output
}
