//! Opening a connection to a daemon, wherever it is.

use std::io;

use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::connection::{self, Connection, Dialog, Listener, PATIENCE, Stream};
use crate::target::{Endpoint, Location};

/// A connection on which calls can be made.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    /// Of the daemon, once it was asked: 9.0.1 is `9_000_001`.
    pub(crate) version: OnceCell<u64>,
}

/// Opens a connection to a daemon, which many can use.
pub(crate) async fn dial(daemon: &Endpoint, listener: Option<Listener>) -> io::Result<Opened> {
    let opened = timeout(PATIENCE, open(daemon, listener)).await;
    opened.unwrap_or_else(|_| Err(daemon.says_nothing()))
}

async fn open(daemon: &Endpoint, listener: Option<Listener>) -> io::Result<Opened> {
    let connection = Connection::new(stream(daemon).await?, listener);
    let opened = connection::open(&connection, &daemon.driver()).await;
    opened.map_err(|error| not_let_in(daemon, &error))?;
    Ok(Opened {
        connection,
        version: OnceCell::new(),
    })
}

/// Opens a connection to a daemon for one user.
pub(crate) async fn dial_alone(daemon: &Endpoint) -> io::Result<Dialog> {
    let opening = async {
        let mut dialog = Dialog::new(stream(daemon).await?);
        let opened = connection::open(&mut dialog, &daemon.driver()).await;
        opened.map_err(|error| not_let_in(daemon, &error))?;
        Ok(dialog)
    };
    let opened = timeout(PATIENCE, opening).await;
    opened.unwrap_or_else(|_| Err(daemon.says_nothing()))
}

/// Opens a stream of bytes to a daemon.
async fn stream(daemon: &Endpoint) -> io::Result<Box<dyn Stream>> {
    match &daemon.location {
        Location::Here(socket) => {
            let mut socket = socket.clone().into_os_string();
            if daemon.is_read_only {
                socket.push("-ro");
            }
            let stream = UnixStream::connect(&socket).await;
            Ok(Box::new(
                stream.map_err(|error| not_connected(daemon, &error))?,
            ))
        }
        Location::Ssh(place) => {
            let stream = place.open(daemon.instance, daemon.is_read_only).await;
            let not_reached = |error: io::Error| {
                io::Error::new(error.kind(), format!("{daemon} cannot be reached: {error}"))
            };
            Ok(Box::new(stream.map_err(not_reached)?))
        }
    }
}

fn not_let_in(daemon: &Endpoint, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{daemon} has not let us in: {error}"))
}

fn not_connected(daemon: &Endpoint, error: &io::Error) -> io::Error {
    let words = match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no socket of {daemon}; is libvirt installed and running?")
        }
        io::ErrorKind::ConnectionRefused => {
            format!("nobody listens at the socket of {daemon}; has it stopped?")
        }
        io::ErrorKind::PermissionDenied => {
            format!("this user may not connect to {daemon}; is it in the group of that socket?")
        }
        _ => format!("{daemon} cannot be connected to: {error}"),
    };
    io::Error::new(error.kind(), words)
}
