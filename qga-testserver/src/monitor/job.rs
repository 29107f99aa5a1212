use tokio::time::Instant;

/// A job.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) status: &'static str,
    pub(super) total: u64,
    pub(super) begun: Instant,
    /// Whether it vanishes when it is over.
    pub(super) dismisses_itself: bool,
    /// What it fails with.
    pub(super) failure: Option<String>,
    /// The node on top of a disk that it puts together.
    pub(super) top: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Create,
    Save,
    Backup,
    Commit,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Save => "snapshot-save",
            Self::Backup => "backup",
            Self::Commit => "commit",
        }
    }

    /// Whether it works on a disk of the machine, and is told in the older events too.
    pub(super) fn is_block_job(self) -> bool {
        matches!(self, Self::Backup | Self::Commit)
    }
}

impl Job {
    pub(super) fn new(id: &str, kind: Kind, total: u64, failure: Option<String>) -> Self {
        Self {
            id: id.to_owned(),
            kind,
            status: "created",
            total,
            begun: Instant::now(),
            dismisses_itself: kind.is_block_job(),
            failure,
            top: None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.status == "concluded"
    }
}
