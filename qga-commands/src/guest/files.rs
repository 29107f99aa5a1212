//! Files of the guest, in the words of `tokio::fs`.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
//! use tokio::io::AsyncWriteExt;
//!
//! let name = guest.read_to_string("/etc/hostname").await?;
//!
//! let mut file = guest.create("/tmp/greeting").await?;
//! file.write_all(b"hello ").await?;
//! file.write_all(name.as_bytes()).await?;
//! file.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Memory and other tasks
//!
//! A file is read in runs of chunks, each run at most 1 MiB, with the next chunk asked for while one is
//! on its way. While the caller is busy with a run, the next one is read, once the caller has wanted two
//! in turn; so a file holds at most two. Between two runs, and between two writes, other tasks'
//! commands have their turn.
//!
//! # When the agent is gone
//!
//! An open file belongs to the agent that has opened it. It outlives the connection, and not the agent:
//! after a reboot, or when the agent was started anew, whatever is done with it fails with
//! [`GuestError::AgentGone`], and is not sent, since the next agent hands out the same numbers again. So who
//! answers is asked when a file is opened, and again before it is used after the channel was lost or the
//! agent was silent for 2 seconds or more. That takes six small commands.
//!
//! How sure that is:
//!
//! - In Linux an agent is known for sure: by the boot's id, and by when and where in memory its process was
//!   started, which `/proc` tells.
//! - What is read or written whole in one piece, and a program of which only the output is wanted, are not worth
//!   these commands before they have taken a second. Should the guest be rebooted within that second, they are as
//!   in other systems.
//! - In other systems, and where `/proc` cannot be read, another agent is known by a number that it hands
//!   out again. That shows each restart that forgets the numbers, unless others have opened more files since
//!   than this client had seen. Then a file is taken for one that is still open.
//! - What is on its way while a guest goes down may be carried out by the next agent: a channel keeps what
//!   nobody has read. An answer of that kind comes late, and is not believed before it was asked who answers.
//!   A write is done by then.
//! - A guest that is back within 2 seconds of its last answer, as one restored from a snapshot of its
//!   memory, is taken for the same, and a snapshot's agent is the same: it knows the files that it knew then.
//!
//! [`GuestError::AgentGone`]: crate::GuestError::AgentGone
//!
//! # Lost replies
//!
//! After a reply to a read or a write is lost, the file is set back to where it stood and the work done
//! again, so that nothing is lost or doubled. What is written at a file's end
//! ([`OpenOptions::append`]) cannot be repaired so, and fails.

mod file;
pub(super) mod handle;
mod io;
mod open;
mod whole;

pub use file::File;
pub(super) use handle::Handle;
pub use open::OpenOptions;
