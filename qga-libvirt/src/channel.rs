//! A port of a domain as a stream of bytes.

use std::fmt;
use std::io::{self, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::{Dialog, nonsense};
use crate::target::ChannelTarget;
use crate::wire::packet::{HEADER, Header};
use crate::wire::stream::{Arrived, Sent};

mod closing;
mod open;
mod port;

use port::Port;

/// How many bytes one packet carries. The daemon keeps up to five packets that the guest has not read, and does not hear
/// this side after that: few large ones let it hear for longer.
const MOST_BYTES: usize = 1 << 20;

/// A port of a domain, which is a stream of bytes to whatever has it open in the guest.
///
/// [`open_channel`](crate::open_channel) opens it. It has a connection to the daemon of its own, and keeps no more than one
/// packet of 1 MiB in each direction, so that who writes waits while the guest does not read.
///
/// When it is dropped, the port is freed in the background for as long as the runtime runs. Whoever opens it next in this
/// process waits until that is done, which takes at most a few seconds. If the daemon has not heard of it within two seconds,
/// since the guest does not read, the port is opened by force on another connection and freed there; somebody else who
/// opens it in that very moment loses it too.
pub struct DomainChannel {
    dialog: Option<Dialog>,
    port: Port,
    stream: Stream,
}

/// What is known of the stream.
struct Stream {
    /// Of the call that opened it.
    serial: u32,
    /// The packet that is being read, and how far.
    packet: Vec<u8>,
    start: usize,
    has_finished: bool,
    end: Option<End>,
}

/// Why nothing more is read.
#[derive(Clone, Copy)]
enum End {
    /// The guest's side has gone.
    Gone,
    /// The daemon has freed the port.
    Closed,
}

impl DomainChannel {
    /// Opens the port of an address.
    pub(crate) async fn open(target: &ChannelTarget) -> Result<Self> {
        let (dialog, port) = open::open(target).await?;
        Ok(Self::new(dialog, port))
    }

    fn new(dialog: Dialog, port: Port) -> Self {
        let stream = Stream {
            serial: dialog.serial(),
            packet: Vec::new(),
            start: 0,
            has_finished: false,
            end: None,
        };
        Self {
            dialog: Some(dialog),
            port,
            stream,
        }
    }

    fn parts(&mut self) -> Result<(&mut Dialog, &mut Stream)> {
        let dialog = self.dialog.as_mut().ok_or(ErrorKind::NotConnected)?;
        Ok((dialog, &mut self.stream))
    }
}

impl fmt::Debug for DomainChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DomainChannel")
            .field("daemon", &self.port.daemon)
            .field("domain", &self.port.domain.name)
            .field("port", &self.port.name)
            .finish_non_exhaustive()
    }
}

impl Stream {
    /// The bytes that have arrived and were not read yet.
    fn unread(&self) -> &[u8] {
        self.packet.get(self.start..).unwrap_or_default()
    }

    fn read(&mut self, buffer: &mut ReadBuf<'_>) {
        let unread = self.unread();
        let count = unread.len().min(buffer.remaining());
        buffer.put_slice(unread.get(..count).unwrap_or_default());
        self.start += count;
        if self.unread().is_empty() {
            self.packet = Vec::new();
            self.start = 0;
        }
    }

    /// Takes a packet.
    fn take(&mut self, packet: Vec<u8>) -> Result<()> {
        let (header, payload) = Header::split(&packet).map_err(nonsense)?;
        match Arrived::read(&header, payload, self.serial).map_err(nonsense)? {
            Arrived::Bytes(_) => {
                self.packet = packet;
                self.start = HEADER;
            }
            Arrived::End => self.end = Some(End::Gone),
            Arrived::Closed => self.end = Some(End::Closed),
            Arrived::Failed(failure) => {
                self.end = Some(End::Closed);
                let words = format!(
                    "libvirt has ended the channel; somebody else may have opened it by force: {failure}"
                );
                return Err(io::Error::new(ErrorKind::ConnectionReset, words));
            }
            Arrived::Message => {}
        }
        Ok(())
    }

    fn finish(&mut self, dialog: &mut Dialog) {
        if !self.has_finished && !matches!(self.end, Some(End::Closed)) {
            self.has_finished = true;
            dialog.push(&Sent::Finish.packet(self.serial));
        }
    }
}

impl AsyncRead for DomainChannel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let (dialog, stream) = self.parts()?;
        while stream.unread().is_empty() {
            if stream.end.is_some() {
                return Poll::Ready(Ok(()));
            }
            let packet = ready!(dialog.poll_packet(cx))?;
            stream.take(packet)?;
        }
        stream.read(buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for DomainChannel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let (dialog, stream) = self.parts()?;
        if stream.has_finished || stream.end.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        // One packet at a time.
        ready!(dialog.poll_flush(cx))?;
        let bytes = bytes.get(..MOST_BYTES).unwrap_or(bytes);
        if !bytes.is_empty() {
            dialog.push(&Sent::Bytes(bytes).packet(stream.serial));
        }
        match dialog.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (dialog, _) = self.parts()?;
        dialog.poll_flush(cx)
    }

    /// Tells the daemon that all was written. What the guest sends after that is not read.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let (dialog, stream) = self.parts()?;
        stream.finish(dialog);
        dialog.poll_flush(cx)
    }
}

impl Drop for DomainChannel {
    fn drop(&mut self) {
        if let Some(dialog) = self.dialog.take()
            && !matches!(self.stream.end, Some(End::Closed))
        {
            closing::begin(
                &self.port,
                dialog,
                self.stream.serial,
                self.stream.has_finished,
            );
        }
    }
}

#[cfg(test)]
mod tests;
