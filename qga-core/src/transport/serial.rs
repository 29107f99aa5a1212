//! Serial lines, pseudoterminals and virtio ports.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Result, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;
use rustix::termios::{self, ControlModes, OptionalActions, QueueSelector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::polled::PolledStream;
use crate::error::Reason;

/// The major number of `/dev/tty`, `/dev/console` and `/dev/ptmx`, which lead to this process's own terminal, or to a new
/// one.
const OWN_TERMINALS: u32 = 5;

pub(super) fn open(path: &Path) -> Result<AsyncDevice> {
    AsyncDevice::new(open_device(path)?)
}

pub(super) fn open_blocking(path: &Path) -> Result<PolledStream<Device>> {
    Ok(PolledStream::new(Device(open_device(path)?)))
}

/// Opens a device that nobody else may open who locks such devices, as terminal programs do. The kernel lifts the lock
/// when the last process ends that has it; the other way, `TIOCEXCL`, would outlive a killed one.
fn open_device(path: &Path) -> Result<File> {
    // What is no device might block, or act, on being opened.
    let found = std::fs::metadata(path)?;
    if !found.file_type().is_char_device() || rustix::fs::major(found.rdev()) == OWN_TERMINALS {
        return Err(no_terminal());
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags((OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed());
    let file = options
        .open(path)
        .map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::BUSY) => ErrorKind::ResourceBusy.into(),
            _ => error,
        })?;
    if termios::isatty(&file) {
        lock(&file)?;
        make_raw(&file)?;
    } else if is_virtio_port(&file)? {
        lock(&file)?;
    } else {
        return Err(no_terminal());
    }
    Ok(file)
}

fn lock(file: &File) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Lifts the lock at once. Closing alone does that only once no program that another thread is just starting has a copy
/// of the descriptor any more.
fn unlock(device: impl AsFd) {
    // There is nothing to be done about a failure.
    let _ = flock(device, FlockOperation::Unlock);
}

/// Has every byte pass as it is, and forgets what came before.
fn make_raw(file: &File) -> Result<()> {
    let mut settings = termios::tcgetattr(file)?;
    settings.make_raw();
    settings.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    termios::tcsetattr(file, OptionalActions::Now, &settings)?;
    termios::tcflush(file, QueueSelector::IOFlush)?;
    Ok(())
}

fn is_virtio_port(file: &File) -> Result<bool> {
    let number = file.metadata()?.rdev();
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    let subsystem = std::fs::read_link(format!("/sys/dev/char/{major}:{minor}/subsystem"));
    Ok(subsystem.is_ok_and(|path| path.ends_with("virtio-ports")))
}

fn no_terminal() -> io::Error {
    Reason::error(
        ErrorKind::InvalidInput,
        "what is at this path is neither a terminal nor a virtio port",
    )
}

/// A pseudoterminal says by this error that its other side is closed.
fn is_end(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::IO)
}

/// A device, for tokio, which has no type for one: of what it has for the ends of a pipe, only that is used which tells
/// when something can be read or written. Its own reads take a short one for the last one, which it is not here.
pub(super) struct AsyncDevice {
    readable: Receiver,
    writable: Sender,
}

impl AsyncDevice {
    fn new(file: File) -> Result<Self> {
        Ok(Self {
            readable: Receiver::from_file_unchecked(file.try_clone()?)?,
            writable: Sender::from_file_unchecked(file)?,
        })
    }
}

impl Drop for AsyncDevice {
    fn drop(&mut self) {
        unlock(&self.writable);
    }
}

impl AsyncRead for AsyncDevice {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        loop {
            ready!(self.readable.poll_read_ready(cx))?;
            let unfilled = buffer.initialize_unfilled();
            let read = || Ok(rustix::io::read(&self.readable, unfilled)?);
            match self.readable.try_io(read) {
                Ok(count) => buffer.advance(count),
                Err(error) if is_passing(&error) => continue,
                Err(error) if is_end(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for AsyncDevice {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        loop {
            ready!(self.writable.poll_write_ready(cx))?;
            let write = || Ok(rustix::io::write(&self.writable, bytes)?);
            match self.writable.try_io(write) {
                Err(error) if is_passing(&error) => {}
                written => return Poll::Ready(written),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Whether the same may succeed later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A device, for threads that wait.
pub(super) struct Device(File);

impl Drop for Device {
    fn drop(&mut self) {
        unlock(&self.0);
    }
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for &Device {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match (&self.0).read(buffer) {
            Err(error) if is_end(&error) => Ok(0),
            read => read,
        }
    }
}

impl Write for &Device {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        (&self.0).write(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// The side of a machine, which is to be kept, and the path of the other one.
    fn pseudoterminal() -> (std::os::fd::OwnedFd, std::path::PathBuf) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        (master, path.into_string().unwrap().into())
    }

    #[tokio::test]
    async fn a_device_is_free_though_a_program_that_just_starts_has_a_copy_of_it() {
        let (_master, path) = pseudoterminal();
        let device = Device(open_device(&path).unwrap());
        let _copy = device.0.try_clone().unwrap();
        open_device(&path).unwrap_err();
        drop(device);
        let device = open(&path).unwrap();
        let _copy = device.writable.as_fd().try_clone_to_owned().unwrap();
        open_device(&path).unwrap_err();
        drop(device);
        open_device(&path).unwrap();
    }
}
