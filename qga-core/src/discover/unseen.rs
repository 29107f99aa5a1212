//! What could not be seen.

use std::fmt;

use crate::text::Excerpt;

/// Something that [`discover()`](super::discover()) could not see or tell. It displays as one line.
#[derive(Clone, PartialEq, Eq)]
pub struct Unseen {
    what: String,
    why: String,
    is_permission_denied: bool,
}

impl Unseen {
    #[must_use]
    pub(super) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: why.into(),
            is_permission_denied: false,
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn failed(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self {
            is_permission_denied: error.kind() == std::io::ErrorKind::PermissionDenied,
            ..Self::new(what, error.to_string())
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn denied(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            is_permission_denied: true,
            ..Self::new(what, why)
        }
    }

    /// Returns whether this user may not see it, so that root would see more.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.is_permission_denied
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Excerpt(&self.what), Excerpt(&self.why))
    }
}

impl fmt::Debug for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unseen")
            .field("what", &Excerpt(&self.what))
            .field("why", &Excerpt(&self.why))
            .field("is_permission_denied", &self.is_permission_denied)
            .finish()
    }
}
