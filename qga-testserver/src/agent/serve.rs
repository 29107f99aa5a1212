//! Serves clients one after the other, and lets power commands take effect.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::delivery::{Delivery, Piece};
use super::dispatch::answer;
use super::state::State;
use crate::guest::power::{Cause, Power, PowerChange};
use crate::lock::lock;
use crate::wire::chunk::{CHUNK, read_chunk};
use crate::wire::json::Reader;
use crate::wire::listener::{Listener, Stream};

/// The clients that connect to an agent, over its socket or in memory.
pub(crate) struct Clients {
    pub(crate) listener: Option<Listener>,
    pub(crate) waiting: mpsc::UnboundedReceiver<DuplexStream>,
}

/// Serves one client after the other, for ever.
///
/// If a client leaves half a request, it stays in the reader and the next client continues it.
pub(crate) async fn serve(mut clients: Clients, state: Arc<State>) {
    let mut input = Input::default();
    let mut stopping = None;
    while let Some(stream) = next_client(&mut clients, &state, &mut stopping).await {
        if state.power.settled().await == Power::Off {
            continue;
        }
        let mut client = Client {
            stream,
            gone: false,
            unsent: Vec::new(),
            thrown_off: state.thrown_off(),
        };
        state.has_client.store(true, Ordering::Relaxed);
        client.serve(&mut input, &state, &mut stopping).await;
        state.has_client.store(false, Ordering::Relaxed);
        input.unsent = client.unsent;
    }
}

/// What was read of a request that is not whole yet, what is still to be written, and which agent does both.
#[derive(Default)]
struct Input {
    reader: Reader,
    agent: u64,
    /// What the clients before have left of their replies.
    unsent: Vec<u8>,
}

impl Input {
    /// Forgets what an agent had read that has ended since, and says whether one has.
    fn is_lost(&mut self, state: &State) -> bool {
        let agent = state.agent();
        let is_lost = self.agent != agent;
        if is_lost {
            *self = Self {
                agent,
                ..Self::default()
            };
        }
        is_lost
    }
}

/// A power command that has been accepted.
struct Accepted {
    /// When it takes effect.
    due: Instant,
    change: PowerChange,
    /// How often the machine had been reset then: the next reset makes an end of it.
    resets: u64,
}

impl Accepted {
    fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }
}

type Stopping = Option<Accepted>;

/// How long the agent waits before it tries again to accept a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

impl Clients {
    async fn next(&mut self) -> Option<Box<dyn Stream>> {
        let Some(listener) = &self.listener else {
            return Some(Box::new(self.waiting.recv().await?));
        };
        let accepted = pin!(accept(listener));
        let waiting = pin!(self.waiting.recv());
        match either(accepted, waiting).await {
            Either::First(stream) => Some(stream),
            Either::Second(stream) => Some(Box::new(stream?)),
        }
    }
}

