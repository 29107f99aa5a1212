//! The terms on which a client works, whatever runtime it has: what a caller may set, what is refused, what
//! is sent again, how a lost channel is borne.

mod ahead;
mod attachments;
pub(crate) mod buffers;
mod contact;
mod lock_file;
mod machine;
mod options;
mod policy;
mod recovery;
mod retry;
mod settings;
mod state;
pub(crate) mod trace;
mod waiting;

pub(crate) use ahead::{Ahead, Step};
pub(crate) use attachments::Attachments;
pub use contact::Contact;
pub(crate) use contact::Contacts;
pub(crate) use lock_file::LockFile;
#[cfg(target_os = "linux")]
pub(crate) use lock_file::lock_path;
pub(crate) use machine::{Openings, Standstill};
pub use options::Options;
pub(crate) use options::later;
pub use policy::Hold;
pub(crate) use policy::{AwaitHolds, Policy};
pub(crate) use recovery::{Next, Pauses, Recovery};
pub(crate) use retry::{Call, Repeat, TRIES, following};
pub(crate) use settings::Settings;
pub use state::ChannelState;
pub(crate) use state::words_of;
pub(crate) use waiting::Waiting;
