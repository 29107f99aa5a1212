//! What a command is: the trait that the derive implements.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A command of the guest agent: its name, its arguments, and the type of its reply.
///
/// Derive it:
///
/// ```
/// use qga_core::QgaCommand;
///
/// #[derive(serde::Deserialize)]
/// #[serde(rename_all = "kebab-case")]
/// struct HostName {
///     host_name: String,
/// }
///
/// #[derive(QgaCommand)]
/// #[qga(name = "guest-get-host-name", response = HostName)]
/// struct GetHostName;
///
/// assert_eq!(GetHostName::NAME, "guest-get-host-name");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a command of `{P}`",
    label = "this is not such a command",
    note = "write `#[derive(QgaCommand)] #[qga(name = \"guest-...\")]` above the type; one of another protocol than the guest agent's says `protocol = ...` too"
)]
pub trait QgaCommand<P = GuestAgent>: Send + Sync {
    /// The name on the wire, such as `guest-get-host-name`.
    const NAME: &'static str;

    /// When the agent answers this command. With [`Reply::OnErrorOnly`] the response is
    /// [`NoReply`].
    const REPLY: Reply = Reply::Always;

    /// Whether this command may be sent again after its reply was lost. The client itself does so as
    /// far as [`Options::retry`](crate::Options::retry) lets it.
    const RETRY: RetryClass = RetryClass::Never;

    /// What shows whether this command has run, where its reply was lost, such as `what
    /// guest-fsfreeze-status says`: it stands after the word "check" in the
    /// [error](crate::Error::check).
    const CHECK: Option<&'static str> = None;

    /// Whether what the agent sends is kept out of errors, because it may hold a secret. What the
    /// agent says of a failed command is still shown.
    const SECRET_REPLY: bool = false;

    /// What the agent's reply decodes into.
    ///
    /// A number that is whole is taken for an integer however the agent spells it: `1e3` and
    /// `1000.0` are 1000. Floats, `serde_json::Value` and `serde_json::value::RawValue` get it as it is
    /// spelt.
    type Response: DeserializeOwned + Send + 'static;

    /// The arguments; `None` leaves the key out of the request.
    fn arguments(&self) -> Option<impl Serialize>;

    /// The longest reply line this command expects, in bytes, where that is more than the
    /// [limit](crate::Options::reply_limit) of the client.
    fn reply_limit(&self) -> Option<usize> {
        None
    }

    /// The response of a command that is answered [only on failure](Reply::OnErrorOnly) and ended
    /// well; other commands have none.
    #[must_use]
    fn no_reply(how: NoReply) -> Option<Self::Response> {
        let _ = how;
        None
    }

    /// All that a client knows of this command beside its arguments.
    fn spec(&self) -> CommandSpec<'static> {
        CommandSpec {
            name: Cow::Borrowed(Self::NAME),
            reply: Self::REPLY,
            retry: Self::RETRY,
            check: Self::CHECK,
            secret: Self::SECRET_REPLY,
            reply_limit: self.reply_limit(),
        }
    }
}

/// The protocol of the guest agent, for which a [`QgaCommand`] is unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GuestAgent {}

/// What a client knows of a command beside its arguments; for one whose name is not known before the
/// program runs.
///
/// ```
/// use qga_core::{CommandSpec, Reply};
///
/// let shutdown = CommandSpec::new("guest-shutdown").reply(Reply::OnErrorOnly);
/// assert_eq!(shutdown.name(), "guest-shutdown");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSpec<'a> {
    pub(crate) name: Cow<'a, str>,
    pub(crate) reply: Reply,
    pub(crate) retry: RetryClass,
    pub(crate) check: Option<&'static str>,
    pub(crate) secret: bool,
    pub(crate) reply_limit: Option<usize>,
}

impl<'a> CommandSpec<'a> {
    /// A command that is always answered, is never sent twice and holds no secrets.
    pub fn new(name: impl Into<Cow<'a, str>>) -> Self {
        Self {
            name: name.into(),
            reply: Reply::Always,
            retry: RetryClass::Never,
            check: None,
            secret: false,
            reply_limit: None,
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the agent answers it; [always](Reply::Always) unless set.
    #[must_use]
    pub fn reply(mut self, reply: Reply) -> Self {
        self.reply = reply;
        self
    }

    /// Whether it may be sent again; [never](RetryClass::Never) unless set.
    #[must_use]
    pub fn retry(mut self, retry: RetryClass) -> Self {
        self.retry = retry;
        self
    }

    /// What shows whether it has run: see [`QgaCommand::CHECK`].
    #[must_use]
    pub fn check(mut self, check: &'static str) -> Self {
        self.check = Some(check);
        self
    }

    /// Whether what the agent sends is kept out of errors; not so unless set.
    #[must_use]
    pub fn secret(mut self, secret: bool) -> Self {
        self.secret = secret;
        self
    }

    /// The longest reply that it expects, in bytes, where that is more than the
    /// [limit](crate::Options::reply_limit) of the client.
    #[must_use]
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = Some(bytes);
        self
    }
}

impl<'a> From<&'a str> for CommandSpec<'a> {
    fn from(name: &'a str) -> Self {
        Self::new(name)
    }
}

impl<'a> From<&'a String> for CommandSpec<'a> {
    fn from(name: &'a String) -> Self {
        Self::new(name.as_str())
    }
}

impl From<String> for CommandSpec<'_> {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

#[diagnostic::do_not_recommend]
impl<P, C: QgaCommand<P>> QgaCommand<P> for &C {
    const NAME: &'static str = C::NAME;
    const REPLY: Reply = C::REPLY;
    const RETRY: RetryClass = C::RETRY;
    const CHECK: Option<&'static str> = C::CHECK;
    const SECRET_REPLY: bool = C::SECRET_REPLY;
    type Response = C::Response;

    fn arguments(&self) -> Option<impl Serialize> {
        C::arguments(self)
    }

    fn reply_limit(&self) -> Option<usize> {
        C::reply_limit(self)
    }

    fn no_reply(how: NoReply) -> Option<Self::Response> {
        C::no_reply(how)
    }
}

/// When the agent answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reply {
    /// On success and on failure.
    Always,
    /// Only on failure: shutdown and suspend. The command's response is [`NoReply`].
    OnErrorOnly,
}

/// Whether a command may be sent again when its reply was lost, and, as an
/// [option](crate::Options::retry), which commands a client sends again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryClass {
    /// Sending it twice could do its work twice.
    Never,
    /// Sending it twice is as good as once, after the channel was synchronized again.
    AfterResync,
    /// It only asks; it may be sent as often as one likes.
    Safe,
}

/// The empty object, which commands that return nothing answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Empty {}

/// How a command that is answered [only on failure](Reply::OnErrorOnly) ended without an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoReply {
    /// The channel closed, as it does when the guest powers off.
    Closed,
    /// No error came within the whole of the [grace](crate::Options::grace); the channel is still open.
    Silent,
    /// The agent did answer, with success. No agent of QEMU does this.
    Replied,
}
