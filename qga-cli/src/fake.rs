//! A guest that is not there, to try this program with.

use std::io;
use std::sync::OnceLock;

use qga_testserver::TestAgent;
use tokio::io::DuplexStream;

/// The one that runs in this process.
static AGENT: OnceLock<TestAgent> = OnceLock::new();

/// Opens the fake guest, whatever stands behind `fake:`.
pub(crate) async fn open(_: String) -> io::Result<DuplexStream> {
    Ok(agent().connect())
}

fn agent() -> &'static TestAgent {
    AGENT.get_or_init(|| {
        let (agent, _) = TestAgent::in_memory();
        agent.edit_guest(|guest| "demo".clone_into(&mut guest.host_name));
        agent.file("/etc/motd", "This guest is a fake.\n");
        agent
            .program("uname")
            .stdout("Linux demo 6.12.0 x86_64\n")
            .exit(0);
        agent.program("true").exit(0);
        agent.program("false").exit(1);
        agent
    })
}
