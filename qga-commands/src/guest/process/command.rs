//! A program to be run.

use std::fmt;
use std::time::Duration;

use crate::guest::scripts::Script;
use crate::guest::{Guest, GuestError};

/// A program that is to be run in the guest. It is made by [`Guest::command`].
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
    pub(super) timeout: Option<Duration>,
    pub(super) kill: bool,
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
            timeout: None,
            kill: false,
        }
    }

    /// The program that runs a script once, with the shell of this name.
    pub(super) fn of_script(guest: &Guest, shell: &str, script: Script) -> Self {
        let mut command = guest.command(shell);
        command.args(["-c", script.text(), "first"]);
        command
    }

    /// Adds an argument. It is passed as it is, since no shell interprets it.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable, on top of the agent's environment, or of nothing after
    /// [`env_clear`](Self::env_clear).
    ///
    /// An agent can only replace the whole environment. So without `env_clear` the program is run through the guest's
    /// `env`, which Windows lacks. For a moment the variables are then part of a command line, which other users of the
    /// guest can see, and a program that is not found ends with the exit code 127. With `env_clear` none of this is so,
    /// and `PATH` is only what you set.
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

    /// Starts the program with an environment of only those variables that [`env`](Self::env) sets, before or after
    /// this call.
    pub fn env_clear(&mut self) -> &mut Self {
        self.env_clear = true;
        self
    }

    /// Sets the folder of the guest in which the program is run. Unless it is set, that is the agent's own, mostly `/`.
    ///
    /// An agent cannot do this, so the program is run through the guest's shell, which replaces itself with the program.
    /// Windows has no such shell, and the error is [`GuestError::Unsupported`]. If the folder cannot be entered, the exit
    /// code is 125; if the program is not found, it is 127. The shell then gives the reason on standard error. A relative
    /// path of the program, with a slash in it, starts at this folder.
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

    /// Sets what the program reads from its standard input, which is empty otherwise.
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
    /// the program included; there is no limit unless one is set. When the time is up, the program is left
    /// running, or [killed](Self::kill_on_drop), and the error is [`GuestError::TimedOut`].
    ///
    /// [`start`](Self::start) and [`spawn`](Self::spawn) do not wait for the program's end. With a timeout they
    /// fail with [`GuestError::InvalidInput`]; put `tokio::time::timeout` around the waiting instead.
    pub fn timeout(&mut self, timeout: Duration) -> &mut Self {
        self.timeout = Some(timeout);
        self
    }

    /// Whether to kill the program when nobody waits for its end any more: when the
    /// [timeout](Self::timeout) has passed, and when the future of [`output`](Self::output) or
    /// [`status`](Self::status), or a [`Child`](super::Child), is dropped. It is left running unless set.
    ///
    /// When the timeout has passed, killing may take another 10 seconds, and [`GuestError::TimedOut`] says
    /// whether it succeeded. After a drop a task does it in the background, for ten minutes at most where the
    /// channel is away (and after the thaw, where this client has frozen the guest), and nobody hears of a
    /// failure. Also a program whose start is under way is killed, as soon
    /// as the agent has told its number; a start that still waits for the channel is not called
    /// off, so the program may run for a moment.
    ///
    /// A program that is [started](Self::start) is meant to run on, so `start` fails with
    /// [`GuestError::InvalidInput`] where this is set.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill = kill;
        self
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
            .field("timeout", &self.timeout)
            .field("kill_on_drop", &self.kill)
            .finish_non_exhaustive()
    }
}
