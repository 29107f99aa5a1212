//! The agents that the cases run against.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use qga_testserver::TestAgent;
use qga_testserver::real_agent::RealAgent;

use crate::any::Driver;
use crate::cases::Case;
use crate::channel::{Channel, Way};

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Fake,
    Real,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fake => "fake",
            Self::Real => "real",
        }
    }
}

/// An agent for one case, and a folder on its machine.
pub(crate) struct Host {
    pub(crate) kind: Kind,
    pub(crate) driver: Driver,
    pub(crate) channel: Channel,
    /// Where clients connect.
    pub(crate) address: String,
    pub(crate) way: Way,
    socket: PathBuf,
    folder: tempfile::TempDir,
    agent: Agent,
}

enum Agent {
    Fake(TestAgent),
    Real { _agent: RealAgent },
}

impl Host {
    pub(crate) async fn start(
        kind: Kind,
        driver: Driver,
        channel: Channel,
        blocked: &[&str],
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (socket, agent) = match kind {
            Kind::Fake => {
                let agent = TestAgent::start().await;
                for command in blocked {
                    agent.disable(command);
                }
                (agent.path().to_owned(), Agent::Fake(agent))
            }
            Kind::Real => {
                let agent = real_agents::start(blocked).await.unwrap();
                (agent.path().to_owned(), Agent::Real { _agent: agent })
            }
        };
        let way = channel.lead_to(&socket, folder.path()).await;
        Self {
            kind,
            driver,
            channel,
            address: way.address.clone(),
            way,
            socket,
            folder,
            agent,
        }
    }

    /// The agent's own socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// A file in the guest with this content.
    pub(crate) fn file(&self, content: &[u8]) -> String {
        let path = self.new_path();
        match &self.agent {
            Agent::Fake(agent) => agent.file(&path, content),
            Agent::Real { .. } => std::fs::write(&path, content).unwrap(),
        }
        path
    }

    /// A path in the guest at which there is no file yet, in a folder that exists.
    pub(crate) fn new_path(&self) -> String {
        let path: PathBuf = self.folder.path().join("file");
        if let Agent::Fake(agent) = &self.agent {
            agent.file(&self.folder.path().join("other").display().to_string(), "");
        }
        path.display().to_string()
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        match &self.agent {
            Agent::Fake(agent) => agent.file_content(path).is_some(),
            Agent::Real { .. } => std::fs::exists(path).unwrap(),
        }
    }

    pub(crate) fn content(&self, path: &str) -> Vec<u8> {
        match &self.agent {
            Agent::Fake(agent) => agent.file_content(path).unwrap(),
            Agent::Real { .. } => std::fs::read(path).unwrap(),
        }
    }
}

/// Whether there is one, or should be: a program that is named and is not there fails the cases.
pub(crate) fn real_is_installed() -> bool {
    RealAgent::program().map_or_else(|error| error.kind() != ErrorKind::NotFound, |_| true)
}

pub(crate) fn run(kind: Kind, driver: Driver, channel: Channel, case: &Case) {
    // What blocks this thread must not keep the agent from its work.
    let mut runtime = match driver {
        Driver::Blocking => tokio::runtime::Builder::new_multi_thread(),
        Driver::Tokio | Driver::Messages => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let host = Host::start(kind, driver, channel, case.blocked).await;
        (case.run)(&host).await;
    });
}

/// Whether whatever is missing is an error.
pub(crate) fn ci() -> bool {
    std::env::var_os("CI").is_some_and(|ci| !ci.is_empty())
}

/// Whether somebody has said that this machine cannot run something.
pub(crate) fn is_left_out(name: &str) -> bool {
    let names = std::env::var("QGA_LEAVE_OUT").unwrap_or_default();
    names.split(',').any(|other| other == name)
}
