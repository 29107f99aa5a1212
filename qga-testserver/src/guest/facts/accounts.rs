use serde::{Deserialize, Serialize};

/// A user who is logged in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The time of the login, in seconds since 1970 with a fraction.
    pub login_time: f64,
    /// The user's domain, which only agents in Windows tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
}

impl Login {
    /// Makes a login at this time, in seconds since 1970.
    #[must_use]
    pub fn new(user: &str, login_time: f64) -> Self {
        Self {
            user: user.into(),
            login_time,
            domain: None,
        }
    }
}

/// A user who can log in. The SSH keys are in the file `.ssh/authorized_keys` below the user's home.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The user's home folder. It is there if it is `/root` or below `/home`, or if the test has made it. The user
    /// gets no SSH keys without it.
    pub home: String,
    /// The password that was set last, if one was set.
    pub password: Option<Password>,
}

/// A password that `guest-set-user-password` has set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Password {
    /// The password itself, or its hash.
    pub text: String,
    /// Whether the text is a hash.
    pub crypted: bool,
}

impl Account {
    /// Makes a user without a password.
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
    /// Makes a password from its text, or from its hash if it is `crypted`.
    #[must_use]
    pub fn new(text: &str, crypted: bool) -> Self {
        Self {
            text: text.into(),
            crypted,
        }
    }
}
