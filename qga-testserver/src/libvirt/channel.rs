//! The ports of a domain that clients open as streams of bytes.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::packet::{Packet, Refusal};
use crate::lock::lock;

/// The port of libvirt's agent, and the name that the daemon has made up for it.
const AGENT: [&str; 2] = ["org.qemu.guest_agent.0", "channel0"];

/// With so many packets of a client that the guest has not read, nothing more is read from the client.
const MOST_UNREAD: usize = 5;

/// How many bytes one packet carries to a client.
const MOST_BYTES: usize = 64 << 10;

/// A port of a domain.
#[derive(Clone)]
pub(super) struct Channel {
    pub(super) name: String,
    /// What is not read stays for the next client.
    guest: Arc<AsyncMutex<DuplexStream>>,
    /// Who has it open.
    holder: Arc<Mutex<Option<oneshot::Sender<Interruption>>>>,
}

/// What happens to a stream from elsewhere.
enum Interruption {
    /// Somebody else opens the port by force.
    Forced,
    /// The domain has stopped.
    Stopped,
}

/// A stream of a client.
pub(super) struct Opened {
    channel: Channel,
    interrupted: oneshot::Receiver<Interruption>,
}

/// Where the packets of a stream go.
pub(super) type Input = mpsc::Sender<Packet>;

impl Channel {
    pub(super) fn new(name: &str, guest: DuplexStream) -> Self {
        Self {
            name: name.to_owned(),
            guest: Arc::new(AsyncMutex::new(guest)),
            holder: Arc::default(),
        }
    }

    /// As it is in the domain's XML.
    pub(super) fn xml(&self) -> String {
        format!(
            "<channel type='unix'><target type='virtio' name='{}' state='connected'/></channel>",
            self.name
        )
    }

    pub(super) fn open(&self, is_forced: bool) -> Result<Opened, Refusal> {
        let mut holder = lock(&self.holder);
        if let Some(before) = holder.take_if(|before| is_forced || before.is_closed()) {
            // Who has gone need not be told.
            drop(before.send(Interruption::Forced));
        }
        if holder.is_some() {
            return Err(Refusal::new(9, 10, "somebody has the channel open"));
        }
        let (told, interrupted) = oneshot::channel();
        *holder = Some(told);
        Ok(Opened {
            channel: self.clone(),
            interrupted,
        })
    }

    /// Ends the stream of who has it open, as when its domain stops.
    pub(super) fn stop(&self) {
        if let Some(holder) = lock(&self.holder).take() {
            drop(holder.send(Interruption::Stopped));
        }
    }
}

/// Whether a client asks for the port of libvirt's agent, which it gets, and libvirt does not get back.
pub(super) fn is_agents(name: Option<&str>) -> bool {
    name.is_none_or(|name| AGENT.contains(&name))
}

impl Opened {
    /// Carries bytes until the client ends the stream, or goes, or loses the port. The call that opened it is answered first.
    pub(super) fn start(self, call: Packet, packets: mpsc::UnboundedSender<Vec<u8>>) -> Input {
        let (input, arriving) = mpsc::channel(MOST_UNREAD - 1);
        tokio::spawn(self.carry(call, packets, arriving));
        input
    }

    async fn carry(
        mut self,
        call: Packet,
        packets: mpsc::UnboundedSender<Vec<u8>>,
        mut arriving: mpsc::Receiver<Packet>,
    ) {
        let mut guest = self.channel.guest.lock().await;
        let (mut from_guest, mut to_guest) = split(&mut *guest);
        drop(packets.send(call.reply(Ok(Vec::new()))));
        let ended = tokio::select! {
            interruption = &mut self.interrupted => Err(interruption),
            ended = deliver(&mut arriving, &mut to_guest) => Ok(ended),
            () = collect(&call, &mut from_guest, &packets) => Ok(arriving.recv().await),
        };
        let last = match ended {
            Ok(None) => return,
            Ok(Some(last)) => last,
            Err(Ok(Interruption::Stopped)) => {
                drop(packets.send(call.stream(2, &[])));
                match next_end(&mut arriving).await {
                    Some(last) => last,
                    None => return,
                }
            }
            Err(_) => {
                let lost = Refusal::new(39, 38, "the stream was ended by somebody else");
                drop(packets.send(call.stream(1, &lost.payload())));
                return;
            }
        };
        drop(packets.send(last.stream(0, &[])));
    }
}

/// Hands a client's bytes to the guest. What comes last is returned, if the client does not just go.
async fn deliver(
    arriving: &mut mpsc::Receiver<Packet>,
    to_guest: &mut WriteHalf<&mut DuplexStream>,
) -> Option<Packet> {
    loop {
        let packet = arriving.recv().await?;
        if packet.is_end() {
            return Some(packet);
        }
        if to_guest.write_all(&packet.payload).await.is_err() {
            // Nobody in the guest reads any more, which the daemon does not see.
            return next_end(arriving).await;
        }
    }
}

async fn next_end(arriving: &mut mpsc::Receiver<Packet>) -> Option<Packet> {
    loop {
        let packet = arriving.recv().await?;
        if packet.is_end() {
            return Some(packet);
        }
    }
}

/// Hands the guest's bytes to a client. That the guest's agent ends is not seen.
async fn collect(
    call: &Packet,
    from_guest: &mut ReadHalf<&mut DuplexStream>,
    packets: &mpsc::UnboundedSender<Vec<u8>>,
) {
    let mut bytes = vec![0; MOST_BYTES];
    while let Ok(count @ 1..) = from_guest.read(&mut bytes).await {
        let bytes = bytes.get(..count).unwrap_or_default();
        if packets.send(call.stream(2, bytes)).is_err() {
            return;
        }
    }
    std::future::pending::<()>().await;
}
