//! The subcommands, one in each file.

pub(crate) mod accounts;
pub(crate) mod attach;
pub(crate) mod cat;
pub(crate) mod complete;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod dial;
pub(crate) mod doctor;
pub(crate) mod each;
pub(crate) mod events;
pub(crate) mod exec;
pub(crate) mod freeze;
pub(crate) mod fstrim;
pub(crate) mod hotplug;
pub(crate) mod info;
pub(crate) mod ip;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod ls;
pub(crate) mod power;
pub(crate) mod raw;
pub(crate) mod remove;
pub(crate) mod snapshot;
pub(crate) mod wait;

use std::time::Duration;

use qga_commands::Guest;
use qga_qmp::{Machine, Monitor};

use crate::config::Config;
use crate::connect::Connector;
use crate::options::Common;
use crate::show::Format;

/// What subcommands work with.
pub(crate) struct Context {
    pub(crate) connector: Connector,
    pub(crate) config: Config,
    pub(crate) format: Format,
    pub(crate) is_quiet: bool,
    pub(crate) is_verbose: bool,
    pub(crate) connect_timeout: Duration,
    /// The address of the monitor.
    monitor: Option<String>,
}

impl Context {
    pub(crate) fn new(common: &Common) -> anyhow::Result<Self> {
        Ok(Self {
            connector: Connector::new(common.connect_timeout, common.verbose),
            config: Config::read(common.config.as_deref())?,
            format: common.output,
            is_quiet: common.quiet,
            is_verbose: common.verbose,
            connect_timeout: common.connect_timeout,
            monitor: common.monitor.clone(),
        })
    }

    pub(crate) async fn guest(&self, word: &str) -> anyhow::Result<Guest> {
        self.connector.guest(&self.config, word).await
    }

    /// The same, and what libvirt tells of its machine, if it tells something.
    pub(crate) async fn guest_and_machine(&self, word: &str) -> anyhow::Result<Guest> {
        self.connector.guest_and_machine(&self.config, word).await
    }

    /// The monitor of the machine, if the user has named one.
    pub(crate) async fn monitor(&self) -> anyhow::Result<Option<Monitor>> {
        let Some(monitor) = &self.monitor else {
            return Ok(None);
        };
        Ok(Some(Monitor::connect(self.config.address(monitor)?).await?))
    }

    /// The guest and the monitor of its machine, if the user has named one. Nothing is sent to the guest's agent yet.
    pub(crate) async fn machine(&self, word: &str) -> anyhow::Result<Option<Machine>> {
        let Some(monitor) = &self.monitor else {
            return Ok(None);
        };
        let (agent, monitor) = (self.config.address(word)?, self.config.address(monitor)?);
        let builder = Machine::builder().guest(self.connector.builder());
        Ok(Some(builder.connect(agent, monitor).await?))
    }

    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Says that it is done, where there is nothing else to tell; only in JSON, since text needs no word for it.
    pub(crate) fn done(&self) -> anyhow::Result<()> {
        if self.is_json() {
            return crate::show::json("done", true);
        }
        Ok(())
    }

    /// Says something that helps those who want to know how it is done.
    pub(crate) fn detail(&self, words: &str) {
        if self.is_verbose {
            crate::show::note(words);
        }
    }

    /// Says something beside the result.
    pub(crate) fn note(&self, words: &str) {
        if !self.is_quiet {
            crate::show::note(words);
        }
    }
}
