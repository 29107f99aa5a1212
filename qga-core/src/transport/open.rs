//! Opening what an address names.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::vsock;
use super::{Address, ByteStream, Carrier, Inspector, MessageTransport, Programs, Schemes, tcp};
#[cfg(unix)]
use super::{child, serial, ssh, unix, vsock_proxy};
use crate::error::{AddressError, Error, ErrorKind, Execution, Reason, Stage};

/// A carrier that is being opened.
pub(crate) type Opening = Pin<Box<dyn Future<Output = io::Result<Carrier>> + Send>>;

/// How a channel is opened, each time anew.
#[derive(Clone)]
pub(crate) struct Endpoint {
    address: Option<Arc<Address>>,
    open: Arc<dyn Fn() -> Opening + Send + Sync>,
    inspector: Inspector,
}

/// How the addresses of a scheme are opened, given what stands behind its colon.
pub(crate) type Scheme = dyn Fn(String) -> Opening + Send + Sync;

impl Endpoint {
    /// Opens what an address names.
    pub(crate) fn new(
        address: Address,
        schemes: &Schemes<Scheme>,
        programs: &Programs,
    ) -> Result<Self, Error> {
        let address = Arc::new(address);
        let scheme = find_scheme(&address, schemes, programs)?;
        let kept = address.clone();
        let open: Arc<dyn Fn() -> Opening + Send + Sync> =
            if let (Address::Other { rest, .. }, Some(open)) = (&*address, scheme) {
                let rest = rest.clone();
                Arc::new(move || open(rest.clone()))
            } else {
                let programs = programs.clone();
                Arc::new(move || {
                    let (address, programs) = (address.clone(), programs.clone());
                    Box::pin(async move { open_stream(&address, &programs).await })
                })
            };
        Ok(Self {
            address: Some(kept),
            open,
            inspector: Inspector::default(),
        })
    }

    pub(crate) fn custom<F, O, S>(open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let open = Arc::new(move || bytes(open()));
        Self {
            address: None,
            open,
            inspector: Inspector::default(),
        }
    }

    pub(crate) fn messages<F, O, T>(open: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = io::Result<T>> + Send + 'static,
        T: MessageTransport + 'static,
    {
        let open = Arc::new(move || messages(open()));
        Self {
            address: None,
            open,
            inspector: Inspector::default(),
        }
    }

    /// Has somebody look at whatever it opens.
    pub(crate) fn inspected(mut self, inspector: Inspector) -> Self {
        self.inspector = inspector;
        self
    }

    pub(crate) fn address(&self) -> Option<&Arc<Address>> {
        self.address.as_ref()
    }

    /// Begins to open a stream.
    pub(crate) fn open(&self) -> Opening {
        (self.open)()
    }

    /// What has been opened, or why it could not be.
    pub(crate) fn opened(&self, opened: io::Result<Carrier>) -> Result<Carrier, Error> {
        let opened = opened.map(|carrier| self.inspector.attach(carrier));
        opened.map_err(|error| open_error(self.address().map(|address| &**address), error))
    }
}

pub(crate) fn bytes<O, S>(opening: O) -> Opening
where
    O: Future<Output = io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    Box::pin(async move { Ok(Carrier::bytes(opening.await?)) })
}

pub(crate) fn messages<O, T>(opening: O) -> Opening
where
    O: Future<Output = io::Result<T>> + Send + 'static,
    T: MessageTransport + 'static,
{
    Box::pin(async move { Ok(Carrier::messages(opening.await?)) })
}

/// What the builder was told of an address's scheme, if anything, or why it may not be opened.
pub(super) fn find_scheme<Open: ?Sized>(
    address: &Address,
    schemes: &Schemes<Open>,
    programs: &Programs,
) -> Result<Option<Arc<Open>>, Error> {
    let found = schemes.find(address).map_err(|error| {
        let error = connect_error(ErrorKind::Address(error)).permanent();
        error.with_address(Some(&text_of(address)))
    })?;
    if matches!(address, Address::Exec(_)) && !programs.exec {
        let error = Reason::error(
            io::ErrorKind::PermissionDenied,
            "this address runs a program on this host, which has to be allowed by `ClientBuilder::exec_scheme`",
        );
        let error = connect_error(ErrorKind::Open(error)).permanent();
        return Err(error.with_address(Some(&text_of(address))));
    }
    Ok(found)
}

