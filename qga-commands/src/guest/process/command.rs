//! A program to be run.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::{ExitStatus, Kill, Output, Process};
use crate::exec::Exec;
use crate::guest::{Guest, GuestError};

/// How long killing and learning the end of what was killed may take.
const KILL_TIME: Duration = Duration::from_secs(10);

/// A program to be run in the guest; made by [`Guest::command`].
#[derive(Clone, Debug)]
#[must_use = "nothing runs until `output`, `status` or `spawn` is called"]
pub struct Command {
    guest: Guest,
    program: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    env_clear: bool,
    stdin: Option<Vec<u8>>,
    deadline: Option<Duration>,
    kill: bool,
}

impl Command {
    pub(super) fn new(guest: Guest, program: String) -> Self {
        Self {
            guest,
            program,
            args: Vec::new(),
            env: Vec::new(),
            env_clear: false,
            stdin: None,
            deadline: None,
            kill: false,
        }
    }

    /// Another argument. There is no shell that would look into it.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, on top of the agent's environment, or of nothing after
    /// [`env_clear`](Self::env_clear).
    ///
    /// An agent can only replace the whole environment. So without `env_clear` the program is run
    /// through the guest's `env`, which Windows lacks. The variables then stand in a command line,
    /// for a moment, where other users of the guest can see them, and a program that is not
    /// found is the exit code 127. With `env_clear` none of this is so, and `PATH` is what you set.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let name = name.into();
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value.into()));
        self
    }

    /// Lets the environment be nothing but what [`env`](Self::env) sets, earlier or later.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env_clear = true;
        self
    }

    /// What the program reads from its standard input; nothing unless set. A request holds a little
    /// less than 48 MiB, through libvirt about 150 KB.
    pub fn stdin(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long [`output`](Self::output) and [`status`](Self::status) may take in all, starting
    /// the program included. As long as it takes unless set.
    pub fn deadline(&mut self, deadline: Duration) -> &mut Self {
        self.deadline = Some(deadline);
        self
    }

    /// Whether to kill the program when it did not end within the [deadline](Self::deadline), which
    /// may take another 10 seconds. It is left running unless set.
    pub fn kill_on_deadline(&mut self, kill: bool) -> &mut Self {
        self.kill = kill;
        self
    }

    /// Runs the program to its end and captures what it writes.
    ///
    /// # Errors
    ///
    /// When the program cannot be started ([`GuestError::Command`]; it may have been, if
    /// [`execution`](GuestError::execution) says so), when its end cannot be learned
    /// ([`GuestError::Wait`], [`GuestError::ResultLost`]), and when it does not end in time
    /// ([`GuestError::Deadline`]). A program that fails is no error: see [`Output::status`].
    ///
    /// # Cancel safety
    ///
    /// The program is left running if it was started, and nobody knows its number. Where that
    /// matters, [`spawn`](Self::spawn) it and cancel the waiting.
    pub async fn output(&self) -> Result<Output, GuestError> {
        self.run(true).await
    }

    /// Runs the program to its end; what it writes is lost.
    ///
    /// # Errors
    ///
    /// As [`output`](Self::output).
    ///
    /// # Cancel safety
    ///
    /// As [`output`](Self::output).
    pub async fn status(&self) -> Result<ExitStatus, GuestError> {
        Ok(self.run(false).await?.status)
    }

    /// Starts the program, and captures what it writes for [`Process::wait`]. The deadline is not
    /// for this.
    ///
    /// # Errors
    ///
    /// When it cannot be started. If the reply is lost, it may have been:
    /// [`execution`](GuestError::execution) tells.
    ///
    /// # Cancel safety
    ///
    /// The program may have been started, and nobody knows its number.
    pub async fn spawn(&self) -> Result<Process, GuestError> {
        self.start(true).await
    }

    async fn start(&self, capture: bool) -> Result<Process, GuestError> {
        let exec = self.exec()?.capture_output(capture);
        let started = self.guest.execute(exec).await?;
        Ok(Process::new(self.guest.clone(), started.pid, true))
    }

    async fn run(&self, capture: bool) -> Result<Output, GuestError> {
        let start = Instant::now();
        let Some((deadline, end)) = self
            .deadline
            .and_then(|deadline| Some((deadline, start.checked_add(deadline)?)))
        else {
            return self.start(capture).await?.wait().await;
        };
        let Ok(started) = timeout_at(end, self.start(capture)).await else {
            let kill = if self.kill {
                Kill::Unconfirmed
            } else {
                Kill::NotAsked
            };
            return Err(late(None, deadline, kill, None));
        };
        let mut process = started?;
        match timeout_at(end, process.wait()).await {
            Ok(result) => result,
            Err(_) if self.kill => kill_late(process, deadline).await,
            Err(_) => Err(late(Some(process.pid()), deadline, Kill::NotAsked, None)),
        }
    }

    fn exec(&self) -> Result<Exec, GuestError> {
        let variables = self
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        if self
            .env
            .iter()
            .any(|(name, _)| name.is_empty() || name.contains('='))
        {
            return Err(GuestError::InvalidInput(
                "an environment variable's name is empty or has a `=`",
            ));
        }
        let exec = if self.env_clear {
            Exec::new(&*self.program).arg(&self.args).env(variables)
        } else if self.env.is_empty() {
            Exec::new(&*self.program).arg(&self.args)
        } else {
            self.check_merging()?;
            let program = std::iter::once(self.program.clone());
            let args = self.args.iter().cloned();
            Exec::new("env").arg(variables.chain(program).chain(args))
        };
        Ok(match &self.stdin {
            Some(bytes) => exec.input_data(&**bytes),
            None => exec,
        })
    }

    /// Whether `env` can tell the variables from its options and from the program.
    fn check_merging(&self) -> Result<(), GuestError> {
        let option = self.env.iter().any(|(name, _)| name.starts_with('-'));
        if option || self.program.starts_with('-') || self.program.contains('=') {
            return Err(GuestError::InvalidInput(
                "the guest's `env` would mistake this program or variable; use `env_clear`",
            ));
        }
        Ok(())
    }
}

fn late(
    pid: Option<i64>,
    deadline: Duration,
    kill: Kill,
    output: Option<Box<Output>>,
) -> GuestError {
    GuestError::Deadline {
        pid,
        deadline,
        kill,
        output,
    }
}

/// Kills a program that did not end in time, unless it just has.
async fn kill_late(mut process: Process, deadline: Duration) -> Result<Output, GuestError> {
    let pid = Some(process.pid());
    match timeout(KILL_TIME, end(&mut process)).await {
        Ok(Ok(Ended::ByItself(output))) => Ok(output),
        Ok(Ok(Ended::Killed(output))) => {
            Err(late(pid, deadline, Kill::Killed, Some(Box::new(output))))
        }
        Ok(Err(_)) | Err(_) => Err(late(pid, deadline, Kill::Unconfirmed, None)),
    }
}

enum Ended {
    ByItself(Output),
    Killed(Output),
}

/// Kills a program and waits for its end.
async fn end(process: &mut Process) -> Result<Ended, GuestError> {
    let killed = process.kill().await;
    if let Some(output) = process.ended.take() {
        return Ok(Ended::ByItself(output));
    }
    killed?;
    process.wait().await.map(Ended::Killed)
}
