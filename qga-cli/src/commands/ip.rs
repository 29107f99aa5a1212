//! `qga ip`.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use qga_commands::{MacAddress, Usable, UsableAddress};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::Context;
use crate::exit::TimeIsUp;
use crate::options::{Target, duration};
use crate::show;

/// How long to wait before a guest is asked again whether it has an address.
const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
#[command(after_help = "Example: ssh root@$(qga ip libvirt:vm1 --wait 1m)")]
pub(crate) struct Ip {
    #[command(flatten)]
    target: Target,
    /// Print all addresses, the best first, with their interfaces.
    #[arg(short, long)]
    all: bool,
    /// Only those of the interface with this hardware address.
    #[arg(long, value_name = "MAC")]
    mac: Option<MacAddress>,
    /// Only IPv4.
    #[arg(short = '4', long, conflicts_with = "v6")]
    v4: bool,
    /// Only IPv6.
    #[arg(short = '6', long)]
    v6: bool,
    /// Wait so long for the guest, and until it has an address.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    wait: Option<Duration>,
}

impl Ip {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let addresses = match self.wait {
            None => self.addresses(context).await?,
            Some(time) => {
                let late = |_| TimeIsUp("the guest had no usable address in time".to_owned());
                tokio::time::timeout(time, self.awaited(context, time))
                    .await
                    .map_err(late)??
            }
        };
        let best = addresses
            .first()
            .context("the guest has no usable address")?;
        if context.is_json() {
            return show::json(
                "addresses",
                addresses.iter().map(as_json).collect::<Vec<_>>(),
            );
        }
        if !self.all {
            return show::line(best.ip.to_string());
        }
        show::table(
            ["address", "interface", "hardware address"],
            addresses.iter().map(|it| {
                let prefix = it
                    .prefix
                    .map_or_else(String::new, |prefix| format!("/{prefix}"));
                let mac = it.mac.map_or_else(String::new, |mac| mac.to_string());
                [format!("{}{prefix}", it.ip), it.interface.clone(), mac]
            }),
        )
    }

    async fn addresses(&self, context: &Context) -> anyhow::Result<Vec<UsableAddress>> {
        let guest = context.guest(&self.target.guest).await?;
        Ok(guest.addresses(&self.usable()).await?)
    }

    /// The addresses, once there are some.
    async fn awaited(
        &self,
        context: &Context,
        time: Duration,
    ) -> anyhow::Result<Vec<UsableAddress>> {
        let address = context.config.address(&self.target.guest)?;
        let end = Instant::now().checked_add(time);
        let ready = qga_commands::guest::ready::Ready::ping().timeout(time);
        let guest = context
            .connector
            .builder()
            .connect_ready(address, &ready)
            .await?;
        loop {
            match guest.addresses(&self.usable()).await {
                Ok(found) if !found.is_empty() => return Ok(found),
                Err(error) if error.is_permanent() => return Err(error.into()),
                _ if end.is_some_and(|end| Instant::now() >= end) => {
                    return Err(
                        TimeIsUp("the guest had no usable address in time".to_owned()).into(),
                    );
                }
                _ => sleep(PAUSE).await,
            }
        }
    }

    fn usable(&self) -> Usable {
        let mut usable = Usable::new();
        if let Some(mac) = self.mac {
            usable = usable.mac(mac);
        }
        match (self.v4, self.v6) {
            (true, _) => usable.v4_only(),
            (_, true) => usable.v6_only(),
            _ => usable,
        }
    }
}

fn as_json(address: &UsableAddress) -> serde_json::Value {
    json!({
        "address": address.ip.to_string(),
        "prefix": address.prefix,
        "interface": address.interface,
        "mac": address.mac.map(|mac| mac.to_string()),
    })
}
