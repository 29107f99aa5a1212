use serde::{Deserialize, Serialize};

/// Somebody who is logged in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// Seconds since 1970, with a fraction.
    pub login_time: f64,
    /// The user's domain, which only Windows knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

impl Login {
    /// A user who is logged in since this time, in seconds since 1970.
    #[must_use]
    pub fn new(user: &str, login_time: f64) -> Self {
        Self {
            user: user.into(),
            login_time,
            domain: None,
        }
    }
}

/// A user of the guest. Its SSH keys are in the file `.ssh/authorized_keys` of its home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The user's folder.
    pub home: String,
    /// The password that was last set, if any was.
    pub password: Option<Password>,
}

/// A password as `guest-set-user-password` set it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Password {
    /// The password, or its hash.
    pub text: String,
    /// Whether it is the hash.
    pub crypted: bool,
}

impl Account {
    /// A user without a password.
    #[must_use]
    pub fn new(name: &str, home: &str) -> Self {
        Self {
            name: name.into(),
            home: home.into(),
            password: None,
        }
    }
}

impl Password {
    /// A password, or its hash if it is `crypted`.
    #[must_use]
    pub fn new(text: &str, crypted: bool) -> Self {
        Self {
            text: text.into(),
            crypted,
        }
    }
}
