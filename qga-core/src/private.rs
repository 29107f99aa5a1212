//! What code written by the derive calls. Not public API.

pub use core::option::Option;
pub use serde::Serialize;
