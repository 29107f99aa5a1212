use std::sync::Weak;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::Target;
use crate::cli::Failure;
use crate::cli::fault_spec::FaultSpec;
use crate::cli::guest_change::GuestChange;
use crate::cli::guest_file::Program;
#[cfg(unix)]
use crate::monitor::Monitor;
use crate::wire::request::excerpt;
use crate::{Fault, Request, TestAgent, Times};

/// An order that a test gives over the control socket.
#[derive(Debug, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub(super) enum Order {
    /// Answer a command in this way.
    Stub {
        command: String,
        /// The stub is only for requests that have these arguments.
        arguments: Option<Map<String, Value>>,
        #[serde(default, deserialize_with = "present")]
        reply: Option<Value>,
        error: Option<ErrorReply>,
        fault: Option<String>,
        /// The stub is for this many requests at most.
        up_to: Option<usize>,
        /// `verify` fails unless the stub was used this often.
        expect: Option<HowOften>,
    },
    /// Let something go wrong: `FAULT[+FAULT...][@WHEN]`.
    Fault { fault: String },
    /// List the requests that have arrived.
    Requests { command: Option<String> },
    /// Wait until there are this many requests for a command.
    Wait {
        command: String,
        count: usize,
        #[serde(default = "patience")]
        milliseconds: u64,
    },
    /// Say whether the stubs were used as often as expected.
    Verify {},
    /// Forget stubs, faults and requests.
    Reset {},
    /// Disable a command.
    Block { command: String },
    /// Put a file into the guest.
    File { path: String, content: String },
    /// Return the content of a file.
    ReadFile { path: String },
    /// Give the guest a program.
    Program { program: Program },
    /// Change the guest. Fields that are left out stay as they are.
    Guest { guest: Box<GuestChange> },
    /// Return the state of the guest.
    State {},
    /// End a process by a signal.
    Kill { pid: i64, signal: i64 },
    /// Wake the guest, or switch it on.
    Wake {},
    /// Let something happen to the machine that has a monitor.
    #[cfg(unix)]
    Machine { event: MachineEvent },
}

/// What happens to a machine.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MachineEvent {
    Panic,
    FillDisk,
    FreeDisk,
    Terminate,
    Kill,
    PowerOn,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorReply {
    class: String,
    desc: String,
}

/// How often a stub is expected: a number, or limits.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct HowOften(Times);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(default)]
    least: usize,
    most: Option<usize>,
}

impl TryFrom<Value> for HowOften {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = usize::deserialize(&value).map(Times::from).ok();
        let limits = Limits::deserialize(&value).map(|limits| match limits.most {
            Some(most) => Times::from(limits.least..=most),
            None => Times::from(limits.least..),
        });
        number.or(limits.ok()).map(Self).ok_or_else(|| {
            format!(r#"{value} is neither a number nor limits such as {{"least": 1, "most": 3}}"#)
        })
    }
}

/// Reads a field that is present, since null is a value too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

const fn patience() -> u64 {
    10_000
}

impl Order {
    /// Carries out the order, and returns what it asks for.
    pub(super) async fn carry_out(self, target: &Target) -> Result<Value, Failure> {
        let agent = &target.agent;
        #[cfg(unix)]
        if let Order::Machine { event } = self {
            let missing = "the machine has no monitor: start the program with --monitor";
            event
                .happen(target.monitor.as_ref().ok_or(missing)?)
                .await?;
            return Ok(Value::Null);
        }
        if let Order::Wait {
            command,
            count,
            milliseconds,
        } = self
        {
            let patience = Duration::from_millis(milliseconds);
            return wait(agent, &command, count, patience).await;
        }
        let agent = agent.upgrade().ok_or("the agent has ended")?;
        self.now(&agent)
    }

