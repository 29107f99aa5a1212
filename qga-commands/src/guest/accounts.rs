//! Setting the passwords of the guest's users, and listing who is logged in.
//!
//! ```no_run
//! # use qga_commands::{Guest, GuestError};
//! # async fn example(guest: Guest, password: String) -> Result<(), GuestError> {
//! guest.set_password("root", password).await?;
//! for login in guest.users().await? {
//!     println!("{} since {:?}", login.user, login.logged_in_at());
//! }
//! # Ok(())
//! # }
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64_simd::STANDARD;
use qga_core::{Error, QgaCommand};

use super::{Guest, GuestError};
use crate::Secret;
use crate::commands::user::{GetUsers, GuestUser, SetUserPassword};

impl Guest {
    /// Sets the password of an existing user.
    ///
    /// Since QEMU 2.3, on Linux and Windows.
    ///
    /// # Errors
    ///
    /// [`GuestError::InvalidInput`] if the password contains a line break or a NUL, or if the user's name is empty or
    /// contains one of these or a colon. Nothing is sent then, since the agent would refuse it or set only a part of the
    /// password. Otherwise as [`execute`](Self::execute). No error shows the password: if the agent's message contains
    /// it, the message is [withheld](GuestError::Withheld).
    ///
    /// # Cancel safety
    ///
    /// The password may have been set. Setting it again does no harm.
    pub async fn set_password(
        &self,
        user: &str,
        password: impl Into<Secret>,
    ) -> Result<(), GuestError> {
        self.send_password(user, password.into(), false).await
    }

    /// Sets the password of an existing user by its hash, in the form that `/etc/shadow` has. Not in Windows.
    ///
    /// Since QEMU 2.3.
    ///
    /// # Errors
    ///
    /// As [`set_password`](Self::set_password). [`GuestError::InvalidInput`] also if the hash is empty, which would let
    /// anybody in, or contains a colon.
    ///
    /// # Cancel safety
    ///
    /// As [`set_password`](Self::set_password).
    pub async fn set_password_hash(
        &self,
        user: &str,
        hash: impl Into<Secret>,
    ) -> Result<(), GuestError> {
        let hash = hash.into();
        if hash.expose().is_empty() || hash.expose().contains(&b':') {
            let text = "a password's hash is empty or has a colon";
            return Err(GuestError::InvalidInput(text.into()));
        }
        self.send_password(user, hash, true).await
    }

    /// The users who are logged in, each once, sorted by name.
    ///
    /// Since QEMU 2.10.
    ///
    /// # Errors
    ///
    /// As [`execute`](Self::execute).
    ///
    /// # Cancel safety
    ///
    /// As [`execute`](Self::execute); nothing is changed in the guest.
    pub async fn users(&self) -> Result<Vec<GuestUser>, GuestError> {
        let mut users = self.execute(GetUsers).await?;
        users.sort_by(|a, b| a.user.cmp(&b.user));
        Ok(users)
    }

    async fn send_password(
        &self,
        user: &str,
        password: Secret,
        crypted: bool,
    ) -> Result<(), GuestError> {
        check(user, &password)?;
        let command = SetUserPassword::new(user, password.clone(), crypted);
        let sent = self.execute(command).await;
        sent.map(drop).map_err(|error| withhold(error, &password))
    }
}

impl GuestUser {
    /// When the user has logged in, the earliest time if there are several. `None` if this host's clock cannot represent
    /// that time.
    #[must_use]
    pub fn logged_in_at(&self) -> Option<SystemTime> {
        let distance = Duration::try_from_secs_f64(self.login_time.abs()).ok()?;
        if self.login_time < 0.0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        }
    }
}

/// The agent refuses some of these, and takes a NUL for the password's end.
fn check(user: &str, password: &Secret) -> Result<(), GuestError> {
    if user.is_empty() || user.contains([':', '\n', '\r', '\0']) {
        let text = "a user's name is empty or has a colon, a line break or a NUL";
        return Err(GuestError::InvalidInput(text.into()));
    }
    let forbidden = |byte| matches!(byte, b'\n' | b'\r' | 0);
    if password.expose().iter().copied().any(forbidden) {
        let text = "a password has a line break or a NUL";
        return Err(GuestError::InvalidInput(text.into()));
    }
    Ok(())
}

/// A guest's tool may print the line that it was given.
fn withhold(error: GuestError, password: &Secret) -> GuestError {
    let GuestError::Command(error) = error else {
        return error;
    };
    if is_in(password, &error) {
        let (command, execution) = (SetUserPassword::NAME, error.execution());
        return GuestError::Withheld { command, execution };
    }
    GuestError::Command(error)
}

fn is_in(password: &Secret, error: &Error) -> bool {
    let Some(said) = error.agent_error() else {
        return false;
    };
    let plain = String::from_utf8_lossy(password.expose());
    let encoded = STANDARD.encode_to_string(password.expose());
    // What is not UTF-8 is replaced in the guest too, and not in the same way.
    let pieces = plain.split('\u{fffd}').chain([encoded.as_str()]);
    let mut pieces = pieces.filter(|piece| !piece.is_empty());
    pieces.any(|piece| said.desc.contains(piece) || said.class.contains(piece))
}
