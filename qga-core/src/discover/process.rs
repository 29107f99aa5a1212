//! A process, as `/proc` shows it.

use std::collections::HashSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::bounded;
use super::found::Process;
use super::report;

/// The longest command line that is read whole, in bytes.
const COMMAND_LINE: u64 = 1 << 20;
/// How many open files of a process are looked at.
const OPEN_FILES: usize = 100_000;

/// A process that has arguments.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pid: u32,
    pub(super) folder: PathBuf,
    pub(super) arguments: Vec<Vec<u8>>,
    /// Whether these are all of its arguments.
    pub(super) is_whole: bool,
}

/// What a process has open, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct OpenFiles {
    /// The inodes of its sockets.
    pub(super) sockets: HashSet<u64>,
    /// The numbers of the pseudoterminals whose other ends it has.
    pub(super) terminals: Vec<u32>,
}

impl Running {
    /// Reads the command line. It is none if there is none, as for a process of the kernel.
    pub(super) fn read(proc: &Path, pid: u32) -> io::Result<Option<Self>> {
        let folder = proc.join(pid.to_string());
        let (mut bytes, is_whole) = bounded::read(&folder.join("cmdline"), COMMAND_LINE)?;
        if bytes.last() == Some(&0) {
            bytes.pop();
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            pid,
            folder,
            arguments: bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
            is_whole,
        }))
    }

    /// The name of its program, without folders.
    pub(super) fn program(&self) -> &[u8] {
        let path = self.arguments.first().map_or(&[][..], Vec::as_slice);
        path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
    }

    pub(super) fn process(&self) -> Process {
        report::process(self.program(), self.pid)
    }

    /// The number or text of a descriptor's link, such as `socket:[17]`.
    pub(super) fn descriptor(&self, number: u32) -> io::Result<PathBuf> {
        self.folder.join("fd").join(number.to_string()).read_link()
    }

    pub(super) fn open_files(&self) -> io::Result<OpenFiles> {
        let mut open = OpenFiles::default();
        each_open_file(&self.folder, |number, link| {
            if let Some(inode) = socket_inode(link) {
                open.sockets.insert(inode);
            } else if link.ends_with("ptmx") {
                let info = self.folder.join("fdinfo").join(number);
                open.terminals.extend(terminal(&info));
            }
        })?;
        open.terminals.sort_unstable();
        open.terminals.dedup();
        Ok(open)
    }

    /// A path of its command line, made absolute.
    pub(super) fn absolute(&self, path: &[u8]) -> io::Result<PathBuf> {
        let path = bounded::path(path);
        if path.is_absolute() {
            return Ok(path);
        }
        Ok(self.folder.join("cwd").read_link()?.join(path))
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

/// Calls back with the number and the link of what a process has open. What is closed meanwhile is passed over.
pub(super) fn each_open_file(folder: &Path, mut each: impl FnMut(&Path, &Path)) -> io::Result<()> {
    for entry in folder.join("fd").read_dir()?.take(OPEN_FILES) {
        let entry = entry?;
        if let Ok(link) = entry.path().read_link() {
            each(Path::new(&entry.file_name()), &link);
        }
    }
    Ok(())
}

/// The inode of a socket from its link, such as `socket:[17]`.
pub(super) fn socket_inode(link: &Path) -> Option<u64> {
    let link = link.as_os_str().as_bytes();
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The number of a pseudoterminal whose other end is open.
fn terminal(info: &Path) -> Option<u32> {
    let (text, _) = bounded::read(info, 4096).ok()?;
    let text = String::from_utf8(text).ok()?;
    let mut lines = text.lines();
    let number = lines.find_map(|line| line.strip_prefix("tty-index:"))?;
    number.trim().parse().ok()
}

/// Whether a process has ended meanwhile.
pub(super) fn is_gone(error: &io::Error) -> bool {
    const ESRCH: i32 = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(ESRCH)
}