    fn now(self, agent: &TestAgent) -> Result<Value, Failure> {
        match self {
            Order::Stub { .. } => self.stub(agent)?,
            Order::Fault { fault } => FaultSpec::parse(&fault)?.apply(agent),
            Order::Requests { command } => {
                return Ok(requests(agent, command.as_deref()));
            }
            Order::Wait { .. } => {}
            #[cfg(unix)]
            Order::Machine { .. } => {}
            Order::Verify {} => return agent.failure().map_or(Ok(Value::Null), Err),
            Order::Reset {} => agent.reset(),
            Order::Block { command } => agent.disable(&command),
            Order::File { path, content } => agent.file(&path, content),
            Order::ReadFile { path } => {
                let content = agent.file_content(&path);
                let text = content.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                return Ok(json!({"content": text}));
            }
            Order::Program { program } => program.apply(agent),
            Order::Guest { guest } => guest.apply(agent),
            Order::State {} => {
                let frozen = agent.guest().frozen;
                return Ok(json!({"frozen": frozen, "running": agent.running_processes()}));
            }
            Order::Kill { pid, signal } => {
                return Ok(json!({"killed": agent.kill_process(pid, signal)}));
            }
            Order::Wake {} => agent.wake(),
        }
        Ok(Value::Null)
    }

    fn stub(self, agent: &TestAgent) -> Result<(), Failure> {
        let Order::Stub {
            command,
            arguments,
            reply,
            error,
            fault,
            up_to,
            expect,
        } = self
        else {
            return Ok(());
        };
        let arguments = arguments.map(Value::Object);
        let label = match &arguments {
            Some(wanted) => format!("{command} with {}", excerpt(wanted)),
            None => command.clone(),
        };
        if reply.is_none() && error.is_none() && fault.is_none() && expect.is_none() {
            return Err("a stub needs a reply, an error, a fault, or an expectation".into());
        }
        let mut on = agent.on_labelled(&command, label);
        if let Some(wanted) = arguments {
            on = on.with(move |given| contains(given, &wanted));
        }
        if let Some(fault) = fault {
            on = on.with_fault(fault.parse::<Fault>().map_err(|error| error.to_string())?);
        }
        if let Some(requests) = up_to {
            on = on.up_to(requests);
        }
        if let Some(times) = expect {
            on = on.expect(times.0);
        }
        if let Some(contradiction) = on.contradiction() {
            return Err(contradiction);
        }
        match (reply, error) {
            (Some(value), None) => on.reply(value),
            (None, Some(error)) => on.error(&error.class, &error.desc),
            (None, None) => on.pass_through(),
            (Some(_), Some(_)) => return Err("a stub has a reply or an error, not both".into()),
        }
        Ok(())
    }
}

#[cfg(unix)]
impl MachineEvent {
    async fn happen(self, monitor: &Monitor) -> Result<(), Failure> {
        match self {
            Self::Panic => monitor.panic(),
            Self::FillDisk => monitor.fill_disk(),
            Self::FreeDisk => monitor.free_disk(),
            Self::Terminate => monitor.terminate(),
            Self::Kill => monitor.kill().await,
            Self::PowerOn => {
                let started = monitor.start_again().await;
                started.map_err(|error| format!("cannot listen again: {error}"))?;
            }
        }
        Ok(())
    }
}

/// Whether a value contains everything that is wanted. It may have other members too.
fn contains(given: &Value, wanted: &Value) -> bool {
    match (given, wanted) {
        (Value::Object(given), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            let given = given.get(name);
            given.is_some_and(|given| contains(given, wanted))
        }),
        _ => given == wanted,
    }
}

/// Waits for requests without holding the agent, so that it can end in the meantime.
async fn wait(
    agent: &Weak<TestAgent>,
    command: &str,
    count: usize,
    patience: Duration,
) -> Result<Value, Failure> {
    const PAUSE: Duration = Duration::from_millis(5);
    let start = tokio::time::Instant::now();
    loop {
        let agent = agent.upgrade().ok_or("the agent has ended")?;
        let arrived = agent.requests_of(command).len();
        if arrived >= count {
            return Ok(requests(&agent, Some(command)));
        }
        if start.elapsed() > patience {
            return Err(format!(
                "only {arrived} of {count} requests for {command} have arrived"
            ));
        }
        drop(agent);
        tokio::time::sleep(PAUSE).await;
    }
}

fn requests(agent: &TestAgent, command: Option<&str>) -> Value {
    let requests = match command {
        Some(command) => agent.requests_of(command),
        None => agent.requests(),
    };
    let shown = |request: &Request| {
        json!({
            "command": request.name,
            "arguments": request.arguments,
            "id": request.id,
        })
    };
    json!({"requests": requests.iter().map(shown).collect::<Vec<_>>()})
}
