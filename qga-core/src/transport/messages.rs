//! A transport that carries whole messages, such as libvirt's agent call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use super::MachineWatch;
use crate::error::{Execution, TransportError};

/// The future that [`MessageTransport::call`] returns.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, TransportError>> + Send + 'a>>;

/// A transport that carries a request as a whole and brings its reply, and so needs neither lines nor a
/// sync: libvirt's agent call is one.
///
/// The client numbers its requests and checks the number that comes back, if one does. It makes one call
/// at a time.
///
/// ```
/// use qga_core::{Answering, Client, MessageTransport, TransportError};
/// use serde_json::{Value, json};
/// use std::time::Instant;
///
/// /// An agent that answers everything with an empty object.
/// struct Yes;
///
/// impl MessageTransport for Yes {
///     fn call<'a>(&'a mut self, request: &'a [u8], _: Instant) -> Answering<'a> {
///         Box::pin(async move {
///             let request: Value = serde_json::from_slice(request).map_err(TransportError::other)?;
///             Ok(json!({"return": {}, "id": request["id"]}).to_string().into())
///         })
///     }
/// }
///
/// # #[derive(qga_core::QgaCommand)]
/// # #[qga(name = "guest-ping")]
/// # struct Ping;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), qga_core::Error> {
/// let client = Client::builder().build_messages(Yes);
/// client.execute(Ping).await?;
/// # Ok(())
/// # }
/// ```
pub trait MessageTransport: Send {
    /// The longest request and reply that it carries.
    fn limits(&self) -> TransportLimits {
        TransportLimits::default()
    }

    /// What tells what the host knows of the machine, where the transport can hear of it, as libvirt's can. A client that
    /// was told of [no other source](crate::ClientBuilder::machine) watches it [when it is asked](crate::Client::machine).
    fn machine(&self) -> Option<Arc<dyn MachineWatch>> {
        None
    }

    /// Whether the request of the latest call may have run, if the future of that call was dropped. Where a transport
    /// does not say that it has [not](Execution::NotRun), nobody knows.
    fn dropped_call(&self) -> Execution {
        Execution::MaybeRun
    }

    /// Sends one request, which is JSON without a newline, and returns its reply, by the deadline if possible.
    ///
    /// # Errors
    ///
    /// When no reply comes; the error says whether the request may have run.
    ///
    /// # Cancel safety
    ///
    /// The future may be dropped at any time. A reply that comes later must not be given to another call.
    fn call<'a>(&'a mut self, request: &'a [u8], deadline: Instant) -> Answering<'a>;
}

/// The longest request and the longest reply that a channel carries. A stream of bytes has no limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportLimits {
    /// In bytes; a longer request is not sent.
    pub request: Option<usize>,
    /// In bytes; what brings a longer reply runs, and its reply is lost.
    pub reply: Option<usize>,
}

impl TransportLimits {
    /// No limits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            request: None,
            reply: None,
        }
    }

    /// The longest request, in bytes.
    #[must_use]
    pub const fn request(mut self, bytes: usize) -> Self {
        self.request = Some(bytes);
        self
    }

    /// The longest reply, in bytes.
    #[must_use]
    pub const fn reply(mut self, bytes: usize) -> Self {
        self.reply = Some(bytes);
        self
    }
}
