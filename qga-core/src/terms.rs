//! The terms on which a client works, whatever runtime it has: what a caller may set, what is refused, what
//! is sent again, how a lost channel is borne.

mod attachments;
pub(crate) mod buffers;
mod lock_file;
mod options;
mod policy;
mod recovery;
mod retry;
mod state;
pub(crate) mod trace;

pub(crate) use attachments::Attachments;
pub(crate) use lock_file::LockFile;
pub use options::Options;
pub(crate) use options::later;
pub use policy::Hold;
pub(crate) use policy::{Gate, Lists};
pub(crate) use recovery::{LONGEST_WAIT, Pauses, Recovery};
pub(crate) use retry::{Call, Repeat, TRIES};
pub use state::ChannelState;
pub(crate) use state::words_of;
