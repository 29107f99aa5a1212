use serde::{Deserialize, Serialize};

/// A virtual processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Vcpu {
    /// The number of the processor.
    pub logical_id: i64,
    /// Whether the processor runs.
    pub online: bool,
    /// Whether it can be taken offline. The reply does not tell if this is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_offline: Option<bool>,
}

impl Vcpu {
    /// Makes a processor that runs.
    #[must_use]
    pub fn new(logical_id: i64, can_offline: bool) -> Self {
        Self {
            logical_id,
            online: true,
            can_offline: Some(can_offline),
        }
    }
}

/// A block of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct MemoryBlock {
    /// The number of the block.
    pub phys_index: u64,
    /// Whether the block is in use.
    pub online: bool,
    /// Whether it can be taken offline. The reply does not tell if this is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_offline: Option<bool>,
}

impl MemoryBlock {
    /// Makes a block that is in use and can be taken offline.
    #[must_use]
    pub fn new(phys_index: u64) -> Self {
        Self {
            phys_index,
            online: true,
            can_offline: Some(true),
        }
    }
}
