//! Blocks of memory.

use std::collections::{BTreeMap, BTreeSet};

use super::{AT_ONCE, Guest, GuestError, named, partial};
use crate::commands::memory::{
    GetMemoryBlockInfo, GetMemoryBlocks, GuestMemoryBlock, GuestMemoryBlockResponse,
    GuestMemoryBlockResponseType, SetMemoryBlocks,
};

impl Guest {
    /// The blocks of the guest's memory, sorted by number.
    ///
    /// Since QEMU 2.3.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn memory_blocks(&self) -> Result<Vec<GuestMemoryBlock>, GuestError> {
        let listed = self.execute(GetMemoryBlocks).await?.into_iter();
        // They come in the order of a folder.
        let by_index: BTreeMap<_, _> = listed.map(|block| (block.phys_index, block)).collect();
        Ok(by_index.into_values().collect())
    }

    /// The size of a block of the guest's memory, in bytes.
    ///
    /// Since QEMU 2.3.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn memory_block_size(&self) -> Result<u64, GuestError> {
        Ok(self.execute(GetMemoryBlockInfo).await?.size)
    }

    /// Takes blocks of memory online or offline, and returns a result for each of them, sorted by number. If one
    /// fails, the others are tried all the same; see
    /// [`is_success`](GuestMemoryBlockResponse::is_success).
    ///
    /// Since QEMU 2.3.
    ///
    /// # Errors
    ///
    /// [`GuestError::Partial`] if the first ones were tried and then a request failed. Otherwise as
    /// [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// Some of the blocks may have been changed. Doing it again does no harm.
    pub async fn set_memory_blocks(
        &self,
        blocks: impl IntoIterator<Item = GuestMemoryBlock>,
    ) -> Result<Vec<GuestMemoryBlockResponse>, GuestError> {
        let wanted: Vec<_> = blocks.into_iter().collect();
        let mut answers = Vec::with_capacity(wanted.len());
        for (number, some) in wanted.chunks(AT_ONCE).enumerate() {
            let answered = self.send_blocks(some).await;
            let done = number * AT_ONCE;
            answers.extend(answered.map_err(|error| partial(done, wanted.len(), error))?);
        }
        answers.sort_by_key(|answer| answer.phys_index);
        Ok(answers)
    }

    async fn send_blocks(
        &self,
        some: &[GuestMemoryBlock],
    ) -> Result<Vec<GuestMemoryBlockResponse>, GuestError> {
        let answers = self.execute(SetMemoryBlocks::new(some)).await?;
        let asked: BTreeSet<_> = some.iter().map(|block| block.phys_index).collect();
        let told: BTreeSet<_> = answers.iter().map(|answer| answer.phys_index).collect();
        if asked == told && answers.len() == some.len() {
            return Ok(answers);
        }
        let text = format!(
            "of {} blocks of memory it has set, it tells {} times what became of them{}{}",
            some.len(),
            answers.len(),
            named("; not told of", asked.difference(&told)),
            named("; not asked for", told.difference(&asked)),
        );
        Err(GuestError::Unexpected(text.into()))
    }
}

impl GuestMemoryBlockResponse {
    /// Whether the block is now online or offline as requested.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.response == GuestMemoryBlockResponseType::Success
    }
}
