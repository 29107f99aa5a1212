//! What carries bytes between a channel and an agent's socket.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::time::{Duration, sleep};

/// What makes this test's program a relay between its input and output and a socket, whose path follows.
const ARGUMENT: &str = "--relay";

/// The words of a shell that start a relay to a socket.
pub(crate) fn command(socket: &Path) -> String {
    let this = std::env::current_exe().unwrap();
    format!("{} {ARGUMENT} {}", this.display(), socket.display())
}

/// The relay, if this program was started as one.
pub(crate) fn main() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == ARGUMENT).then_some(())?;
    let path = arguments.next()?;
    let mut socket = match std::os::unix::net::UnixStream::connect(&path) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("cannot connect to {path}: {error}");
            return Some(ExitCode::FAILURE);
        }
    };
    let mut to_socket = socket.try_clone().unwrap();
    thread::spawn(move || {
        drop(io::copy(&mut io::stdin(), &mut to_socket));
        drop(to_socket.shutdown(std::net::Shutdown::Write));
    });
    let mut bytes = vec![0; 65536];
    while let Ok(count @ 1..) = socket.read(&mut bytes) {
        let mut output = io::stdout();
        if output
            .write_all(&bytes[..count])
            .and_then(|()| output.flush())
            .is_err()
        {
            break;
        }
    }
    Some(ExitCode::SUCCESS)
}

/// A pseudoterminal: its master, and the path of its other side.
pub(crate) fn pseudoterminal() -> (File, PathBuf) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = ptsname(&master, Vec::new()).unwrap();
    (
        File::from(master),
        PathBuf::from(path.into_string().unwrap()),
    )
}

/// Carries bytes between a pseudoterminal and a socket. As with a serial line, neither side sees whether the other one
/// is there.
pub(crate) async fn serial_line(master: File, target: PathBuf) {
    rustix::io::ioctl_fionbio(&master, true).unwrap();
    let reader = Receiver::from_file_unchecked(master.try_clone().unwrap()).unwrap();
    let mut writer = Sender::from_file_unchecked(master).unwrap();
    let (mut request, mut reply) = (vec![0; 65536], vec![0; 65536]);
    loop {
        let Ok(mut agent) = UnixStream::connect(&target).await else {
            sleep(Duration::from_millis(5)).await;
            continue;
        };
        loop {
            let (mut agent_reader, mut agent_writer) = agent.split();
            tokio::select! {
                read = read(&reader, &mut request) => match read {
                    Ok(count) => if agent_writer.write_all(&request[..count]).await.is_err() { break },
                    // Nobody has opened the other side.
                    Err(_) => sleep(Duration::from_millis(2)).await,
                },
                read = agent_reader.read(&mut reply) => match read {
                    Ok(count @ 1..) => drop(writer.write_all(&reply[..count]).await),
                    _ => break,
                },
            }
        }
        drop(agent.shutdown().await);
    }
}

/// Tokio takes a short read for the last one, which it is not from a terminal.
async fn read(reader: &Receiver, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        reader.readable().await?;
        match reader.try_io(|| Ok(rustix::io::read(reader, &mut *buffer)?)) {
            // Once the other side was closed, tokio takes it for readable forever.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                sleep(Duration::from_millis(1)).await;
            }
            read => return read,
        }
    }
}
