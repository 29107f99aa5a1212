//! `qga events`.

use std::io;
use std::time::{Duration, SystemTime};

use clap::Args;
use qga_core::{Error, ErrorKind};
use qga_libvirt::{Daemon, Domain, EventKind};
use qga_qmp::Monitor;
use qga_qmp::commands::status::QueryStatus;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Context;
use crate::exit::{Interrupted, TimeIsUp};
use crate::options::{Target, duration};
use crate::show;
use crate::signals::Signals;

/// How long to wait before a monitor that was lost is looked for again.
const PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  qga events web1 --monitor /run/web1/qmp.sock
  qga events libvirt:vm1 -n 1 --timeout 5m -o json")]
pub(crate) struct Events {
    #[command(flatten)]
    target: Target,
    /// End after so many events.
    #[arg(short = 'n', long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How long to listen; the exit code is 124 then. It has no end unless this is given.
    #[arg(long, value_parser = duration, value_name = "TIME")]
    timeout: Option<Duration>,
}

/// Prints events, until there were so many.
struct Printer {
    is_json: bool,
    left: Option<u64>,
}

impl Events {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let mut signals = Signals::listen()?;
        let listening = async {
            let listening = self.listen(context);
            match self.timeout {
                None => listening.await,
                Some(time) => {
                    let over = || TimeIsUp(format!("{time:?} are over"));
                    timeout(time, listening).await.map_err(|_| over())?
                }
            }
        };
        tokio::select! {
            done = listening => done,
            signal = signals.next() => {
                let words = "interrupted".to_owned();
                Err(Interrupted { signal, words }.into())
            }
        }
    }

    async fn listen(&self, context: &Context) -> anyhow::Result<()> {
        let printer = Printer {
            is_json: context.is_json(),
            left: self.count,
        };
        if let Some(monitor) = context.monitor().await? {
            return of_monitor(&monitor, printer, context).await;
        }
        let address = context.config.address(&self.target.guest)?;
        anyhow::ensure!(
            address.starts_with("libvirt"),
            "nobody tells what happens to this guest's machine: name QEMU's monitor (--monitor ADDR), or a guest of libvirt"
        );
        let (daemon, domain) = Daemon::of(&address).await?;
        of_libvirt(&daemon, &domain, printer, context).await
    }
}

async fn of_monitor(
    monitor: &Monitor,
    mut printer: Printer,
    context: &Context,
) -> anyhow::Result<()> {
    let mut events = monitor.events();
    let status = monitor.execute(QueryStatus).await?.status;
    context.note(&format!("listening; the machine is in the state {status}"));
    while let Some(told) = events.next().await {
        match told {
            Ok(event) => {
                let data = event.data().map(|data| serde_json::from_str(data.get()));
                let data = data.transpose()?.unwrap_or_default();
                printer.print(event.at, event.kind.name(), &data)?;
            }
            Err(missed) if missed.events.is_none() && has_ended(monitor).await => break,
            Err(missed) => printer.miss(missed.events, &missed)?,
        }
        if printer.is_done() {
            return Ok(());
        }
    }
    context.note("the machine's QEMU has ended");
    Ok(())
}

/// Whether nobody listens any more at a monitor whose connection was lost. It takes until that is known.
async fn has_ended(monitor: &Monitor) -> bool {
    loop {
        match monitor.execute(QueryStatus).await {
            Ok(_) => return false,
            Err(error) if is_gone(&error) => return true,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

fn is_gone(error: &Error) -> bool {
    let ErrorKind::Open(error) = error.kind() else {
        return false;
    };
    let gone = [io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused];
    gone.contains(&error.kind())
}

async fn of_libvirt(
    daemon: &Daemon,
    domain: &Domain,
    mut printer: Printer,
    context: &Context,
) -> anyhow::Result<()> {
    let mut events = daemon.events().await?;
    context.note(&format!("listening; the machine {}", domain.power));
    loop {
        match events.next().await {
            Ok(event) if event.uuid == domain.uuid => {
                printer.print(SystemTime::now(), &name(event.kind), &Value::Null)?;
                if event.kind == EventKind::Stopped {
                    context.note("the machine is off");
                    return Ok(());
                }
            }
            Ok(_) => {}
            Err(missed) => printer.miss(missed.events, &missed)?,
        }
        if printer.is_done() {
            return Ok(());
        }
    }
}

/// `AgentConnected` as `agent-connected`.
fn name(kind: EventKind) -> String {
    if let EventKind::Other { kind, event } = kind {
        return format!("other-{kind}-{event}");
    }
    let mut name = String::new();
    for character in format!("{kind:?}").chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(character.to_ascii_lowercase());
    }
    name
}

impl Printer {
    fn print(&mut self, at: SystemTime, name: &str, data: &Value) -> anyhow::Result<()> {
        self.left = self.left.map(|left| left.saturating_sub(1));
        let at = show::precise_time(at);
        if self.is_json {
            return show::json_line("event", json!({"at": at, "name": name, "data": data}));
        }
        let members = match data {
            Value::Null => String::new(),
            Value::Object(data) => data
                .iter()
                .map(|(name, value)| member(name, value))
                .collect(),
            data => member("data", data),
        };
        show::line(format!("{at} {name}{members}"))
    }

    /// Events were missed.
    fn miss(&self, events: Option<u64>, words: &impl ToString) -> anyhow::Result<()> {
        if self.is_json {
            return show::json_line("missed", json!({ "events": events }));
        }
        show::line(format!(
            "{} missed: {}",
            show::precise_time(SystemTime::now()),
            words.to_string()
        ))
    }

    fn is_done(&self) -> bool {
        self.left == Some(0)
    }
}

fn member(name: &str, value: &Value) -> String {
    match value {
        Value::String(text) if is_word(text) => format!(" {name}={text}"),
        value => format!(" {name}={value}"),
    }
}

/// Whether a text cannot be taken for anything else.
fn is_word(text: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:".contains(c);
    !text.is_empty() && text.chars().all(is_plain)
}