async fn accept(listener: &Listener) -> Box<dyn Stream> {
    loop {
        match listener.accept().await {
            Ok(stream) => return stream,
            // Out of descriptors, say: the client stays in the queue.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Which of two futures was first.
enum Either<A, B> {
    First(A),
    Second(B),
}

async fn either<A, B>(
    mut first: Pin<&mut impl Future<Output = A>>,
    mut second: Pin<&mut impl Future<Output = B>>,
) -> Either<A, B> {
    poll_fn(|context| match first.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Either::First(value)),
        Poll::Pending => second.as_mut().poll(context).map(Either::Second),
    })
    .await
}

/// Waits for a client, and lets a power command take effect meanwhile.
async fn next_client(
    clients: &mut Clients,
    state: &State,
    stopping: &mut Stopping,
) -> Option<Box<dyn Stream>> {
    while let Some(Accepted { due, .. }) = *stopping {
        let timer = pin!(tokio::time::sleep_until(due));
        match either(pin!(clients.next()), timer).await {
            Either::First(client) => return client,
            Either::Second(()) => drop(stop(state, stopping).await),
        }
    }
    clients.next().await
}

/// Lets a power command take effect. What arrives in the meantime stays in the channel.
async fn change_power(state: &State, change: PowerChange) -> Power {
    match change {
        PowerChange::ShutDown => state.power.shut_down(Cause::SHUTDOWN),
        PowerChange::Halt => state.power.set(Power::Halted),
        PowerChange::SuspendToMemory => state.power.set(Power::Suspended),
        PowerChange::SuspendToDisk => {
            lock(&state.machine).is_saved = true;
            state.power.shut_down(Cause::SHUTDOWN);
        }
        PowerChange::Reboot => {
            if let Some(resets) = state.power.reset(Cause::REBOOT) {
                state.booted(resets, || state.reboot()).await;
            }
        }
    }
    state.power.settled().await
}

/// Lets a power command take effect if its time has come, once the machine runs.
async fn stop(state: &State, stopping: &mut Stopping) -> Power {
    if stopping.as_ref().is_some_and(Accepted::is_due) {
        state.power.settled().await;
    }
    stopping.take_if(|accepted| accepted.resets != state.power.resets());
    match stopping.take_if(|accepted| accepted.is_due()) {
        Some(accepted) => change_power(state, accepted.change).await,
        None => Power::On,
    }
}

/// The client that is being served.
struct Client {
    stream: Box<dyn Stream>,
    /// Whether it accepts no more replies. The agent still carries out what it has sent.
    gone: bool,
    /// What it has not accepted.
    unsent: Vec<u8>,
    /// How many clients had been thrown off the channel when it came.
    thrown_off: u64,
}

impl Client {
    async fn serve(&mut self, input: &mut Input, state: &State, stopping: &mut Stopping) {
        let left = std::mem::take(&mut input.unsent);
        self.send(&left, None, state).await;
        loop {
            let Some(chunk) = self.read_until(state, stopping).await else {
                return;
            };
            let mut bytes = &*chunk;
            if bytes.is_empty() {
                return;
            }
            input.is_lost(state);
            loop {
                if state.power.settled().await == Power::Off {
                    return;
                }
                if input.is_lost(state) {
                    break;
                }
                input.reader.speak(lock(&state.settings).profile.dialect());
                let Some(message) = input.reader.read(&mut bytes) else {
                    break;
                };
                let delivery = answer(state, message);
                self.deliver(&delivery, state).await;
                if delivery.restart {
                    state.restart_agent();
                }
                if delivery.reset {
                    self.stream.reset_on_close();
                }
                let is_lost = input.is_lost(state);
                if let Some(change) = delivery.power {
                    let time = lock(&state.machine).facts().stop_milliseconds;
                    *stopping = Some(Accepted {
                        due: Instant::now() + Duration::from_millis(time),
                        change,
                        resets: state.power.resets(),
                    });
                }
                if delivery.close || stop(state, stopping).await == Power::Off {
                    return;
                }
                if is_lost {
                    break;
                }
                // What was sent while the guest booted is for the next agent.
                input.is_lost(state);
            }
        }
    }

    /// Reads what has arrived, or returns nothing if the guest is switched off before that.
    async fn read_until(&mut self, state: &State, stopping: &mut Stopping) -> Option<Vec<u8>> {
        while let Some(Accepted { due, .. }) = *stopping {
            let timer = pin!(tokio::time::sleep_until(due));
            match either(pin!(self.read(state)), timer).await {
                Either::First(chunk) => return Some(chunk),
                Either::Second(()) if stop(state, stopping).await == Power::Off => return None,
                Either::Second(()) => {}
            }
        }
        Some(self.read(state).await)
    }

    /// Reads what has arrived. Zero bytes mean the end of the stream, or that the client was thrown off.
    async fn read(&mut self, state: &State) -> Vec<u8> {
        let thrown_off = pin!(state.another_thrown_off(self.thrown_off));
        match either(thrown_off, pin!(self.read_running(state))).await {
            Either::First(()) => Vec::new(),
            Either::Second(chunk) => chunk,
        }
    }

    async fn read_running(&mut self, state: &State) -> Vec<u8> {
        loop {
            state.power.settled().await;
            // A Unix socket is only reset if something is left unread when it is closed.
            let reset_ahead = state.faults.reset_ahead() || state.stubs.reset_ahead();
            let most = if reset_ahead { 1 } else { CHUNK };
            let interrupted = async {
                either(pin!(state.power.still()), pin!(state.faults.added())).await;
            };
            match either(pin!(interrupted), pin!(read_chunk(&mut self.stream, most))).await {
                Either::First(()) => {}
                Either::Second(chunk) => return chunk.unwrap_or_default(),
            }
        }
    }

    /// Sends a reply, or what the agent comes to send of it before it ends.
    async fn deliver(&mut self, delivery: &Delivery, state: &State) {
        let ended = pin!(state.agent_ended(state.agent()));
        let thrown_off = pin!(state.another_thrown_off(self.thrown_off));
        let interrupted = pin!(async { either(ended, thrown_off).await });
        either(interrupted, pin!(self.send_pieces(delivery, state))).await;
        self.gone |= state.thrown_off() != self.thrown_off;
    }

    async fn send_pieces(&mut self, delivery: &Delivery, state: &State) {
        for piece in &delivery.pieces {
            match piece {
                Piece::Wait(duration) => tokio::time::sleep(*duration).await,
                Piece::Hang => std::future::pending().await,
                Piece::Bytes(bytes) => self.send(bytes, delivery.drip, state).await,
                Piece::Filler { unit, bytes } => {
                    self.fill(unit, *bytes, delivery.drip, state).await;
                }
            }
        }
    }

    async fn send(&mut self, bytes: &[u8], drip: Option<(usize, Duration)>, state: &State) {
        let (size, every) = drip.unwrap_or((CHUNK, Duration::ZERO));
        for (index, piece) in bytes.chunks(size).enumerate() {
            if self.gone {
                self.keep(piece, state);
                continue;
            }
            if !every.is_zero() && index > 0 {
                tokio::time::sleep(every).await;
            } else if drip.is_some() && every.is_zero() {
                tokio::task::yield_now().await;
            }
            state.power.settled().await;
            self.write(piece, state).await;
        }
    }

    async fn write(&mut self, mut bytes: &[u8], state: &State) {
        while !bytes.is_empty() {
            match self.stream.write(bytes).await {
                Ok(count @ 1..) => bytes = bytes.get(count..).unwrap_or_default(),
                _ => break,
            }
        }
        self.gone = !bytes.is_empty() || self.stream.flush().await.is_err();
        self.keep(bytes, state);
    }

    /// Keeps what this client has not accepted for the next one, if it is to go there.
    fn keep(&mut self, bytes: &[u8], state: &State) {
        if lock(&state.settings).hands_on_replies {
            self.unsent.extend_from_slice(bytes);
        }
    }

    async fn fill(
        &mut self,
        unit: &[u8],
        bytes: Option<u64>,
        drip: Option<(usize, Duration)>,
        state: &State,
    ) {
        let many = unit.repeat((CHUNK / unit.len().max(1)).max(1));
        let mut left = bytes;
        while left != Some(0) && !self.gone {
            let length = left.map_or(many.len(), |left| {
                usize::try_from(left).map_or(many.len(), |left| left.min(many.len()))
            });
            self.send(many.get(..length).unwrap_or_default(), drip, state)
                .await;
            left = left.map(|left| left - length as u64);
            if let Some((_, every)) = drip.filter(|(_, every)| !every.is_zero()) {
                tokio::time::sleep(every).await;
            }
        }
    }
}
