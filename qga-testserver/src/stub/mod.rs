//! Stubs: what a test wants commands to answer, how often it expects them, and how often they came.

mod answer;
mod complaints;
mod on;
mod rule;
mod stubs;
mod times;

pub use answer::Answer;
pub(crate) use complaints::Complaints;
pub use on::On;
pub(crate) use stubs::{Stubs, Verdict};
pub use times::Times;
