use std::io::Write;

use super::arguments::{Agent, Serve};
use super::control::{Control, Target};
use super::guest_file::GuestFile;
use super::{Failure, signals};
use crate::TestAgent;
#[cfg(unix)]
use crate::monitor::Monitor;

/// Serves one agent until the program is told to end.
pub(super) async fn serve(options: &Serve) -> Result<(), Failure> {
    let address = options.listen.as_deref().unwrap_or_default();
    let setup = Setup::of(&options.agent)?;
    let stop = signals::stop()?;
    let agent = listen(address).await?;
    setup.apply(&agent);
    let agent = std::sync::Arc::new(agent);
    let target = Target {
        agent: std::sync::Arc::downgrade(&agent),
        #[cfg(unix)]
        monitor: monitor(options, &agent).await?.map(std::sync::Arc::new),
    };
    let control = match &options.control {
        Some(address) => Some(Control::listen(address, target.clone()).await?),
        None => None,
    };
    announce(&agent.address())?;
    if let Some(control) = &control {
        announce(&format!("control {}", control.address()))?;
    }
    #[cfg(unix)]
    if let Some(monitor) = &target.monitor {
        announce(&format!("monitor {}", monitor.address()))?;
    }
    stop.await;
    // The program does not fail for what the test has not checked itself.
    agent.reset();
    Ok(())
}

/// Starts the monitor of an agent's machine, if one is wanted.
#[cfg(unix)]
async fn monitor(options: &Serve, agent: &TestAgent) -> Result<Option<Monitor>, Failure> {
    let Some(address) = &options.monitor else {
        return Ok(None);
    };
    let monitor = Monitor::listen(agent, address).await;
    let monitor = monitor.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    Ok(Some(monitor))
}

/// Starts an agent that listens on this address.
pub(super) async fn listen(address: &str) -> Result<TestAgent, Failure> {
    let agent = TestAgent::listen(address).await;
    agent.map_err(|error| format!("cannot listen on {address}: {error}"))
}

/// Prints a line for whoever started the program.
pub(super) fn announce(line: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let printed = writeln!(out, "{line}").and_then(|()| out.flush());
    printed.map_err(|error| format!("cannot print the address: {error}"))
}

/// What the options and the guest file say about an agent.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    options: &'a Agent,
    guest: Option<GuestFile>,
}

impl<'a> Setup<'a> {
    pub(super) fn of(options: &'a Agent) -> Result<Self, Failure> {
        let guest = options.guest.as_deref().map(GuestFile::read).transpose()?;
        Ok(Self { options, guest })
    }

    /// Sets an agent up like this.
    pub(super) fn apply(&self, agent: &TestAgent) {
        let options = self.options;
        agent.profile(options.profile);
        if let Some(guest) = &self.guest {
            guest.apply(agent);
        }
        for spec in &options.fault {
            spec.apply(agent);
        }
        for command in &options.block_rpcs {
            agent.disable(command);
        }
        if !options.allow_rpcs.is_empty() {
            let names: Vec<_> = options.allow_rpcs.iter().map(String::as_str).collect();
            agent.allow_only(&names);
        }
        if options.frozen {
            agent.edit_guest(|guest| guest.frozen = true);
        }
    }
}
