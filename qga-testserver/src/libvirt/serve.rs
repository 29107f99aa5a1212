//! One client of a fake daemon.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, mpsc};

use super::channel::{Input, Opened, is_agents};
use super::domains::{DomainState, agent_command};
use super::packet::{
    CALL, Packet, QEMU, REMOTE, Refusal, STREAM, put_number, put_text, put_word, take_number,
    take_text, take_uuid, take_word,
};
use super::{LibvirtAuth, LibvirtVersion, State};
use crate::lock::lock;

/// With so many calls in flight, nothing more is read.
const MOST_CALLS: usize = 5;

/// What a client has done yet.
struct Client {
    number: usize,
    state: Arc<State>,
    packets: mpsc::UnboundedSender<Vec<u8>>,
    is_read_only: bool,
    is_let_in: bool,
    has_opened: bool,
    /// Where the packets of its stream go.
    stream: Option<Input>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.state.callbacks.forget(self.number);
    }
}

/// Serves a client until it hangs up or sends what makes no sense. Its commands that are under way go on.
pub(super) async fn serve(
    stream: UnixStream,
    state: Arc<State>,
    number: usize,
    is_read_only: bool,
) -> io::Result<()> {
    let (mut reader, mut writer) = stream.into_split();
    let (replies, mut to_write) = mpsc::unbounded_channel::<Vec<u8>>();
    let write = async move {
        while let Some(packet) = to_write.recv().await {
            writer.write_all(&packet).await?;
        }
        Ok(())
    };
    let read = async {
        let calls = Arc::new(Semaphore::new(MOST_CALLS));
        let in_flight = Arc::new(AtomicUsize::new(0));
        let mut client = Client {
            number,
            state: state.clone(),
            packets: replies.clone(),
            is_read_only,
            is_let_in: false,
            has_opened: false,
            stream: None,
        };
        let mut hung = state.is_hung.subscribe();
        loop {
            let place = calls.clone().acquire_owned().await;
            let Some(packet) = Packet::read(&mut reader).await? else {
                return Ok(());
            };
            // The sender is there for as long as the state is.
            drop(hung.wait_for(|is_hung| !is_hung).await);
            if let Some(pong) = packet.pong() {
                drop(replies.send(pong));
                continue;
            }
            if packet.kind == STREAM
                && let Some(stream) = &client.stream
            {
                // A stream that has ended takes nothing.
                drop(stream.send(packet).await);
                continue;
            }
            if packet.kind != CALL {
                return Ok(());
            }
            let count = in_flight.fetch_add(1, Ordering::Relaxed) + 1;
            state.most_in_flight.fetch_max(count, Ordering::Relaxed);
            state.calls.fetch_add(1, Ordering::Relaxed);
            let begun = client.begin(&packet);
            let (replies, state, in_flight) = (replies.clone(), state.clone(), in_flight.clone());
            let mut busy = state.is_busy.subscribe();
            tokio::spawn(async move {
                // The sender is there for as long as the state is.
                drop(busy.wait_for(|is_busy| !is_busy).await);
                let result = match begun {
                    Begun::Done(result) => Some(result),
                    Begun::Agent => Some(command(&packet.payload, &state).await),
                    Begun::Stream => None,
                };
                in_flight.fetch_sub(1, Ordering::Relaxed);
                drop(place);
                if let Some(result) = result {
                    drop(replies.send(packet.reply(result)));
                }
            });
        }
    };
    tokio::select! {
        ended = write => ended,
        ended = read => ended,
    }
}

/// A call that may have to wait for an agent.
enum Begun {
    Done(Result<Vec<u8>, Refusal>),
    Agent,
    /// It is answered elsewhere.
    Stream,
}

