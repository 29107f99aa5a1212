//! `qga wait`.

use std::time::Duration;

use clap::Args;
use qga_commands::GuestError;
use qga_commands::guest::ready::Ready;

use super::Context;
use crate::exit::TimeIsUp;
use crate::holder;
use crate::options::{Target, duration};

#[derive(Debug, Args)]
#[command(after_help = "Example: qga wait libvirt:vm1 --for 'test -e /run/ready' --timeout 5m")]
pub(crate) struct Wait {
    #[command(flatten)]
    target: Target,
    /// What to wait for: `agent` (it answers), `exec` (it may run programs), `ip` (the guest has a usable address), or a
    /// line of the guest's shell that has to succeed.
    #[arg(long = "for", default_value = "agent", value_name = "WHAT")]
    what: String,
    /// How long to wait; the exit code is 124 then.
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "TIME")]
    timeout: Duration,
}

impl Wait {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let address = context.config.address(&self.target.guest)?;
        let ready = ready(&self.what).timeout(self.timeout);
        if let Some(machine) = context.machine(&self.target.guest).await? {
            let waited = machine.ready_for(&ready).await;
            return match waited {
                Ok(()) => context.done(),
                Err(error) if error.is_timeout() => Err(TimeIsUp(error.to_string()).into()),
                Err(error) => Err(error.into()),
            };
        }
        let connected = context
            .connector
            .builder()
            .connect_ready(address.as_str(), &ready)
            .await;
        match connected {
            Ok(_) => context.done(),
            Err(error @ GuestError::NotReady { .. }) if !error.is_permanent() => {
                if let Some(words) = holder::of(&address) {
                    context.note(&words);
                }
                Err(TimeIsUp(error.to_string()).into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn ready(what: &str) -> Ready {
    let ready = Ready::ping();
    match what {
        "agent" => ready,
        "exec" => ready.command("guest-exec"),
        "ip" => ready
            .command("guest-network-get-interfaces")
            .then(|guest| async move {
                let addresses = guest.addresses(&qga_commands::Usable::new()).await?;
                if addresses.is_empty() {
                    return Err("the guest has no usable address yet".into());
                }
                Ok(())
            }),
        line => {
            let line = line.to_owned();
            ready.command("guest-exec").then(move |guest| {
                let line = line.clone();
                async move {
                    let status = guest
                        .command("/bin/sh")
                        .args(["-c", line.as_str()])
                        .status()
                        .await?;
                    if !status.success() {
                        return Err(format!("the line has ended with {status}").into());
                    }
                    Ok(())
                }
            })
        }
    }
}
