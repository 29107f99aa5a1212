//! How far a copy is.

/// How far a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// Bytes copied, of all files. After a broken channel it may be less than it was.
    pub bytes: u64,
    /// Bytes of all files, as they were listed; one that was listed as empty may have more.
    pub total: u64,
    /// The file that is being copied, relative to the folder; empty if it is the only one.
    pub file: &'a str,
    /// Bytes copied of this file.
    pub file_bytes: u64,
    /// Bytes of this file, as it was listed, or what was copied if that is more.
    pub file_total: u64,
}

pub(super) type Call = Box<dyn FnMut(&Progress<'_>) + Send>;

/// Counts and tells.
#[derive(Default)]
pub(super) struct Report {
    call: Option<Call>,
    /// Bytes of the files before this one.
    before: u64,
    total: u64,
}

impl Report {
    pub(super) fn call(&mut self, call: Call) {
        self.call = Some(call);
    }

    pub(super) fn total(&mut self, bytes: u64) {
        self.total = bytes;
    }

    pub(super) fn file(&mut self, file: &str, file_bytes: u64, file_total: u64) {
        if let Some(call) = &mut self.call {
            call(&Progress {
                bytes: self.before.saturating_add(file_bytes),
                total: self.total.max(self.before.saturating_add(file_bytes)),
                file,
                file_bytes,
                file_total: file_total.max(file_bytes),
            });
        }
    }

    pub(super) fn done(&mut self, file_bytes: u64) {
        self.before = self.before.saturating_add(file_bytes);
    }
}