impl Client {
    fn begin(&mut self, packet: &Packet) -> Begun {
        match (packet.program, packet.procedure) {
            (REMOTE, 66) => Begun::Done(Ok(self.list_authentications())),
            (REMOTE, 70) => Begun::Done(self.ask_polkit()),
            _ if !self.is_let_in => Begun::Done(Err(Refusal::new(39, 7, "who is this?"))),
            (REMOTE, 1) => Begun::Done(self.open(&packet.payload)),
            _ if !self.has_opened => Begun::Done(Err(Refusal::new(39, 7, "nothing is open"))),
            (REMOTE, 316) => Begun::Done(self.register(&packet.payload)),
            (REMOTE, 317) => Begun::Done(self.deregister(&packet.payload)),
            (REMOTE, 296) => self.open_channel(packet),
            (REMOTE, procedure) => Begun::Done(ask(procedure, &packet.payload, &self.state)),
            (QEMU, 3) if self.is_read_only => {
                Begun::Done(Err(Refusal::new(29, 0, "this client may only look")))
            }
            (QEMU, 3) => Begun::Agent,
            _ => Begun::Done(Err(unknown())),
        }
    }

    fn open_channel(&mut self, packet: &Packet) -> Begun {
        match self.channel(&packet.payload) {
            Ok(Some(opened)) => {
                self.stream = Some(opened.start(packet.clone(), self.packets.clone()));
                Begun::Stream
            }
            // It says nothing, as libvirt's agent does without a question.
            Ok(None) => Begun::Done(Ok(Vec::new())),
            Err(refusal) => Begun::Done(Err(refusal)),
        }
    }

    /// The port that a client has opened; none if it is that of libvirt's agent, which is lost with that.
    fn channel(&self, mut payload: &[u8]) -> Result<Option<Opened>, Refusal> {
        let mut read = || {
            take_text(&mut payload)?;
            let uuid = take_uuid(&mut payload)?;
            take_number(&mut payload)?;
            let name = match take_word(&mut payload)? {
                0 => None,
                _ => Some(take_text(&mut payload)?),
            };
            Some((uuid, name, take_word(&mut payload)? == 1))
        };
        let (uuid, name, is_forced) = read().ok_or_else(unknown)?;
        if self.is_read_only {
            return Err(Refusal::new(29, 0, "this client may only look"));
        }
        let mut domains = lock(&self.state.domains);
        let domain = domains.find(|it| it.uuid == uuid)?;
        if domain.state == DomainState::Off {
            return Err(Refusal::new(55, 20, "the domain is off"));
        }
        if is_agents(name.as_deref())
            && let Some(port) = &mut domain.port
        {
            port.is_broken = true;
            return Ok(None);
        }
        let mut channels = domain.channels.iter();
        let channel = channels.find(|channel| Some(&channel.name) == name.as_ref());
        let channel = channel.ok_or_else(|| Refusal::new(1, 10, "no channel is called so"))?;
        channel.open(is_forced).map(Some)
    }

    fn register(&self, mut payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut read = || {
            let topic = take_number(&mut payload)?;
            let mut domain = None;
            if take_word(&mut payload)? != 0 {
                take_text(&mut payload)?;
                domain = Some(take_uuid(&mut payload)?);
            }
            Some((topic, domain))
        };
        let (topic, domain) = read().ok_or_else(unknown)?;
        let callbacks = &self.state.callbacks;
        let number = callbacks.register(self.number, topic, domain, &self.packets)?;
        let mut reply = Vec::new();
        put_number(&mut reply, number);
        Ok(reply)
    }

    fn deregister(&self, mut payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let number = take_number(&mut payload).ok_or_else(unknown)?;
        self.state.callbacks.deregister(self.number, number)?;
        Ok(Vec::new())
    }

    fn list_authentications(&mut self) -> Vec<u8> {
        let auth = if self.is_read_only {
            LibvirtAuth::None
        } else {
            *lock(&self.state.auth)
        };
        self.is_let_in |= auth == LibvirtAuth::None;
        let way = match auth {
            LibvirtAuth::None => 0,
            LibvirtAuth::Sasl => 1,
            LibvirtAuth::Polkit | LibvirtAuth::PolkitRefuses => 2,
        };
        let mut payload = Vec::new();
        put_word(&mut payload, 1);
        put_word(&mut payload, way);
        payload
    }

