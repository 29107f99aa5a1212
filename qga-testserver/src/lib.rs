//! A fake QEMU guest agent for tests.
//!
//! [`TestAgent`] speaks the agent's protocol byte for byte, has a small guest behind it, answers
//! what a test tells it to, and goes wrong in the ways in which real channels do.
//!
//! ```
//! use serde_json::json;
//! use qga_testserver::TestAgent;
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (agent, mut stream) = TestAgent::in_memory();
//! agent.on("guest-get-host-name").reply(json!({"host-name": "vm1"}));
//!
//! stream.write_all(b"{\"execute\": \"guest-get-host-name\"}\n").await?;
//! let mut reply = String::new();
//! BufReader::new(stream).read_line(&mut reply).await?;
//! assert_eq!(reply, "{\"return\": {\"host-name\": \"vm1\"}}\n");
//! assert_eq!(agent.requests()[0].name, "guest-get-host-name");
//! # Ok(())
//! # }
//! ```

mod agent;
mod arguments;
mod commands;
mod delivery;
mod dispatch;
mod fault;
mod faults;
mod files;
mod guest;
mod json;
mod profile;
mod reply;
mod request;
mod serve;
#[cfg(unix)]
mod socket;
mod state;
mod stub;
mod stubs;
mod times;

#[cfg(unix)]
pub mod real_agent;

pub use agent::TestAgent;
pub use fault::Fault;
pub use faults::NextFault;
pub use profile::{Profile, RequestIds};
pub use request::Request;
pub use stub::{Answer, On, Stub};
pub use times::Times;
