//! A client without a runtime: its methods return when the agent has answered, or when their time is up.
//!
//! It has the names and the promises of [`qga_core::Client`](crate::Client), and shares with it the protocol, the
//! options, the errors and the commands. It starts no thread.
//!
//! ```
//! use qga_core::QgaCommand;
//! use qga_core::blocking::Client;
//!
//! #[derive(QgaCommand)]
//! #[qga(name = "guest-ping")]
//! struct Ping;
//!
//! fn main() -> Result<(), qga_core::Error> {
//!     let address = "unix:/run/vm1/qga.sock"; // or "tcp:host:port"
//! #   let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
//! #   let agent = runtime.block_on(qga_testserver::TestAgent::start());
//! #   let address = agent.address();
//!     let client = Client::connect(address)?;
//!     client.execute(Ping)?;
//!     Ok(())
//! }
//! ```

mod builder;
mod channel;
mod client;
mod driver;
mod pipeline;
mod turns;

pub use crate::transport::BlockingStream as Stream;
pub use builder::ClientBuilder;
pub use client::Client;
pub use pipeline::Pipeline;
