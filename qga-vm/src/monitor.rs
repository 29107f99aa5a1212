//! What the tests need of QEMU's monitor.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{Mutex, mpsc, watch};

const START_LIMIT: Duration = Duration::from_secs(20);

/// The monitor of one machine.
#[derive(Debug)]
pub struct Monitor {
    channel: Mutex<(OwnedWriteHalf, mpsc::UnboundedReceiver<Value>)>,
    events: watch::Receiver<Vec<Value>>,
}

impl Monitor {
    /// Connects as soon as QEMU has made its socket.
    pub(crate) async fn connect(path: &Path) -> Result<Self> {
        let start = tokio::time::Instant::now();
        let stream = loop {
            match UnixStream::connect(path).await {
                Ok(stream) => break stream,
                Err(error) if start.elapsed() > START_LIMIT => {
                    return Err(error).context("QEMU does not open its monitor");
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let (reading, writing) = stream.into_split();
        let (to_callers, replies) = mpsc::unbounded_channel();
        let (to_watchers, events) = watch::channel(Vec::new());
        tokio::spawn(async move {
            let mut lines = BufReader::new(reading).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(message) = serde_json::from_str::<Value>(&line) else {
                    continue;
                };
                if message.get("event").is_some() {
                    to_watchers.send_modify(|events| events.push(message));
                } else if message.get("QMP").is_none() {
                    drop(to_callers.send(message));
                }
            }
        });
        let monitor = Self {
            channel: Mutex::new((writing, replies)),
            events,
        };
        monitor.command("qmp_capabilities", None).await?;
        Ok(monitor)
    }

    /// Runs a command and returns what it returned. A future of it that is dropped leaves its reply to the next command.
    ///
    /// # Errors
    ///
    /// When QEMU refuses it or has ended.
    pub async fn command(&self, name: &str, arguments: Option<Value>) -> Result<Value> {
        let mut request = json!({ "execute": name });
        if let Some(arguments) = arguments {
            request["arguments"] = arguments;
        }
        let mut channel = self.channel.lock().await;
        let (writing, replies) = &mut *channel;
        writing.write_all(format!("{request}\n").as_bytes()).await?;
        let mut reply = replies
            .recv()
            .await
            .with_context(|| format!("QEMU has ended before {name} was answered"))?;
        match reply.get_mut("return") {
            Some(value) => Ok(value.take()),
            None => Err(anyhow!("{name}: {}", reply["error"]["desc"])),
        }
    }

    /// Runs a command of the monitor for people, such as `savevm one`.
    ///
    /// # Errors
    ///
    /// When it prints something, which such a command does only when it fails.
    pub async fn human(&self, line: &str) -> Result<()> {
        let arguments = json!({ "command-line": line });
        let printed = self
            .command("human-monitor-command", Some(arguments))
            .await?;
        match printed.as_str() {
            Some("") => Ok(()),
            _ => bail!("{line}: {printed}"),
        }
    }

    /// Returns the names of all events so far, in their order.
    #[must_use]
    pub fn events(&self) -> Vec<String> {
        let names = |event: &Value| event["event"].as_str().map(str::to_owned);
        self.events.borrow().iter().filter_map(names).collect()
    }

    /// Returns all events so far with what they carry, and how more of them come. The sender is gone when QEMU has ended.
    #[must_use]
    pub fn event_log(&self) -> watch::Receiver<Vec<Value>> {
        self.events.clone()
    }

    /// Waits until an event with this name has come `count` times since the machine was started.
    ///
    /// # Errors
    ///
    /// When QEMU ends without it.
    pub async fn event(&self, name: &str, count: usize) -> Result<()> {
        let seen = |events: &Vec<Value>| {
            let of_this_name = events.iter().filter(|event| event["event"] == name);
            of_this_name.count() >= count
        };
        let mut events = self.events.clone();
        events
            .wait_for(seen)
            .await
            .map(drop)
            .with_context(|| format!("QEMU has ended without {name}"))
    }

    /// Waits until an agent holds the port (`true`), or none does. It needs a channel over virtio.
    ///
    /// # Errors
    ///
    /// When QEMU has ended.
    pub async fn agent_port(&self, open: bool) -> Result<()> {
        loop {
            let ports = self.command("query-chardev", None).await?;
            let ports = ports.as_array().context("query-chardev gave no list")?;
            if ports
                .iter()
                .any(|port| port["label"] == "agent" && port["frontend-open"] == open)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
