//! A stream of bytes, or a transport of messages, of any kind.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncWrite};

use super::MessageTransport;

/// A stream of bytes of any kind.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

/// What carries requests to an agent.
pub(crate) enum Carrier {
    Bytes(Pin<Box<dyn Stream>>),
    Messages(Box<dyn MessageTransport>),
}

impl Carrier {
    pub(crate) fn bytes(stream: impl Stream + 'static) -> Self {
        Self::Bytes(Box::pin(stream))
    }

    pub(crate) fn messages(transport: impl MessageTransport + 'static) -> Self {
        Self::Messages(Box::new(transport))
    }
}
