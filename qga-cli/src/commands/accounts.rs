//! `qga passwd` and `qga ssh-key`.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use qga_commands::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use tokio::task::spawn_blocking;

use super::Context;
use crate::exit::Interrupted;
use crate::options::Target;
use crate::show;
use crate::signals::Signals;

#[derive(Debug, Args)]
#[command(after_help = "Example: pwgen 20 1 | qga passwd web1 root")]
pub(crate) struct Passwd {
    #[command(flatten)]
    target: Target,
    /// The user.
    user: String,
    /// What is given is the hash of a password, as in /etc/shadow.
    #[arg(long)]
    hash: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SshKey {
    #[command(subcommand)]
    what: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// List the keys of a user.
    Ls(Keys),
    /// Add keys: one a line on standard input, or from files.
    Add(KeyFiles),
    /// Remove keys: one a line on standard input, or from files.
    Rm(KeyFiles),
}

#[derive(Debug, Args)]
struct Keys {
    #[command(flatten)]
    target: Target,
    /// The user.
    user: String,
}

#[derive(Debug, Args)]
struct KeyFiles {
    #[command(flatten)]
    keys: Keys,
    /// Files with public keys, such as `~/.ssh/id_ed25519.pub`.
    files: Vec<String>,
}

impl Passwd {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        let guest = context.guest(&self.target.guest).await?;
        let secret = Secret::from(read_secret(&self.user).await?);
        if self.hash {
            guest.set_password_hash(&self.user, secret).await?;
        } else {
            guest.set_password(&self.user, secret).await?;
        }
        context.done()
    }
}

/// Reads a line that is not to be seen.
async fn read_secret(user: &str) -> anyhow::Result<String> {
    let line = if io::stdin().is_terminal() {
        // Whatever ends this program, what is typed afterwards is to be seen.
        let mut signals = Signals::listen()?;
        let echo = Echo::off()?;
        write!(io::stderr(), "New password of {}: ", show::visible(user))?;
        let line = tokio::select! {
            line = spawn_blocking(read_line) => line?,
            signal = signals.next() => {
                let words = "interrupted; the password is as it was".to_owned();
                Err(Interrupted { signal, words }.into())
            }
        };
        drop(echo);
        writeln!(io::stderr())?;
        line
    } else {
        read_line()
    };
    let line = line?;
    let secret = line.trim_end_matches(['\n', '\r']);
    anyhow::ensure!(!secret.is_empty(), "the password is empty");
    Ok(secret.to_owned())
}

fn read_line() -> anyhow::Result<String> {
    let mut line = String::new();
    let stdin = io::stdin();
    let read = stdin.lock().read_line(&mut line);
    read.context("standard input cannot be read")?;
    Ok(line)
}

/// A terminal that does not show what is typed, until this is dropped.
struct Echo(rustix::termios::Termios);

impl Echo {
    fn off() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        // There is nothing to be done about a failure.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

impl SshKey {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<()> {
        match self.what {
            KeyCommand::Ls(keys) => {
                let guest = context.guest(&keys.target.guest).await?;
                let found = guest.ssh_keys(keys.user).list().await?;
                if context.is_json() {
                    return show::json("keys", found);
                }
                show::lines(found)
            }
            KeyCommand::Add(files) => {
                let guest = context.guest(&files.keys.target.guest).await?;
                let keys = guest.ssh_keys(&files.keys.user);
                keys.add(files.read()?).await?;
                context.done()
            }
            KeyCommand::Rm(files) => {
                let guest = context.guest(&files.keys.target.guest).await?;
                let keys = guest.ssh_keys(&files.keys.user);
                keys.remove(files.read()?).await?;
                context.done()
            }
        }
    }
}

impl KeyFiles {
    /// The keys, without empty lines and comments.
    fn read(&self) -> anyhow::Result<Vec<String>> {
        let mut text = String::new();
        for path in &self.files {
            text +=
                &std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
            text.push('\n');
        }
        if self.files.is_empty() {
            text = io::read_to_string(io::stdin()).context("standard input cannot be read")?;
        }
        let lines = text.lines().map(str::trim);
        let keys: Vec<_> = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect();
        anyhow::ensure!(!keys.is_empty(), "there is no key");
        Ok(keys)
    }
}
