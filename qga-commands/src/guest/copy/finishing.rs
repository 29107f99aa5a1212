//! Files of this host on their last way to the disk, while the next ones are read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::entry::Meta;
use super::host::{Finished, Sink, local};
use crate::guest::GuestError;

/// How many files may be on their way.
const MOST: usize = 8;

pub(super) struct Finishing {
    shown: PathBuf,
    tasks: JoinSet<(usize, io::Result<Finished>)>,
    finished: BTreeMap<usize, Finished>,
}

impl Finishing {
    /// For files below a folder, by which an error is shown.
    pub(super) fn below(shown: &Path) -> Self {
        Self {
            shown: shown.to_owned(),
            tasks: JoinSet::new(),
            finished: BTreeMap::new(),
        }
    }

    /// Finishes a file, of this number in the list, in the background; waits where too many are on their way.
    pub(super) async fn add(
        &mut self,
        index: usize,
        sink: Sink,
        meta: Option<Meta>,
        sum: bool,
    ) -> Result<(), GuestError> {
        self.tasks
            .spawn(async move { (index, sink.finish(meta, sum).await) });
        while self.tasks.len() > MOST {
            self.wait().await?;
        }
        Ok(())
    }

    /// Waits for all of them, and gives what is known of each, in the order of the list.
    pub(super) async fn all(mut self) -> Result<Vec<Finished>, GuestError> {
        while !self.tasks.is_empty() {
            self.wait().await?;
        }
        Ok(self.finished.into_values().collect())
    }

    async fn wait(&mut self) -> Result<(), GuestError> {
        let Some(joined) = self.tasks.join_next().await else {
            return Ok(());
        };
        let (index, finished) = joined.map_err(|_| GuestError::Stopped)?;
        let finished = finished.map_err(|error| local(&self.shown, error))?;
        self.finished.insert(index, finished);
        Ok(())
    }
}