    fn ask_polkit(&mut self) -> Result<Vec<u8>, Refusal> {
        if *lock(&self.state.auth) != LibvirtAuth::Polkit {
            return Err(Refusal::new(94, 60, "polkit says no"));
        }
        self.is_let_in = true;
        Ok(vec![0, 0, 0, 1])
    }

    fn open(&mut self, mut payload: &[u8]) -> Result<Vec<u8>, Refusal> {
        let is_named = take_word(&mut payload) == Some(1);
        let uri = take_text(&mut payload).filter(|_| is_named);
        self.is_read_only |= take_word(&mut payload) == Some(1);
        if !matches!(uri.as_deref(), Some("qemu:///system" | "qemu:///session")) {
            return Err(Refusal::new(38, 0, "there is no such driver"));
        }
        if std::mem::replace(&mut self.has_opened, true) {
            self.has_opened = false;
            return Err(Refusal::new(1, 7, "it was open already"));
        }
        Ok(Vec::new())
    }
}

fn unknown() -> Refusal {
    Refusal::new(
        39,
        7,
        "this call is not known, or its arguments make no sense",
    )
}

/// Calls that are answered at once.
fn ask(procedure: u32, mut payload: &[u8], state: &State) -> Result<Vec<u8>, Refusal> {
    let mut domains = lock(&state.domains);
    let mut reply = Vec::new();
    if procedure != 157
        && let Some(refusal) = domains.refusals.pop_front()
    {
        return Err(refusal);
    }
    match procedure {
        157 => {
            let version: u64 = match domains.version {
                LibvirtVersion::V9_0 => 9_000_000,
                LibvirtVersion::V11_3 => 11_003_000,
            };
            reply.extend(version.to_be_bytes());
        }
        23 => {
            let name = take_text(&mut payload).ok_or_else(unknown)?;
            domains.find(|it| it.name == name)?.put(&mut reply);
        }
        24 => {
            let uuid = take_uuid(&mut payload).ok_or_else(unknown)?;
            domains.find(|it| it.uuid == uuid)?.put(&mut reply);
        }
        273 => {
            let all = &domains.all;
            put_word(&mut reply, u32::try_from(all.len()).unwrap_or(u32::MAX));
            // In no order that a client could rely on.
            all.iter().rev().for_each(|domain| domain.put(&mut reply));
            put_word(&mut reply, u32::try_from(all.len()).unwrap_or(u32::MAX));
        }
        212 => {
            take_text(&mut payload).ok_or_else(unknown)?;
            let uuid = take_uuid(&mut payload).ok_or_else(unknown)?;
            let state = domains.find(|it| it.uuid == uuid)?.state;
            put_word(&mut reply, state.number());
            put_word(&mut reply, state.reason());
        }
        14 => {
            take_text(&mut payload).ok_or_else(unknown)?;
            let uuid = take_uuid(&mut payload).ok_or_else(unknown)?;
            put_text(&mut reply, &domains.find(|it| it.uuid == uuid)?.xml());
        }
        _ => return Err(unknown()),
    }
    Ok(reply)
}

async fn command(payload: &[u8], state: &State) -> Result<Vec<u8>, Refusal> {
    let mut rest = payload;
    let mut read = || {
        take_text(&mut rest)?;
        let uuid = take_uuid(&mut rest)?;
        take_number(&mut rest)?;
        let request = take_text(&mut rest)?;
        Some((
            uuid,
            request,
            take_number(&mut rest)?,
            take_word(&mut rest)?,
        ))
    };
    let (uuid, request, seconds, flags) = read().ok_or_else(unknown)?;
    lock(&state.timeouts).push(seconds);
    let text = agent_command(&state.domains, uuid, &request, seconds, flags).await?;
    let mut reply = Vec::new();
    put_word(&mut reply, 1);
    put_text(&mut reply, &text);
    Ok(reply)
}
