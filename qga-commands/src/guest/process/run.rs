//! Running a program to its end, or only starting it.

use std::time::Duration;

use tokio::time::{self, Instant};

use super::captured::Captured;
use super::command::check_for_shell;
use super::kill::KILL_TIME;
use super::kill_on_drop::KillOnDrop;
use super::output_files::{self, OutputFiles};
use super::reader::Source;
use super::{Child, Command, ExitStatus, KillOutcome, Output, Process, ProcessToken};
use crate::commands::exec::Exec;
use crate::guest::GuestError;
use crate::limits;

impl Command {
    /// Runs the program to its end and captures its output.
    ///
    /// # Errors
    ///
    /// - [`GuestError::Command`] when the program cannot be started. If the reply was lost, it may have been started:
    ///   see [`execution`](GuestError::execution).
    /// - [`GuestError::Wait`] and [`GuestError::ResultLost`] when its end cannot be learned.
    /// - [`GuestError::TimedOut`] when it does not end in time.
    ///
    /// It is no error if the program itself fails: see [`Output::status`].
    ///
    /// # Cancel safety
    ///
    /// If the program was started, it is left running and nobody knows its number, unless it is to be
    /// [killed](Self::kill_on_drop). To keep the number, [`start`](Self::start) the program and drop only the waiting.
    pub async fn output(&self) -> Result<Output, GuestError> {
        self.run(true).await
    }

    /// Runs the program to its end. Its output is lost.
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

    /// Starts the program and captures its output, which [`Process::wait`] returns. The program runs on when the
    /// [`Process`] is dropped.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if a [timeout](Self::timeout) or [`kill_on_drop`](Self::kill_on_drop) is set,
    /// which would have no effect. Otherwise when it cannot be started. If the reply is lost, it may have been:
    /// [`execution`](GuestError::execution) tells.
    ///
    /// # Cancel safety
    ///
    /// The program may have been started, and nobody knows its number.
    pub async fn start(&self) -> Result<Process, GuestError> {
        self.refuse_ending()?;
        self.exec()?;
        // It is made to last, so it must be known whose it is.
        self.guest.get_acquainted().await;
        self.launch_captured().await?.into_process()
    }

    /// Starts the program and lets go of it. [`Guest::attach`](crate::Guest::attach) finds it again by the token, also from another program.
    ///
    /// The agent captures the output on any channel. Where the channel does not carry all of it at the end, whoever
    /// attaches fails with [`GuestError::ResultLost`] instead of being told a part.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let agent = qga_testserver::TestAgent::start().await;
    /// # let guest = qga_commands::Guest::connect(agent.address()).await?;
    /// # agent.program("backup").stdout("42 files").exit(0);
    /// let token = guest.command("backup").arg("/srv").detach().await?;
    /// let kept = token.to_string();
    /// // Later:
    /// let output = guest.attach(&kept.parse()?).await?.wait().await?;
    /// assert_eq!(output.stdout_lossy(), "42 files");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    ///
    /// # Cancel safety
    ///
    /// The program may have been started, and nobody knows its number.
    pub async fn detach(&self) -> Result<ProcessToken, GuestError> {
        self.refuse_ending()?;
        let exec = self.exec()?.capture_output(true);
        self.guest.get_acquainted().await;
        let started = self.launch(exec, false).await?;
        Ok(started.into_process()?.token())
    }

    /// Starts the program as it is. What it prints must be short.
    pub(super) async fn start_unknown(&self) -> Result<Process, GuestError> {
        let exec = self.exec()?.capture_output(true);
        self.launch(exec, false).await?.into_process()
    }

    /// Starts the program, and lets its output be read while it runs, without a limit.
    ///
    /// An agent gives output only after the end, so the program writes to two files that are read
    /// while it runs. In the guest this needs a shell at `/bin/sh`, its `mkdir`, and room in `/var/tmp`
    /// (or `/tmp`, if that fails) for **all** that the program writes until it has ended. The files
    /// are open to nobody else and have no name any more when the program begins, so nothing is
    /// left over even if this host dies. A guest with Windows has no such shell, and neither have some small ones;
    /// there, use [`output`](Self::output) or [`start`](Self::start).
    ///
    /// What differs from pipes:
    ///
    /// - A program that is not found is no error: its exit code is 127, and the shell says so in
    ///   standard error.
    /// - The program never has to wait for its reader.
    /// - A shell's `> /dev/stderr` empties the file, and what was not read yet is lost; `>&2` does not.
    /// - A stream ends when the program has ended and all is read that was written by then. What
    ///   children write that live on is lost from there.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if a [timeout](Self::timeout) is set, which would have no effect. Otherwise when
    /// it cannot be started: [`GuestError::NoOutputFiles`] where the guest has no place for the
    /// files, [`GuestError::Unsupported`] where it has no shell. If the reply to the start is lost, the program
    /// may have been started: [`execution`](GuestError::execution) tells.
    ///
    /// # Cancel safety
    ///
    /// The program may have been started. The files are removed in the background; the program is
    /// killed if it is [to be](Self::kill_on_drop).
    pub async fn spawn(&self) -> Result<Child, GuestError> {
        self.refuse_timeout()?;
        self.check()?;
        let words = self.words()?;
        check_for_shell(&words)?;
        // What is too long is told before anything was done.
        self.request(output_files::run("", words.clone()))?;
        let files = OutputFiles::make(&self.guest).await?;
        let (process, stdout, stderr) = self.launch_into(files, words).await?;
        Ok(Child::new(
            process.into_process()?,
            stdout,
            stderr,
            self.kill,
        ))
    }

