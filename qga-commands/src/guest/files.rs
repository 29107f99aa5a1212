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
//! A file is read in runs of at most 1 MiB. A run consists of chunks, and the next chunk is requested before the last one
//! has arrived. Once the caller has read two runs in a row, the next run is read ahead while the caller is busy. So a file
//! keeps at most two runs in memory. Commands of other tasks have their turn between two runs, and between two writes.
//!
//! # When the agent is gone
//!
//! An open file belongs to the agent that has opened it. It outlives the connection, but not the agent. After a reboot
//! or a restart of the agent, every operation on the file fails with [`GuestError::AgentGone`]. Nothing is sent then,
//! since the new agent uses the same numbers for other files. To notice this, the agent is asked who it is when a file is
//! opened. It is asked again before the file is used after the channel was lost, or after the agent was silent for 2
//! seconds or more. That takes six small commands.
//!
//! How sure that is:
//!
//! - In Linux, an agent is recognized with certainty. `/proc` tells the id of the boot, and when and where in memory the
//!   agent's process was started.
//! - For a file that is read or written as a whole in one piece, and for a program of which only the output is wanted,
//!   the agent is asked only after a second. If the guest reboots within that second, the next point holds.
//! - In other systems, and where `/proc` cannot be read, a new agent is recognized when it hands out a number again. That
//!   shows every restart after which the numbers begin anew, unless others have opened more files since than this client
//!   had seen. Then a file is taken for one that is still open.
//! - A command that is under way while a guest goes down may be carried out by the next agent, since a channel keeps what
//!   nobody has read. Its answer comes late, so the agent is asked who it is before the answer is believed. But if the
//!   command was a write, it is done by then.
//! - A guest that answers again within 2 seconds is assumed to have the same agent. So is one that was restored from a
//!   snapshot of its memory: that agent still has the files open that were open at the snapshot.
//!
//! [`GuestError::AgentGone`]: crate::GuestError::AgentGone
//!
//! # Lost replies
//!
//! If the reply to a read or a write is lost, the file is set back to its position before, and the operation is repeated.
//! So nothing is lost or written twice. This is impossible for writes to a file's end ([`OpenOptions::append`]), which
//! fail then.

mod file;
pub(super) mod handle;
mod io;
mod open;
mod whole;

pub use file::File;
pub(super) use handle::Handle;
pub use open::OpenOptions;
