//! A guest that is not there, to try this program with.

use std::io;
use std::sync::OnceLock;
use std::time::SystemTime;

use qga_testserver::TestAgent;
use tokio::io::DuplexStream;

/// The one that runs in this process.
static AGENT: OnceLock<TestAgent> = OnceLock::new();

/// Opens the fake guest, whatever stands behind `fake:`.
pub(crate) async fn open(_: String) -> io::Result<DuplexStream> {
    Ok(agent().connect())
}

/// In nanoseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since
        .ok()
        .and_then(|time| i64::try_from(time.as_nanos()).ok())
        .unwrap_or_default()
}

fn agent() -> &'static TestAgent {
    AGENT.get_or_init(|| {
        let (agent, _) = TestAgent::in_memory();
        agent.edit_guest(|guest| {
            "demo".clone_into(&mut guest.host_name);
            guest.time = now();
        });
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
