//! A fake QEMU guest agent for tests.
//!
//! [`TestAgent`] speaks the agent's protocol byte for byte, has a guest behind it, answers what a
//! test tells it to, and goes wrong in the ways in which real channels do.
//!
//! # A test of your own command
//!
//! With `qga-core` among the dependencies, and `qga-testserver` and `tokio` among those for tests:
//!
//! ```
//! use qga_core::{Client, QgaCommand};
//! use qga_testserver::TestAgent;
//!
//! #[derive(QgaCommand)]
//! #[qga(name = "guest-add", response = i64)]
//! struct Add { a: i64, b: i64 }
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn sums_come_back() {
//!     let agent = TestAgent::start().await;
//!     agent.on("guest-add").with(|args| args["a"] == 1).expect(1).reply(3);
//!     let client = Client::connect(agent.address()).await.unwrap();
//!     assert_eq!(client.execute(Add { a: 1, b: 2 }).await.unwrap(), 3);
//! }
//! # tokio::runtime::Runtime::new().unwrap().block_on(sums_come_back());
//! ```
//!
//! # What there is
//!
//! - **A guest.** [`TestAgent::edit_guest`] and [`TestAgent::guest`] set its facts up and look into
//!   them; [`TestAgent::file`] and [`TestAgent::program`] give it files and programs, and
//!   [`TestAgent::host_shell`] this host's own. Its clock
//!   stands still, and everything that takes time takes tokio's, so that it can be paused.
//! - **Stubs.** [`TestAgent::on`] says what a command answers, known to the agent or not, and how
//!   often that is expected; [`TestAgent::requests`] shows what arrived.
//! - **Faults.** A [`Fault`] spoils a reply: [the next one](TestAgent::fault), the
//!   [n-th](Fault::on_reply), [one by chance](Fault::by_chance), or [those of one
//!   command](On::fault).
//! - **Profiles.** A [`Profile`] is a version of QEMU, a distribution or a platform.
//! - **Cassettes.** A [`Cassette`] is a real agent's answers, [recorded](cli#recording-a-real-agent)
//!   by the program.
//! - **A program** of the same name, for tests in other languages: [its page](cli) describes it.
//!
//! Nothing that a client sends makes an agent panic or grow without bound.
//!
//! # By hand
//!
//! An agent needs no socket, and a test no client:
//!
//! ```
//! use qga_testserver::TestAgent;
//! use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let (agent, mut stream) = TestAgent::in_memory();
//! stream.write_all(b"{\"execute\": \"guest-ping\"}\n").await?;
//! let mut reply = String::new();
//! BufReader::new(stream).read_line(&mut reply).await?;
//! assert_eq!(reply, "{\"return\": {}}\n");
//! assert_eq!(agent.requests()[0].name, "guest-ping");
//! # Ok(())
//! # }
//! ```

mod agent;
mod cassette;
mod commands;
mod fault;
mod guest;
mod lock;
mod profile;
mod stub;
mod suggest;
mod wire;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(unix)]
pub mod real_agent;

pub use agent::TestAgent;
pub use cassette::{Cassette, CassetteError};
pub use fault::{Fault, FaultPlan, ParseFaultError};
pub use guest::facts::{
    Account, Disk, DiskAddress, Filesystem, Guest, Interface, InterfaceStatistics, IpAddress,
    LoadAverage, Login, MemoryBlock, OsInfo, Password, PciAddress, Route, Timezone, Vcpu,
};
pub use guest::processes::{Invocation, Script};
pub use guest::program::Program;
pub use profile::{ParseProfileError, Profile, RequestIds};
pub use stub::{Answer, On, Times};
pub use wire::request::Request;
