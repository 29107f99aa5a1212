//! `qga list`.

use clap::Args;
use qga_core::discover::Holder;
use serde_json::json;

use super::Context;
use crate::show;

/// List the guests of the configuration, and those whose agents' channels are found on this host.
///
/// Nothing is sent to any of them.
#[derive(Debug, Args)]
pub(crate) struct List {}

/// A guest, and what is known of it.
struct Row {
    name: String,
    address: String,
    holder: String,
}

impl List {
    #[allow(clippy::unused_self, reason = "as the other subcommands")]
    pub(crate) fn run(self, context: &Context) -> anyhow::Result<()> {
        let found = qga_core::discover();
        let mut rows: Vec<_> = context
            .config
            .guests
            .iter()
            .map(|(name, address)| Row {
                name: name.clone(),
                address: address.clone(),
                holder: String::new(),
            })
            .collect();
        for agent in &found.agents {
            let address = match agent.reach.address() {
                Some(address) => address.to_string(),
                None => format!("{:?}", agent.reach),
            };
            let holder = match &agent.holder {
                Holder::Nobody => String::new(),
                Holder::Process(process) => format!("held by {process}"),
                Holder::Somebody => "held by somebody".to_owned(),
                _ => "holder unknown".to_owned(),
            };
            match rows.iter_mut().find(|row| row.address == address) {
                Some(row) => row.holder = holder,
                None => rows.push(Row {
                    name: agent.guest.clone().unwrap_or_default(),
                    address,
                    holder,
                }),
            }
        }
        for unseen in &found.unseen {
            context.note(&format!("not seen: {unseen}"));
        }
        if context.is_json() {
            let rows: Vec<_> = rows
                .iter()
                .map(|row| json!({"name": row.name, "address": row.address, "holder": row.holder}))
                .collect();
            return show::json("guests", rows);
        }
        show::table(
            ["name", "address", ""],
            rows.into_iter()
                .map(|row| [row.name, row.address, row.holder]),
        )
    }
}
