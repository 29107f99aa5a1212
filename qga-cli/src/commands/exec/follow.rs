//! Following a program of a guest to its end.

use std::io;
use std::time::Duration;

use qga_commands::GuestError;
use qga_commands::guest::process::{Child, Command, ExitStatus, Output, Process, ProcessToken};
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, timeout};

use super::at;
use crate::exit::{Interrupted, TimeIsUp};
use crate::signals::Signals;

/// How long a program that was killed has to end.
const KILL_TIME: Duration = Duration::from_secs(10);

/// What a program is followed with.
pub(crate) struct Follow<'a, O, E> {
    pub(crate) stdout: &'a mut O,
    pub(crate) stderr: &'a mut E,
    pub(crate) signals: &'a mut Signals,
    pub(crate) timeout: Option<Duration>,
    /// What the user calls the guest.
    pub(crate) guest: &'a str,
    /// Says something beside the output, to a user who wants to know more.
    pub(crate) detail: &'a dyn Fn(&str),
}

/// Why nobody waits for the program any more.
enum Stop {
    Signal(u8),
    Time,
}

/// A program that runs in the guest.
enum Running {
    /// Its output is read meanwhile.
    Streamed(Box<Child>),
    /// The agent keeps its output until the end.
    Captured(Box<Process>),
}

impl<O: AsyncWrite + Unpin, E: AsyncWrite + Unpin> Follow<'_, O, E> {
    /// Starts the program, passes its output on, and waits for its end. `Ok` says that all of it was seen.
    pub(crate) async fn run(mut self, command: &Command) -> anyhow::Result<ExitStatus> {
        let end = self
            .timeout
            .and_then(|timeout| Instant::now().checked_add(timeout));
        let start = start(command, self.detail);
        tokio::pin!(start);
        let stop = tokio::select! {
            started = &mut start => return self.follow(started?, end).await,
            signal = self.signals.next() => Stop::Signal(signal),
            () = at(end) => Stop::Time,
        };
        // Only when its number is known, the program can be killed.
        let started = tokio::select! {
            started = &mut start => started,
            signal = self.signals.next() => {
                let words = "interrupted; the guest's program may have been started".to_owned();
                return Err(Interrupted { signal, words }.into());
            }
        };
        match started {
            Ok(mut running) => Err(self.stopped(&mut running, &stop).await),
            Err(error) if matches!(error.execution(), qga_core::Execution::NotRun) => {
                Err(self.told(&stop, "the guest's program was not started"))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn follow(
        &mut self,
        mut running: Running,
        end: Option<Instant>,
    ) -> anyhow::Result<ExitStatus> {
        let stop = tokio::select! {
            done = running.pass_on(self.stdout, self.stderr) => match done {
                Ok(status) => return Ok(status),
                Err(error) => return Err(self.failed(&mut running, error).await),
            },
            signal = self.signals.next() => Stop::Signal(signal),
            () = at(end) => Stop::Time,
        };
        Err(self.stopped(&mut running, &stop).await)
    }

    /// The user or the time has ended it.
    async fn stopped(&mut self, running: &mut Running, stop: &Stop) -> anyhow::Error {
        match self.kill(running, 0).await {
            Ok(()) => self.told(stop, "the guest's program was killed"),
            Err(left) => match (left.downcast::<Interrupted>(), stop) {
                (Ok(interrupted), _) => interrupted.into(),
                (Err(left), Stop::Signal(signal)) => {
                    let (signal, words) = (*signal, left.to_string());
                    Interrupted { signal, words }.into()
                }
                (Err(left), Stop::Time) => left,
            },
        }
    }

    fn told(&self, stop: &Stop, outcome: &str) -> anyhow::Error {
        match stop {
            Stop::Signal(signal) => Interrupted {
                signal: *signal,
                words: format!("interrupted; {outcome}"),
            }
            .into(),
            Stop::Time => {
                let timeout = humantime::format_duration(self.timeout.unwrap_or_default());
                TimeIsUp(format!("it has not ended within {timeout}; {outcome}")).into()
            }
        }
    }

    /// The output or the end cannot be had.
    async fn failed(&mut self, running: &mut Running, error: anyhow::Error) -> anyhow::Error {
        let is_over = error.downcast_ref().is_some_and(|error: &GuestError| {
            error.is_agent_gone() || matches!(error, GuestError::ResultLost { .. })
        });
        if is_over || error.is::<Cut>() {
            return error;
        }
        // Nobody has asked for its end yet, and whoever does so now wants just that.
        match self.kill(running, 1).await {
            Ok(()) => error,
            Err(left) if left.is::<Interrupted>() => left,
            Err(left) => anyhow::anyhow!("{error}; {left}"),
        }
    }

    /// Kills the guest's program, unless the user does not want to wait for that, which one signal more than those that
    /// are `expected` says.
    async fn kill(&mut self, running: &mut Running, mut expected: u32) -> anyhow::Result<()> {
        let left = format!(
            "the guest's program runs on, and what it writes from now on is lost; to wait for its end: qga attach {} {}",
            self.guest,
            running.token()
        );
        let killing = timeout(KILL_TIME, running.kill());
        tokio::pin!(killing);
        let killed = loop {
            tokio::select! {
                killed = &mut killing => break killed,
                signal = self.signals.next() => match expected.checked_sub(1) {
                    Some(left) => expected = left,
                    None => return Err(Interrupted { signal, words: left }.into()),
                },
            }
        };
        match killed {
            // It has ended by itself, or with the agent.
            Ok(Ok(()) | Err(GuestError::ResultLost { .. })) => Ok(()),
            Ok(Err(error)) if error.is_agent_gone() => Ok(()),
            Ok(Err(error)) => Err(anyhow::anyhow!("it cannot be killed: {error}; {left}")),
            Err(_) => Err(anyhow::anyhow!("it was not seen to die; {left}")),
        }
    }
}

/// Starts it so that its output can be read meanwhile, where the guest can do that.
async fn start(command: &Command, detail: &dyn Fn(&str)) -> Result<Running, GuestError> {
    match command.spawn().await {
        Ok(child) => Ok(Running::Streamed(Box::new(child))),
        Err(GuestError::Unsupported(why)) => {
            detail(&format!("the output comes at the end: {why}"));
            let started = command.start().await;
            started.map(|process| Running::Captured(Box::new(process)))
        }
        Err(error) => Err(error),
    }
}

/// The agent has kept only a part of the output.
#[derive(Debug)]
struct Cut(ExitStatus);

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.0;
        write!(
            f,
            "the agent has kept only the beginning of the output; the program has ended with {status}"
        )
    }
}