/// Why a stream could not be opened, with what is known of its address.
pub(super) fn open_error(address: Option<&Address>, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::ResourceBusy {
        return connect_error(ErrorKind::Held { pid: None });
    }
    match address {
        Some(address) if is_no_socket(address) => connect_error(ErrorKind::NotASocket),
        Some(_) if never_opens(&error) => connect_error(ErrorKind::Open(error)).permanent(),
        Some(_) | None => connect_error(ErrorKind::Open(error)),
    }
}

pub(crate) fn connect_error(kind: ErrorKind) -> Error {
    Error::new(Stage::Connect, Execution::NotRun, kind)
}

/// Opens an address as a stream of bytes, for another protocol than the agent's.
pub(crate) async fn plain_stream(
    address: &Address,
    schemes: &Schemes<Scheme>,
    programs: &Programs,
) -> Result<ByteStream, Error> {
    find_scheme(address, schemes, programs)?;
    let opened = open_stream(address, programs).await;
    match opened.map_err(|error| open_error(Some(address), error))? {
        Carrier::Bytes(stream) => Ok(ByteStream::pinned(stream)),
        Carrier::Messages(_) => {
            let error = unsupported(address);
            Err(connect_error(ErrorKind::Open(error)).permanent())
        }
    }
}

#[cfg_attr(
    not(unix),
    allow(unused_variables, reason = "no other program opens a channel there")
)]
async fn open_stream(address: &Address, programs: &Programs) -> io::Result<Carrier> {
    match address {
        Address::Tcp(host_and_port) => Ok(Carrier::bytes(tcp::open(host_and_port).await?)),
        #[cfg(unix)]
        Address::Unix(path) => Ok(Carrier::bytes(unix::open(path).await?)),
        #[cfg(unix)]
        Address::Serial(path) => Ok(Carrier::bytes(serial::open(path)?)),
        #[cfg(any(target_os = "linux", target_os = "android"))]
        &Address::Vsock { cid, port } => Ok(Carrier::bytes(vsock::open(cid, port).await?)),
        #[cfg(unix)]
        Address::VsockProxy { path, port } => {
            Ok(Carrier::bytes(vsock_proxy::open(path, *port).await?))
        }
        #[cfg(unix)]
        Address::Exec(words) => Ok(Carrier::bytes(child::open(words)?)),
        #[cfg(unix)]
        Address::Ssh(address) => Ok(Carrier::bytes(
            ssh::open(address, &programs.ssh(), &[]).await?,
        )),
        #[allow(
            unreachable_patterns,
            reason = "one of them is reachable on some systems"
        )]
        _ => Err(unsupported(address)),
    }
}

/// Why nothing opens an address here.
pub(super) fn unsupported(address: &Address) -> io::Error {
    Reason::error(
        io::ErrorKind::Unsupported,
        format!(
            "addresses of the scheme `{}` cannot be opened on this system",
            address.scheme()
        ),
    )
}

/// Whether it is the address that is wrong, as a path is that is too long.
fn never_opens(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported
    )
}

/// Whether the path names something that is there and is no socket. Linux refuses the connection
/// either way.
#[cfg(unix)]
fn is_no_socket(address: &Address) -> bool {
    use std::os::unix::fs::FileTypeExt;
    match address {
        Address::Unix(path) | Address::VsockProxy { path, .. } => {
            std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
        }
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_no_socket(_: &Address) -> bool {
    false
}

pub(crate) fn text_of(address: &Address) -> Arc<str> {
    address.to_string().into()
}

pub(crate) fn read_address<A>(address: A) -> Result<Address, Error>
where
    A: TryInto<Address, Error: Into<AddressError>>,
{
    let address = address.try_into();
    address.map_err(|error| connect_error(ErrorKind::Address(error.into())))
}
