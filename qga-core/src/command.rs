//! What a command is: the trait that the derive implements.

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
    message = "`{Self}` is not a guest agent command",
    label = "this is not a command",
    note = "write `#[derive(QgaCommand)] #[qga(name = \"guest-...\")]` above the type"
)]
pub trait QgaCommand: Send + Sync {
    /// The name on the wire, such as `guest-get-host-name`.
    const NAME: &'static str;

    /// When the agent answers this command. With [`Reply::OnErrorOnly`] the response is
    /// [`NoReply`].
    const REPLY: Reply = Reply::Always;

    /// Whether this command may be sent again after its reply was lost. The client itself does so as
    /// far as [`Options::retry`](crate::Options::retry) lets it.
    const RETRY: Retry = Retry::Never;

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
}

#[diagnostic::do_not_recommend]
impl<C: QgaCommand> QgaCommand for &C {
    const NAME: &'static str = C::NAME;
    const REPLY: Reply = C::REPLY;
    const RETRY: Retry = C::RETRY;
    const CHECK: Option<&'static str> = C::CHECK;
    const SECRET_REPLY: bool = C::SECRET_REPLY;
    type Response = C::Response;

    fn arguments(&self) -> Option<impl Serialize> {
        C::arguments(self)
    }

    fn reply_limit(&self) -> Option<usize> {
        C::reply_limit(self)
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
pub enum Retry {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
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