impl std::error::Error for Cut {}

impl Running {
    async fn pass_on<O, E>(&mut self, stdout: &mut O, stderr: &mut E) -> anyhow::Result<ExitStatus>
    where
        O: AsyncWrite + Unpin,
        E: AsyncWrite + Unpin,
    {
        match self {
            Self::Streamed(child) => child.copy_output(stdout, stderr).await.map_err(unwrapped),
            Self::Captured(process) => {
                let output = process.wait().await?;
                print(&output, stdout, stderr).await
            }
        }
    }

    fn token(&self) -> ProcessToken {
        match self {
            Self::Streamed(child) => child.token(),
            Self::Captured(process) => process.token(),
        }
    }

    /// Kills it and waits for its end.
    async fn kill(&mut self) -> Result<(), GuestError> {
        match self {
            Self::Streamed(child) => {
                child.kill().await?;
                child.wait().await.map(drop)
            }
            Self::Captured(process) => {
                process.kill().await?;
                process.wait().await.map(drop)
            }
        }
    }
}

/// Prints the captured output of a program. It is an error if there was more than that.
pub(crate) async fn print<O, E>(
    output: &Output,
    stdout: &mut O,
    stderr: &mut E,
) -> anyhow::Result<ExitStatus>
where
    O: AsyncWrite + Unpin,
    E: AsyncWrite + Unpin,
{
    stdout.write_all(&output.stdout).await?;
    stdout.flush().await?;
    stderr.write_all(&output.stderr).await?;
    stderr.flush().await?;
    if output.truncated {
        return Err(Cut(output.status).into());
    }
    Ok(output.status)
}

/// The guest's error, if it is one.
fn unwrapped(error: io::Error) -> anyhow::Error {
    match error.downcast::<GuestError>() {
        Ok(error) => error.into(),
        Err(error) => error.into(),
    }
}
