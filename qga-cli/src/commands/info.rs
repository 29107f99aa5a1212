//! `qga info`.

use clap::Args;
use qga_commands::GuestError;
use qga_commands::commands::cpu::GetLoad;
use serde_json::json;

use super::{Context, look};
use crate::options::Target;
use crate::show;

#[derive(Debug, Args)]
pub(crate) struct Info {
    #[command(flatten)]
    target: Target,
}

impl Info {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let facts = guest.facts().await?;
        let disks = told(guest.disk_usage().await)?.unwrap_or_default();
        let users = told(guest.users().await)?;
        let load = told(guest.execute(GetLoad).await)?;
        let addresses: Vec<_> = facts
            .addresses
            .iter()
            .flatten()
            .map(|it| it.ip.to_string())
            .collect();
        if context.is_json() {
            let object = json!({
                "host_name": facts.host_name,
                "os": facts.os,
                "agent_version": facts.agent_version,
                "addresses": addresses,
                "filesystems": disks.iter().map(look::disk_json).collect::<Vec<_>>(),
                "users": users,
                "load": load,
            });
            return show::json("guest", object);
        }
        let os = facts.os.unwrap_or_default();
        let users = users.map(|users| {
            users
                .into_iter()
                .map(|it| it.user)
                .collect::<Vec<_>>()
                .join(", ")
        });
        let load = load.map(|it| format!("{:.2} {:.2} {:.2}", it.load1m, it.load5m, it.load15m));
        let rows = [
            ("host name", facts.host_name),
            ("system", os.pretty_name.or(os.name)),
            ("kernel", os.kernel_release),
            ("machine", os.machine),
            ("agent", facts.agent_version),
            ("addresses", Some(addresses.join(", "))),
            ("users", users),
            ("load", load),
        ];
        let known = rows.into_iter().filter_map(|(name, value)| {
            let value = value.filter(|value| !value.is_empty())?;
            Some([name.to_owned(), value])
        });
        show::table(["", ""], known)?;
        if disks.is_empty() {
            return Ok(());
        }
        look::print_disks(&disks)
    }
}

/// `None` where the agent does not tell.
fn told<T>(answer: Result<T, GuestError>) -> Result<Option<T>, GuestError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.agent_error().is_some() || error.is_frozen() => Ok(None),
        Err(error) => Err(error),
    }
}
