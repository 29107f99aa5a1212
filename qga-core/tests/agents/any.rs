//! The clients that the cases run with, behind one face.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use qga_core::{Client, Error, Options, QgaCommand, blocking};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use crate::carried::Carried;
use crate::channel::Way;
use crate::host::Host;

/// What is between a case and its agent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Driver {
    Tokio,
    Blocking,
    /// The client of tokio over a transport of whole messages.
    Messages,
}

pub(crate) const EVERY: &[Driver] = &[Driver::Tokio, Driver::Blocking, Driver::Messages];
pub(crate) const STREAMS: &[Driver] = &[Driver::Tokio, Driver::Blocking];
/// A future can be dropped, and a thread cannot.
pub(crate) const FUTURES: &[Driver] = &[Driver::Tokio, Driver::Messages];

impl Driver {
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Tokio => None,
            Self::Blocking => Some("blocking"),
            Self::Messages => Some("messages"),
        }
    }
}

#[derive(Clone)]
pub(crate) enum AnyClient {
    Tokio(Client),
    Blocking(blocking::Client),
}

/// What a case says of its client before it connects.
#[derive(Clone)]
pub(crate) struct Connecting {
    driver: Driver,
    ssh: Vec<String>,
    connect_timeout: Duration,
    options: Options,
}

impl Connecting {
    pub(crate) fn over(driver: Driver, way: &Way) -> Self {
        Self::by(driver, way.ssh.clone())
    }

    /// With these words in the place of `ssh`.
    pub(crate) fn by(driver: Driver, ssh: Vec<String>) -> Self {
        Self {
            driver,
            ssh,
            connect_timeout: Duration::from_secs(5),
            options: Options::new(),
        }
    }

    pub(crate) fn options(self, options: Options) -> Self {
        Self { options, ..self }
    }

    pub(crate) fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    pub(crate) async fn connect(self, address: &str) -> Result<AnyClient, Error> {
        match self.driver {
            Driver::Tokio => Ok(AnyClient::Tokio(self.builder().connect(address).await?)),
            Driver::Blocking => {
                let client = self.blocking_builder().connect(address)?;
                Ok(AnyClient::Blocking(client))
            }
            Driver::Messages => {
                let socket = address["unix:".len()..].to_owned();
                let open = move || Carried::open(socket.clone());
                let client = self.builder().connect_messages(open).await?;
                Ok(AnyClient::Tokio(client))
            }
        }
    }

    pub(crate) fn connect_lazy(self, address: &str) -> AnyClient {
        match self.driver {
            Driver::Blocking => {
                AnyClient::Blocking(self.blocking_builder().connect_lazy(address).unwrap())
            }
            Driver::Tokio => AnyClient::Tokio(self.builder().connect_lazy(address).unwrap()),
            Driver::Messages => panic!("a transport of messages is opened before its client"),
        }
    }

    fn builder(self) -> qga_core::ClientBuilder {
        Client::builder()
            .exec_scheme(true)
            .ssh(self.ssh)
            .connect_timeout(self.connect_timeout)
            .options(self.options)
    }

    fn blocking_builder(self) -> blocking::ClientBuilder {
        blocking::Client::builder()
            .exec_scheme(true)
            .ssh(self.ssh)
            .connect_timeout(self.connect_timeout)
            .options(self.options)
    }
}

impl AnyClient {
    /// A client over a stream that takes one byte at a time.
    pub(crate) async fn byte_by_byte(host: &Host) -> Self {
        if host.driver == Driver::Blocking {
            let stream = std::os::unix::net::UnixStream::connect(host.socket()).unwrap();
            return Self::Blocking(blocking::Client::new(ByteByByte(stream)));
        }
        let stream = UnixStream::connect(host.socket()).await.unwrap();
        Self::Tokio(Client::new(ByteByByte(stream)))
    }

    pub(crate) fn with_options(&self, set: impl FnOnce(Options) -> Options) -> Self {
        match self {
            Self::Tokio(client) => Self::Tokio(client.with_options(set(client.options()))),
            Self::Blocking(client) => Self::Blocking(client.with_options(set(client.options()))),
        }
    }

    pub(crate) async fn execute<C: QgaCommand>(&self, command: C) -> Result<C::Response, Error> {
        match self {
            Self::Tokio(client) => client.execute(command).await,
            Self::Blocking(client) => client.execute(command),
        }
    }

    pub(crate) async fn execute_raw(&self, name: &str, arguments: Value) -> Result<Value, Error> {
        match self {
            Self::Tokio(client) => client.execute_raw(name, arguments).await,
            Self::Blocking(client) => client.execute_raw(name, arguments),
        }
    }

    pub(crate) async fn sync(&self) -> Result<(), Error> {
        match self {
            Self::Tokio(client) => client.sync().await,
            Self::Blocking(client) => client.sync(),
        }
    }

    pub(crate) fn pipeline<I>(&self, commands: I, in_flight: usize) -> AnyPipeline<'_, I::IntoIter>
    where
        I: IntoIterator<Item: QgaCommand>,
    {
        match self {
            Self::Tokio(client) => {
                AnyPipeline::Tokio(client.pipeline(commands).in_flight(in_flight))
            }
            Self::Blocking(client) => {
                AnyPipeline::Blocking(client.pipeline(commands).in_flight(in_flight))
            }
        }
    }
}

pub(crate) enum AnyPipeline<'a, I: Iterator<Item: QgaCommand>> {
    Tokio(qga_core::Pipeline<I>),
    Blocking(blocking::Pipeline<'a, I>),
}

impl<I: Iterator<Item: QgaCommand>> AnyPipeline<'_, I> {
    pub(crate) async fn next(
        &mut self,
    ) -> Option<Result<<I::Item as QgaCommand>::Response, Error>> {
        match self {
            Self::Tokio(pipeline) => pipeline.next().await,
            Self::Blocking(pipeline) => pipeline.next(),
        }
    }
}

/// Writes one byte at a time, and in the blocking client reads so too.
struct ByteByByte<S>(S);

impl AsyncRead for ByteByByte<UnixStream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for ByteByByte<UnixStream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, &bytes[..1])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

impl Read for ByteByByte<std::os::unix::net::UnixStream> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

impl Write for ByteByByte<std::os::unix::net::UnixStream> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..1])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl blocking::Stream for ByteByByte<std::os::unix::net::UnixStream> {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        blocking::Stream::set_read_timeout(&self.0, timeout)
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        blocking::Stream::set_write_timeout(&self.0, timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking)
    }
}
