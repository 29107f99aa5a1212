//! The settings of a client.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use qga_core::parts;
use qga_core::{Address, AddressError, Error, ErrorKind, Execution, Stage};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Monitor, any_stream};
use crate::link::{Opener, Shared};
use crate::wire::limits::Limits;

/// Settings for a [`Monitor`]; [`Monitor::builder`] makes it.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it connects"]
pub struct MonitorBuilder {
    pub(super) timeout: Duration,
    connect_timeout: Duration,
    pub(super) kept_events: usize,
    limits: Limits,
}

impl MonitorBuilder {
    pub(super) fn new() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            kept_events: 1024,
            limits: Limits::DEFAULT,
        }
    }

    /// The time that each command has for all it does, connecting included; 30 seconds unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time for opening the stream, and then for the greeting and the consent; 5 seconds each unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How many events are kept for a subscriber who is slow; 1,024 unless set, and at least one. An event that has more
    /// than 64 KiB counts as missed.
    pub fn kept_events(mut self, events: usize) -> Self {
        self.kept_events = events;
        self
    }

    /// The longest reply that is taken, in bytes; 10 MiB unless set.
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Connects; see [`Monitor::connect`].
    ///
    /// # Errors
    ///
    /// As [`Monitor::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::connect`].
    pub async fn connect<A>(self, address: A) -> Result<Monitor, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let monitor = self.connect_lazy(address)?;
        monitor.connected().await?;
        Ok(monitor)
    }

    /// A client that connects with its first command, for a QEMU that may not be there yet.
    ///
    /// # Errors
    ///
    /// When the address cannot be read.
    pub fn connect_lazy<A>(self, address: A) -> Result<Monitor, Error>
    where
        A: TryInto<Address, Error: Into<AddressError>>,
    {
        let address = address.try_into().map_err(|error| {
            let kind = ErrorKind::Address(error.into());
            parts::error(Stage::Connect, Execution::NotRun, kind, None, None)
        })?;
        let text: Arc<str> = address.to_string().into();
        let address = Arc::new(address);
        let open: Opener = Arc::new(move || {
            let address = address.clone();
            Box::pin(async move { parts::open(&address).await })
        });
        Ok(self.make(Some(open), None, Some(text)))
    }

    /// Connects through a stream that `open` opens, and through another one each time that the connection is lost.
    ///
    /// # Errors
    ///
    /// As [`Monitor::connect`].
    ///
    /// # Cancel safety
    ///
    /// As [`Monitor::connect`].
    pub async fn connect_with<F, O, S>(self, open: F) -> Result<Monitor, Error>
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let open: Opener = Arc::new(move || {
            let opening = open();
            Box::pin(async move {
                opening.await.map(any_stream).map_err(|error| {
                    let kind = ErrorKind::Open(error);
                    parts::error(Stage::Connect, Execution::NotRun, kind, None, None)
                })
            })
        });
        let monitor = self.make(Some(open), None, None);
        monitor.connected().await?;
        Ok(monitor)
    }

    /// A client over a stream that is open already; see [`Monitor::new`].
    pub fn build(self, stream: impl AsyncRead + AsyncWrite + Send + 'static) -> Monitor {
        self.make(None, Some(any_stream(stream)), None)
    }

    fn make(
        self,
        opener: Option<Opener>,
        stream: Option<parts::ByteStream>,
        address: Option<Arc<str>>,
    ) -> Monitor {
        let shared = Shared::new(opener, stream, address, self.limits, self.connect_timeout);
        Monitor::over(shared, &self)
    }
}
