//! A disk of which a copy is at rest.

/// A disk of which a copy is at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiskCopy {
    /// The disk, as it was named.
    pub disk: String,
    /// Where the copy is.
    pub at_rest: String,
    /// The file that the machine goes on with.
    pub file: String,
}
