//! A file, a folder or a link that is to be copied.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below what was named, with slashes; empty for itself.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// In bytes, as it was listed or, once it was copied, of the copy; 0 unless it is a file.
    pub(super) size: u64,
    /// How many bytes of it an earlier copy has left, which are not copied again.
    pub(super) there: u64,
    /// Whether there is more in it than was copied.
    pub(super) grown: bool,
    /// Where a link leads to.
    pub(super) target: Vec<u8>,
    /// Permissions, and when it was changed, in seconds since 1970.
    pub(super) meta: Option<Meta>,
    /// What it is on this host.
    pub(super) id: Option<Id>,
}

impl Entry {
    /// A file that was named itself, and of which nothing but the size is known.
    pub(super) fn file(size: u64) -> Self {
        Self {
            path: String::new(),
            kind: Kind::File,
            size,
            there: 0,
            grown: false,
            target: Vec::new(),
            meta: None,
            id: None,
        }
    }

    /// Whether nothing of it has to be copied any more.
    pub(super) fn has_arrived(&self) -> bool {
        self.there > 0 && self.there == self.size
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) modified: i64,
    /// Whom it belongs to, where that is known and wanted.
    pub(super) owner: Option<Owner>,
}

/// The numbers of a user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) user: u32,
    pub(super) group: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// It is never followed, nor is anything set of it.
    Link,
}

/// What tells an open file or folder from all others of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub(super) u64, pub(super) u64);
