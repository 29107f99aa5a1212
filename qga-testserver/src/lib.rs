//! A fake QEMU guest agent for tests.
//!
//! A [`TestAgent`] answers as a real agent does, byte for byte, and has a made-up guest behind it. A
//! test can tell it what to answer, see what was requested, and let it fail as real channels fail.
//!
//! # A test of your own command
//!
//! Your crate needs `qga-core` among its dependencies, and `qga-testserver` and `tokio` among its
//! dev-dependencies. This is a whole test:
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
//! - **A guest.** [`TestAgent::edit_guest`] changes its facts and [`TestAgent::guest`] reads them.
//!   [`TestAgent::file`] and [`TestAgent::program`] give it files and programs, and
//!   [`TestAgent::host_shell`] gives it the programs of this host. The guest's clock stands still.
//!   Whatever takes time takes tokio's time, so a test can pause it.
//! - **Stubs.** [`TestAgent::on`] says what the agent answers to a command, whether it knows the
//!   command or not, and how often the test expects that. [`TestAgent::requests`] returns the
//!   requests that have arrived.
//! - **Faults.** A [`Fault`] spoils a reply: [the next one](TestAgent::fault), the
//!   [n-th one](Fault::on_reply), [some by chance](Fault::by_chance), or [each reply to one
//!   command](On::fault).
//! - **Profiles.** A [`Profile`] makes the agent behave like one of a version of QEMU, a distribution
//!   or a platform.
//! - **Cassettes.** A [`Cassette`] holds the answers of a real agent, which the program has
//!   [recorded](cli#recording-a-real-agent).
//! - **A machine.** A [`TestMachine`] is an agent and the monitor of the QEMU that runs its guest.
//! - **Libvirt.** A [`LibvirtDaemon`] is a fake daemon of libvirt, whose domains have fake agents.
//! - **A program.** The program `qga-testserver` is for tests in other languages; [its page](cli)
//!   describes it.
//!
//! Nothing that a client sends makes an agent panic or use memory without limit.
//!
//! # Without a socket or a client
//!
//! An agent can also be reached in memory, and a test can write its requests itself:
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
#[cfg(unix)]
mod libvirt;
mod lock;
#[cfg(unix)]
mod monitor;
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
pub use guest::power::{HostView, Power};
pub use guest::processes::{Invocation, Script};
pub use guest::program::Program;
#[cfg(unix)]
pub use libvirt::{DomainState, LibvirtAuth, LibvirtDaemon, LibvirtVersion};
#[cfg(unix)]
pub use monitor::{DiskSnapshot, SnapshotKind, TestMachine};
pub use profile::{ParseProfileError, Profile, RequestIds};
pub use stub::{Answer, On, Times};
pub use wire::request::Request;
