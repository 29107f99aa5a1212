//! What the tests have in common.

use std::time::Duration;

use qga_core::{Client, ClientBuilder, Error, Options, QgaCommand};
use qga_libvirt::Daemon;
use qga_testserver::{LibvirtDaemon, TestAgent};

#[derive(QgaCommand)]
#[qga(name = "guest-ping", retry = Safe)]
pub(crate) struct Ping;

/// It changes something.
#[derive(QgaCommand)]
#[qga(name = "test-act", response = u32)]
pub(crate) struct Act;

/// It is long.
#[derive(QgaCommand)]
#[qga(name = "test-write", response = u32)]
pub(crate) struct Write {
    pub(crate) data: String,
}

#[derive(QgaCommand)]
#[qga(name = "guest-shutdown", no_response)]
pub(crate) struct Shutdown;

/// A daemon with the domain `vm1`, and its agent.
pub(crate) async fn vm1() -> (LibvirtDaemon, TestAgent) {
    let agent = TestAgent::start().await;
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    (daemon, agent)
}

pub(crate) async fn open(daemon: &LibvirtDaemon) -> Daemon {
    let address = format!("libvirt:///system?socket={}", daemon.path().display());
    Daemon::open(&address).await.unwrap()
}

pub(crate) fn builder() -> ClientBuilder {
    Client::builder()
        .scheme_messages("libvirt", qga_libvirt::open)
        .options(Options::new().timeout(Duration::from_secs(20)))
}

pub(crate) async fn connect(daemon: &LibvirtDaemon, domain: &str) -> Result<Client, Error> {
    builder().connect(daemon.address(domain)).await
}

pub(crate) async fn client(daemon: &LibvirtDaemon) -> Client {
    connect(daemon, "vm1").await.unwrap()
}
