//! A program to be run.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::kill::KILL_TIME;
use super::leash::Leash;
use super::{Child, ExitStatus, Kill, Output, Process, spool};
use crate::commands::exec::Exec;
use crate::guest::{Guest, GuestError};

/// A program to be run in the guest; made by [`Guest::command`].
#[derive(Clone)]
#[must_use = "nothing runs until `output`, `status`, `start` or `spawn` is called"]
pub struct Command {
    pub(super) guest: Guest,
    pub(super) program: String,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) env_clear: bool,
    pub(super) current_dir: Option<String>,
    pub(super) stdin: Option<Vec<u8>>,
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
            current_dir: None,
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
    ///
    /// With [`spawn`](Self::spawn) the variables of `env_clear` go through the guest's shell, which
    /// may add some of its own, such as `PWD`, and may leave out those whose names are no
    /// identifiers.
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

    /// The folder of the guest in which the program is run; the agent's own, mostly `/`, unless set.
    ///
    /// An agent knows no such thing, so the program is run through the guest's shell, which becomes the program;
    /// Windows has none, and answers [`GuestError::Unsupported`]. A folder that cannot be entered is the exit code
    /// 125, and a program that is not found 127; the shell says so in standard error. A program whose
    /// name has a slash and does not begin with one is looked for from there.
    ///
    /// ```no_run
    /// # async fn example(guest: qga_commands::Guest) -> Result<(), qga_commands::GuestError> {
    /// let built = guest.command("make").current_dir("/srv/site").output().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn current_dir(&mut self, folder: impl Into<String>) -> &mut Self {
        self.current_dir = Some(folder.into());
        self
    }

    /// What the program reads from its standard input; nothing unless set.
    ///
    /// It goes along with the request that starts the program, and an agent takes no request beyond
    /// 64 MiB, of which base64 leaves a little less than 48 MiB: more is
    /// [`GuestError::InvalidInput`], and so is more than the channel
    /// [carries](qga_core::Client::transport_limits). [Write](Guest::write) to a file what is longer.
    pub fn stdin(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long [`output`](Self::output) and [`status`](Self::status) may take in all, starting
    /// the program included. As long as it takes unless set. At the deadline the program is left
    /// running, or [killed](Self::kill_on_drop).
    pub fn deadline(&mut self, deadline: Duration) -> &mut Self {
        self.deadline = Some(deadline);
        self
    }

    /// Whether to kill the program when nobody waits for its end any more: when the
    /// [deadline](Self::deadline) has passed, and when the future of [`output`](Self::output) or
    /// [`status`](Self::status), or a [`Child`], is dropped. It is left running unless set.
    ///
    /// At the deadline killing may take another 10 seconds, and [`GuestError::Deadline`] says
    /// whether it succeeded. After a drop a task does it in the background, for ten minutes at most where the
    /// channel is away (and after the thaw, where this client has frozen the guest), and nobody hears of a
    /// failure. Also a program whose start is under way is killed, as soon
    /// as the agent has told its number; a start that still waits for the channel is not called
    /// off, so the program may run for a moment.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
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
    /// The program is left running if it was started, and nobody knows its number, unless it is to be
    /// [killed](Self::kill_on_drop). Or [`start`](Self::start) it and cancel the waiting.
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

    /// Starts the program, and captures what it writes for [`Process::wait`]. It runs on when the
    /// process is dropped; neither the deadline nor [`kill_on_drop`](Self::kill_on_drop) is for this.
    ///
    /// # Errors
    ///
    /// When it cannot be started. If the reply is lost, it may have been:
    /// [`execution`](GuestError::execution) tells.
    ///
    /// # Cancel safety
    ///
    /// The program may have been started, and nobody knows its number.
    pub async fn start(&self) -> Result<Process, GuestError> {
        self.exec()?;
        // It is made to last, so it must be known whose it is.
        self.guest.get_acquainted().await;
        self.start_unknown().await
    }

    /// Starts the program as it is.
    pub(super) async fn start_unknown(&self) -> Result<Process, GuestError> {
        let exec = self.exec()?.capture_output(true);
        self.launch(exec, false).await?.release()
    }

    /// Starts the program with its output to be read while it runs, without a limit.
    ///
    /// An agent gives output only after the end, so the program writes to two files that are read
    /// while it runs. In the guest this needs a shell at `/bin/sh`, its `mkdir`, and room in `/var/tmp`
    /// (or `/tmp`, if that fails) for **all** that the program writes until it has ended. The files
    /// are open to nobody else and have no name any more when the program begins, so nothing is
    /// left over even if this host dies. A guest with Windows has no such shell; there, use
    /// [`output`](Self::output) or [`start`](Self::start).
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
    /// The deadline is not for this.
    ///
    /// # Errors
    ///
    /// When it cannot be started: [`GuestError::SpoolFailed`] where the guest has no place for the
    /// files, [`GuestError::InvalidInput`] in Windows. If the reply to the start is lost, the program
    /// may have been started: [`execution`](GuestError::execution) tells.
    ///
    /// # Cancel safety
    ///
    /// The program may have been started. The files are removed in the background; the program is
    /// killed if it is [to be](Self::kill_on_drop).
    pub async fn spawn(&self) -> Result<Child, GuestError> {
        self.check()?;
        let words = self.words()?;
        check_for_shell(&words)?;
        // What is too long is told before anything was done.
        self.request(spool::run("", words.clone()))?;
        let spool = spool::Spool::make(&self.guest).await?;
        self.guest.get_acquainted().await;
        let (stdout, stderr) = spool.open().await?;
        let exec = self.request(spool::run(spool.path(), words))?;
        let exec = exec.capture_output(false);
        let leash = self.launch(exec, self.kill).await?;
        spool.removes_itself();
        Ok(Child::new(leash.release()?, stdout, stderr, self.kill))
    }

    async fn launch(&self, exec: Exec, kill: bool) -> Result<Leash, GuestError> {
        match Leash::start(&self.guest, exec, kill).await {
            Err(GuestError::Command(error)) if self.current_dir.is_some() => {
                let why = "the folder of a program in Windows cannot be set: there is no shell";
                let why = GuestError::Unsupported(why);
                Err(spool::explain(&self.guest, error, why).await)
            }
            started => started,
        }
    }

    async fn run(&self, capture: bool) -> Result<Output, GuestError> {
        let start = Instant::now();
        let exec = self.exec()?.capture_output(capture);
        let starting = self.launch(exec, self.kill);
        let Some((deadline, end)) = self
            .deadline
            .and_then(|deadline| Some((deadline, start.checked_add(deadline)?)))
        else {
            return starting.await?.wait().await;
        };
        let Ok(started) = timeout_at(end, starting).await else {
            let kill = if self.kill {
                Kill::Unconfirmed
            } else {
                Kill::NotAsked
            };
            return Err(self.late(None, deadline, kill, None));
        };
        let mut leash = started?;
        let pid = leash.pid();
        match timeout_at(end, leash.wait()).await {
            Ok(result) => result,
            Err(_) if self.kill => self.kill_late(leash, deadline).await,
            Err(_) => Err(self.late(pid, deadline, Kill::NotAsked, None)),
        }
    }

    /// Kills a program that did not end in time, unless it just has.
    async fn kill_late(&self, mut leash: Leash, deadline: Duration) -> Result<Output, GuestError> {
        let pid = leash.pid();
        match timeout(KILL_TIME, leash.end()).await {
            Ok(Ok(Ok(output))) => Ok(output),
            Ok(Ok(Err(output))) => {
                Err(self.late(pid, deadline, Kill::Killed, Some(Box::new(output))))
            }
            Ok(Err(_)) | Err(_) => Err(self.late(pid, deadline, Kill::Unconfirmed, None)),
        }
    }

    fn late(
        &self,
        pid: Option<i64>,
        deadline: Duration,
        kill: Kill,
        output: Option<Box<Output>>,
    ) -> GuestError {
        GuestError::Deadline {
            program: self.program.clone(),
            pid,
            deadline,
            kill,
            output,
        }
    }
}

/// Whether a shell can become this program.
pub(super) fn check_for_shell(words: &[String]) -> Result<(), GuestError> {
    match words.first() {
        Some(word) if word.starts_with('-') => Err(GuestError::InvalidInput(
            "the guest's shell would mistake this program for an option".into(),
        )),
        _ => Ok(()),
    }
}

/// Without what may be long or secret.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("args", &self.args.len())
            .field("env", &self.env.len())
            .field("env_clear", &self.env_clear)
            .field("current_dir", &self.current_dir)
            .field("stdin", &self.stdin.as_ref().map(Vec::len))
            .field("deadline", &self.deadline)
            .field("kill_on_drop", &self.kill)
            .finish_non_exhaustive()
    }
}
