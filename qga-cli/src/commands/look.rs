//! Subcommands that ask one question.

use std::time::{Duration, SystemTime};

use anstyle::Style;
use clap::Args;
use qga_commands::ClientExt as _;
use qga_commands::commands::agent::Ping as AgentPing;
use qga_commands::guest::disks::DiskUsage;
use serde_json::{Value, json};

use super::Context;
use crate::options::Target;
use crate::show;

/// How wide the bar of a disk is.
const BAR: u32 = 20;

macro_rules! subcommands {
    ($($name:ident),*) => {$(
        #[derive(Debug, Args)]
        pub(crate) struct $name {
            #[command(flatten)]
            target: Target,
        }
    )*};
}

subcommands![Df, Net, Disks, Users, Time, Ping, Commands];

impl Df {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let disks = guest.disk_usage().await?;
        if context.is_json() {
            return show::json(
                "filesystems",
                disks.iter().map(disk_json).collect::<Vec<_>>(),
            );
        }
        print_disks(&disks)
    }
}

pub(crate) fn disk_json(disk: &DiskUsage) -> Value {
    json!({
        "device": disk.device, "type": disk.fs_type, "mountpoints": disk.mountpoints,
        "used_bytes": disk.used_bytes, "total_bytes": disk.total_bytes,
    })
}

/// Says of each filesystem how full it is.
pub(crate) fn print_disks(disks: &[DiskUsage]) -> anyhow::Result<()> {
    let rows = disks.iter().map(|disk| (disk_style(disk), disk_row(disk)));
    show::styled_table(["mounted at", "", "used", "of"], rows)
}

fn disk_style(disk: &DiskUsage) -> Style {
    match disk.usage() {
        Some(usage) if usage >= 0.95 => show::BAD,
        Some(usage) if usage >= 0.85 => show::DOUBTFUL,
        _ => Style::new(),
    }
}

/// Where it is mounted, a bar, and its sizes.
fn disk_row(disk: &DiskUsage) -> [String; 4] {
    let size = |bytes: Option<u64>| bytes.map_or_else(String::new, show::size);
    let place = disk.mountpoints.first().unwrap_or(&disk.device).clone();
    [
        place,
        disk.usage().map_or_else(String::new, bar),
        size(disk.used_bytes),
        size(disk.total_bytes),
    ]
}

fn bar(usage: f64) -> String {
    (1..=BAR)
        .map(|step| {
            if f64::from(step) <= usage * f64::from(BAR) {
                '#'
            } else {
                '.'
            }
        })
        .collect()
}

impl Net {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let interfaces = guest.interfaces().await?;
        if context.is_json() {
            return show::json("interfaces", interfaces);
        }
        let rows = interfaces.into_iter().map(|interface| {
            let addresses = interface.ip_addresses.unwrap_or_default();
            let addresses: Vec<_> = addresses
                .iter()
                .map(|it| format!("{}/{}", it.ip_address, it.prefix))
                .collect();
            [
                interface.name,
                interface.hardware_address.unwrap_or_default(),
                addresses.join(" "),
            ]
        });
        show::table(["interface", "hardware address", "addresses"], rows)
    }
}

impl Disks {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let disks = guest.disks().await?;
        if context.is_json() {
            return show::json("disks", disks);
        }
        let rows = disks.into_iter().map(|disk| {
            let kind = if disk.partition { "partition" } else { "disk" };
            let serial = disk.address.and_then(|address| address.serial);
            let on = disk.dependencies.unwrap_or_default().join(" ");
            [disk.name, kind.to_owned(), serial.unwrap_or_default(), on]
        });
        show::table(["device", "kind", "serial", "on"], rows)
    }
}

impl Users {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let users = guest.users().await?;
        if context.is_json() {
            return show::json("users", users);
        }
        let rows = users.into_iter().map(|user| {
            let since = Duration::try_from_secs_f64(user.login_time).ok();
            let since = since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
            [user.user, since.map_or_else(String::new, show::time)]
        });
        show::table(["user", "since"], rows)
    }
}

impl Time {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let offset = guest.clock_offset().await?;
        if context.is_json() {
            let uncertainty = offset
                .uncertainty()
                .as_nanos()
                .try_into()
                .unwrap_or(u64::MAX);
            return show::json(
                "offset",
                json!({"nanos": offset.as_nanos(), "uncertainty_nanos": uncertainty}),
            );
        }
        show::line(offset.to_string())
    }
}

impl Ping {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        guest.execute(AgentPing).await?;
        if context.is_json() {
            return show::json("alive", true);
        }
        Ok(())
    }
}

impl Commands {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let capabilities = guest.client().capabilities().await?;
        let mut commands: Vec<_> = capabilities.commands().collect();
        commands.sort_by(|one, other| one.name.cmp(&other.name));
        if context.is_json() {
            return show::json("commands", commands);
        }
        let rows = commands.into_iter().map(|command| {
            let state = if command.enabled { "" } else { "disabled" };
            [command.name.clone(), state.to_owned()]
        });
        show::table(["command", "state"], rows)
    }
}
