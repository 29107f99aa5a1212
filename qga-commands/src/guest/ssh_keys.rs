//! The public keys with which a user of the guest may log in over SSH.
//!
//! ```no_run
//! # async fn example(guest: qga_commands::Guest) -> Result<(), Box<dyn std::error::Error>> {
//! let keys = guest.ssh_keys("root");
//! keys.add([std::fs::read_to_string("/home/me/.ssh/id_ed25519.pub")?]).await?;
//! for key in keys.list().await? {
//!     println!("{key}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The agent keeps the keys where `sshd` looks for them by default: in `.ssh/authorized_keys` of the user's home. For
//! administrators in Windows, that is a file which all of them share.
//!
//! Since QEMU 5.2, and in Windows since 9.1.

use base64_simd::STANDARD;

use super::{Guest, GuestError};
use crate::commands::ssh::{SshAddAuthorizedKeys, SshGetAuthorizedKeys, SshRemoveAuthorizedKeys};

/// The SSH keys of one user, from [`Guest::ssh_keys`].
///
/// A key is one line, as in a `.pub` file: type, key and comment, which options may precede. Blanks and line breaks around
/// it are removed. A text that is no key is [refused](GuestError::InvalidInput) before anything is sent.
#[derive(Clone, Debug)]
#[must_use = "nothing is done until `list`, `add`, `remove` or `replace` is called"]
pub struct SshKeys {
    guest: Guest,
    user: String,
}

impl Guest {
    /// The SSH keys of a user. Nothing is sent to the guest yet.
    pub fn ssh_keys(&self, user: impl Into<String>) -> SshKeys {
        SshKeys {
            guest: self.clone(),
            user: user.into(),
        }
    }
}

impl SshKeys {
    /// The user's keys in the order of the file, without comments and blank lines. The list is empty if there is no
    /// file.
    ///
    /// # Errors
    ///
    /// As [`Guest::execute`]. A file that does not exist is also an error if the agent says so in another language than
    /// English.
    ///
    /// # Cancel safety
    ///
    /// As [`Guest::execute`]; nothing is changed in the guest.
    pub async fn list(&self) -> Result<Vec<String>, GuestError> {
        let listed = SshGetAuthorizedKeys::new(&self.user);
        match self.guest.execute(listed).await {
            // The agent tells the last line first.
            Ok(listed) => Ok(listed.keys.into_iter().rev().collect()),
            Err(error) if is_no_file(&error) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Adds keys with which the user can log in. A line that is in the file already is not added again.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if one of them is no public key; nothing is sent then. Otherwise as
    /// [`Guest::execute`].
    ///
    /// # Cancel safety
    ///
    /// Either all of them were added, or none. Adding them again does no harm.
    pub async fn add(
        &self,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), GuestError> {
        let add = SshAddAuthorizedKeys::new(&self.user, checked(keys)?);
        self.guest.execute(add).await.map(drop)
    }

    /// Replaces the user's keys by these. Everything else in the file is lost, comments too. If there are none, the user
    /// can no longer log in with a key.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    ///
    /// # Cancel safety
    ///
    /// Either all of them were replaced, or none. Replacing them again does no harm.
    pub async fn replace(
        &self,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), GuestError> {
        let replace = SshAddAuthorizedKeys::new(&self.user, checked(keys)?).reset(true);
        self.guest.execute(replace).await.map(drop)
    }

    /// Removes keys of the user. A key is found by its whole line, with options and comment, as
    /// [`list`](Self::list) returns it. Keys that are not there are passed over.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), but any text that may be a line of the file is accepted, also one that is no key.
    ///
    /// # Cancel safety
    ///
    /// Either all of them were removed, or none. Removing them again does no harm.
    pub async fn remove(
        &self,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<(), GuestError> {
        let remove = SshRemoveAuthorizedKeys::new(&self.user, lines(keys)?);
        self.guest.execute(remove).await.map(drop)
    }
}

/// By the agent's words alone: it has no other way to say it. Whatever is said otherwise stays an
/// error.
fn is_no_file(error: &GuestError) -> bool {
    let said = error.command_error().and_then(qga_core::Error::agent_error);
    said.is_some_and(|said| {
        said.desc.starts_with("failed to read '")
            && said.desc.ends_with("No such file or directory")
    })
}

fn checked(keys: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<String>, GuestError> {
    let lines = lines(keys)?;
    match lines.iter().position(|line| !has_key(line)) {
        None => Ok(lines),
        Some(index) => Err(no_key(index, "is no public key, or is cut")),
    }
}

/// What the agent takes for keys, each on a line of its own.
fn lines(keys: impl IntoIterator<Item = impl Into<String>>) -> Result<Vec<String>, GuestError> {
    let keys = keys.into_iter().enumerate();
    let lines = keys.map(|(index, key)| {
        let key: String = key.into();
        let line = key.trim();
        let fault = match line {
            "" => "is empty",
            _ if line.starts_with('#') => "is a comment",
            _ if line.contains(|c: char| c.is_control() && c != '\t') => {
                "has a line break or another control character"
            }
            _ => return Ok(line.to_owned()),
        };
        Err(no_key(index, fault))
    });
    lines.collect()
}

/// Which of the keys is none, from 1, and why.
fn no_key(index: usize, fault: &str) -> GuestError {
    let text = format!("SSH key number {} {fault}", index + 1);
    GuestError::InvalidInput(text.into())
}

/// Whether somewhere a key follows its type. There may be options before, with blanks in quotes.
fn has_key(line: &str) -> bool {
    let types = line.split_ascii_whitespace();
    let keys = line.split_ascii_whitespace().skip(1);
    types.zip(keys).any(|(name, key)| is_key(name, key))
}

/// Whatever the type, a key begins with its name, and before that with the name's length.
fn is_key(name: &str, key: &str) -> bool {
    let Ok(bytes) = STANDARD.decode_to_vec(key) else {
        return false;
    };
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    usize::try_from(u32::from_be_bytes(*length)) == Ok(name.len())
        && rest.starts_with(name.as_bytes())
        && rest.len() > name.len()
}
