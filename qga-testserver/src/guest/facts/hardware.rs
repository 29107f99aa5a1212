use serde::{Deserialize, Serialize};

/// A virtual processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Vcpu {
    /// Its number.
    pub logical_id: i64,
    /// Whether it runs.
    pub online: bool,
    /// Whether it may be taken offline; `None` leaves it out of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_offline: Option<bool>,
}

impl Vcpu {
    /// A processor that runs.
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
    /// Its number.
    pub phys_index: u64,
    /// Whether it is in use.
    pub online: bool,
    /// Whether it may be taken offline; `None` leaves it out of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_offline: Option<bool>,
}

impl MemoryBlock {
    /// A block in use that may be taken offline.
    #[must_use]
    pub fn new(phys_index: u64) -> Self {
        Self {
            phys_index,
            online: true,
            can_offline: Some(true),
        }
    }
}