    /// Starts the program so that it writes into these files.
    async fn launch_into(
        &self,
        files: OutputFiles,
        words: Vec<String>,
    ) -> Result<(KillOnDrop, Source, Source), GuestError> {
        self.guest.get_acquainted().await;
        let (stdout, stderr) = files.open().await?;
        let exec = self.request(output_files::run(files.path(), words))?;
        let exec = exec.capture_output(false);
        let process = self.launch(exec, self.kill).await?;
        files.removes_itself();
        Ok((process, stdout, stderr))
    }

    /// Starts the program and captures its output: in files, where the reply that tells the end might not be carried
    /// with all of it.
    async fn launch_captured(&self) -> Result<KillOnDrop, GuestError> {
        let exec = self.exec()?.capture_output(true);
        if limits::carries_output(self.guest.client()).await {
            return self.launch(exec, self.kill).await;
        }
        let words = self.words()?;
        check_for_shell(&words)?;
        self.request(output_files::run("", words.clone()))?;
        match OutputFiles::make(&self.guest).await {
            Ok(files) => {
                let (mut process, stdout, stderr) = self.launch_into(files, words).await?;
                process.writes_into(Captured::new(stdout, stderr));
                Ok(process)
            }
            // There is no shell that could write into files.
            Err(GuestError::Unsupported(_)) => self.launch(exec, self.kill).await,
            Err(error) => Err(error),
        }
    }

    /// What is to run on can be ended neither by a timeout nor by a drop.
    fn refuse_ending(&self) -> Result<(), GuestError> {
        self.refuse_timeout()?;
        if !self.kill {
            return Ok(());
        }
        let text = "a program that is started runs on when its process is dropped: leave out `kill_on_drop`, or use \
                    `spawn`, `output` or `status`";
        Err(GuestError::InvalidInput(text.into()))
    }

    /// A timeout would be ignored by what does not wait for the program's end.
    fn refuse_timeout(&self) -> Result<(), GuestError> {
        if self.timeout.is_none() {
            return Ok(());
        }
        let text = "a timeout is for `output` and `status`, which wait for the program's end: leave it out, and put \
                    `tokio::time::timeout` around the waiting";
        Err(GuestError::InvalidInput(text.into()))
    }

    async fn launch(&self, exec: Exec, kill: bool) -> Result<KillOnDrop, GuestError> {
        match KillOnDrop::start(&self.guest, exec, kill).await {
            Err(GuestError::Command(error)) if self.needs_another_program() => {
                let why = "neither the folder of a program in Windows can be set nor a variable beside the agent's own";
                let why = GuestError::Unsupported(why);
                let error = GuestError::Command(error);
                Err(output_files::explain(&self.guest, error, why).await)
            }
            started => started,
        }
    }

    /// Whether it is a shell or `env` that the agent starts.
    fn needs_another_program(&self) -> bool {
        self.current_dir.is_some() || (!self.env_clear && !self.env.is_empty())
    }

    async fn run(&self, capture: bool) -> Result<Output, GuestError> {
        let start = Instant::now();
        let exec = self.exec()?;
        let starting = async {
            if capture {
                Box::pin(self.launch_captured()).await
            } else {
                self.launch(exec.capture_output(false), self.kill).await
            }
        };
        let Some((timeout, end)) = self
            .timeout
            .and_then(|timeout| Some((timeout, start.checked_add(timeout)?)))
        else {
            return starting.await?.wait().await;
        };
        let Ok(started) = time::timeout_at(end, starting).await else {
            let kill = if self.kill {
                KillOutcome::Unconfirmed
            } else {
                KillOutcome::NotAsked
            };
            return Err(self.late(None, timeout, kill, None));
        };
        let mut process = started?;
        let pid = process.pid();
        match time::timeout_at(end, process.wait()).await {
            Ok(result) => result,
            Err(_) if self.kill => self.kill_late(process, timeout).await,
            Err(_) => Err(self.late(pid, timeout, KillOutcome::NotAsked, None)),
        }
    }

    /// Kills a program that did not end in time, unless it just has.
    async fn kill_late(
        &self,
        mut process: KillOnDrop,
        timeout: Duration,
    ) -> Result<Output, GuestError> {
        let pid = process.pid();
        match time::timeout(KILL_TIME, process.kill()).await {
            Ok(Ok(Ok(output))) => Ok(output),
            Ok(Ok(Err(output))) => {
                Err(self.late(pid, timeout, KillOutcome::Killed, Some(Box::new(output))))
            }
            Ok(Err(_)) | Err(_) => Err(self.late(pid, timeout, KillOutcome::Unconfirmed, None)),
        }
    }

    fn late(
        &self,
        pid: Option<i64>,
        timeout: Duration,
        kill: KillOutcome,
        output: Option<Box<Output>>,
    ) -> GuestError {
        GuestError::TimedOut {
            program: self.program.clone(),
            pid,
            timeout,
            kill,
            output,
        }
    }
}
