//! rustfmt, which lays code out as the project does that it is for.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

use super::with_path;
use crate::emit::Files;

/// The files as rustfmt leaves them with the settings that hold in this folder, which need not be there yet.
pub(super) fn laid_out(folder: &Path, files: &Files) -> io::Result<Files> {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    let there = there.unwrap_or(Path::new("."));
    let laid_out = |(name, text): (&String, &String)| {
        let text = rustfmt(there, text).map_err(with_path(&folder.join(name)))?;
        Ok((name.clone(), text))
    };
    files.iter().map(laid_out).collect()
}

fn rustfmt(folder: &Path, text: &str) -> io::Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = run(folder, text).map_err(|error| {
        let hint = "`rustup component add rustfmt` installs it";
        let message = format!("rustfmt, which lays it out, does not run: {error}; {hint}");
        io::Error::new(error.kind(), message)
    })?;
    if !status.success() {
        let said = String::from_utf8_lossy(&stderr);
        let message = format!("rustfmt cannot lay it out: {}", said.trim());
        return Err(io::Error::new(ErrorKind::InvalidData, message));
    }
    String::from_utf8(stdout).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

fn run(folder: &Path, text: &str) -> io::Result<Output> {
    // As `cargo fmt` finds it.
    let program = std::env::var_os("RUSTFMT").unwrap_or(OsString::from("rustfmt"));
    let mut child = Command::new(program)
        .args(["--edition", "2024"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    thread::scope(|scope| {
        // It is written while the output is read, as neither has to fit into a pipe. If not all of it is read,
        // rustfmt has failed, and says why.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
        child.wait_with_output()
    })
}
