//! A file or a folder that is to be copied.

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Below what was named, with slashes; empty for itself.
    pub(super) path: String,
    pub(super) kind: Kind,
    /// In bytes, as it was listed or, once it was copied, of the copy; 0 for a folder.
    pub(super) size: u64,
    /// Whether there is more in it than was copied.
    pub(super) grown: bool,
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
            grown: false,
            meta: None,
            id: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) mode: u32,
    pub(super) modified: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
}

/// What tells an open file or folder from all others of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(pub(super) u64, pub(super) u64);
