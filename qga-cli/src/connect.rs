//! From a word of the command line to a guest.

use std::time::Duration;

use qga_commands::GuestBuilder;
use qga_commands::guest::Guest;
use qga_core::Address;

use crate::config::Config;
use crate::fake;
use crate::wire::Wire;

const LIBVIRT: &str = "libvirt";
const LIBVIRT_SSH: &str = "libvirt+ssh";
const LIBVIRT_CHANNEL: &str = "libvirt-channel";

/// Whether a word alone is the beginning of an address, and no guest. `fake` is one.
pub(crate) fn is_scheme(word: &str) -> bool {
    Address::SCHEMES.contains(&word) || [LIBVIRT, LIBVIRT_SSH, LIBVIRT_CHANNEL].contains(&word)
}

/// What a guest is reached with, as far as the user has said.
#[derive(Clone)]
pub(crate) struct Connector {
    builder: GuestBuilder,
}

impl Connector {
    /// One that shows what is said to agents, if that is wanted.
    pub(crate) fn new(connect_timeout: Duration, is_verbose: bool) -> Self {
        let mut connector = Self::quiet(connect_timeout);
        if is_verbose {
            connector.builder = connector.builder.inspect(Wire::default().look());
        }
        connector
    }

    /// One that says nothing of what it does.
    pub(crate) fn quiet(connect_timeout: Duration) -> Self {
        let builder = Guest::builder()
            .connect_timeout(connect_timeout)
            .exec_scheme(true)
            .scheme_messages(LIBVIRT, qga_libvirt::open)
            .scheme_messages(LIBVIRT_SSH, qga_libvirt::open_ssh)
            .scheme(LIBVIRT_CHANNEL, qga_libvirt::open_channel)
            .scheme("fake", fake::open);
        Self { builder }
    }

    pub(crate) fn builder(&self) -> GuestBuilder {
        self.builder.clone()
    }

    /// Connects to the guest that a word stands for.
    pub(crate) async fn guest(&self, config: &Config, word: &str) -> anyhow::Result<Guest> {
        let address = config.address(word)?;
        Ok(self.builder().connect(address).await?)
    }

    /// The same, and listens to what libvirt tells of its machine where the channel itself does not tell it.
    pub(crate) async fn guest_and_machine(
        &self,
        config: &Config,
        word: &str,
    ) -> anyhow::Result<Guest> {
        let address = config.address(word)?;
        let mut builder = self.builder();
        if address.starts_with("libvirt-channel:") {
            builder = builder.machine(&qga_libvirt::machine(&address).await?);
        }
        Ok(builder.connect(address).await?)
    }
}
