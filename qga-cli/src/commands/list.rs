//! `qga list`.

use clap::Args;
use qga_core::Power;
use qga_core::discover::{Found, Holder};
use qga_libvirt::{AgentState, Daemon, Domain};
use serde_json::json;
use tokio::time::timeout;

use super::Context;
use crate::show;

#[derive(Debug, Args)]
#[command(after_help = "Example: qga list -o json")]
pub(crate) struct List {}

/// A guest, and what is known of it.
struct Row {
    name: String,
    address: String,
    state: &'static str,
    agent: &'static str,
    holder: String,
    /// The name of libvirt's domain, if it is one.
    domain: Option<String>,
}

impl Row {
    fn new(name: &str, address: String) -> Self {
        Self {
            name: name.to_owned(),
            address,
            state: "",
            agent: "",
            holder: String::new(),
            domain: None,
        }
    }

    /// Whether it is the guest of this domain.
    fn is(&self, domain: &Domain) -> bool {
        let short = self.address.strip_prefix("libvirt:");
        self.address == domain.address || short == Some(&domain.name) || short == Some(&domain.uuid)
    }
}

impl List {
    #[allow(clippy::unused_self, reason = "as the other subcommands")]
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guests = context.config.guests.iter();
        let mut rows = guests
            .map(|(name, address)| Row::new(name, address.clone()))
            .collect();
        add_domains(&mut rows, context).await;
        let found = qga_core::discover();
        for agent in &found.agents {
            add_channel(&mut rows, agent);
        }
        for unseen in &found.unseen {
            context.note(&format!("not seen: {unseen}"));
        }
        print(rows, context)
    }
}

async fn add_domains(rows: &mut Vec<Row>, context: &Context) {
    let Ok(daemons) = timeout(context.connect_timeout, Daemon::local()).await else {
        return context.note("not seen: libvirt's domains: a daemon does not answer");
    };
    for daemon in daemons {
        let listed = match timeout(context.connect_timeout, daemon.domains()).await {
            Ok(Ok(domains)) => domains,
            Ok(Err(error)) => {
                context.note(&format!("not seen: the domains of {daemon}: {error}"));
                continue;
            }
            Err(_) => {
                context.note(&format!(
                    "not seen: the domains of {daemon}: it does not answer"
                ));
                continue;
            }
        };
        for domain in listed {
            add_domain(rows, &domain);
        }
    }
}

fn add_domain(rows: &mut Vec<Row>, domain: &Domain) {
    if !rows.iter().any(|row| row.is(domain)) {
        rows.push(Row::new(&domain.name, domain.address.clone()));
    }
    for row in rows.iter_mut().filter(|row| row.is(domain)) {
        row.domain = Some(domain.name.clone());
        row.state = power(domain.power);
        row.agent = match domain.agent {
            AgentState::Connected => "agent",
            AgentState::NoChannel => "no channel for an agent",
            _ => "no agent",
        };
    }
}

fn power(power: Power) -> &'static str {
    match power {
        Power::Running => "running",
        Power::Paused => "paused",
        Power::Suspended => "suspended",
        Power::Off => "off",
        Power::Panicked => "panicked",
        _ => "",
    }
}

fn add_channel(rows: &mut Vec<Row>, agent: &Found) {
    let address = match agent.reach.address() {
        Some(address) => address.to_string(),
        None => format!("{:?}", agent.reach),
    };
    let name = agent.guest.as_deref().unwrap_or_default();
    let known = rows.iter().position(|row| row.address == address);
    // Who has libvirt's domain by its name need not know its socket, which libvirt holds.
    let domain = || {
        rows.iter()
            .position(|row| row.domain.as_deref() == Some(name))
    };
    let holder = match &agent.holder {
        Holder::Nobody => String::new(),
        Holder::Process(process) => format!("held by {process}"),
        Holder::Somebody => "held by somebody".to_owned(),
        _ => "holder unknown".to_owned(),
    };
    let at = known.or_else(domain);
    if let Some(row) = at.and_then(|at| rows.get_mut(at)) {
        row.holder = holder;
    } else {
        rows.push(Row {
            holder,
            ..Row::new(name, address)
        });
    }
}

fn print(rows: Vec<Row>, context: &Context) -> anyhow::Result<()> {
    if context.is_json() {
        let rows = rows.iter().map(|row| {
            json!({
                "name": row.name, "address": row.address, "state": row.state, "agent": row.agent, "holder": row.holder,
            })
        });
        return show::json("guests", rows.collect::<Vec<_>>());
    }
    show::table(
        ["name", "address", "state", "agent", ""],
        rows.into_iter().map(|row| {
            let (state, agent) = (row.state.to_owned(), row.agent.to_owned());
            [row.name, row.address, state, agent, row.holder]
        }),
    )
}
