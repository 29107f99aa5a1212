//! Serves one client after the other.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::dispatch::{self, Order};
use super::line::{Arrived, Line};
use super::outbox::Outbox;
use super::query::PACKAGE;
use super::session::Session;
use super::shared::{End, Shared};
use crate::agent::delivery::{Delivery, Piece};
use crate::wire::chunk::CHUNK;
use crate::wire::json::{Object, Reader, Value};
use crate::wire::listener::{Listener, Stream};

/// With so many requests that are not carried out yet, no more is read.
const MOST_WAITING: usize = 8;
/// How long the monitor waits before it tries again to accept a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves one client after the other until QEMU ends. Then the socket is closed, and its file goes unless QEMU was killed.
pub(super) async fn serve(listener: Listener, path: Option<PathBuf>, shared: Arc<Shared>) {
    let end = serve_clients(&listener, &shared).await;
    drop(listener);
    shared.waiting.lock().await.close_all();
    if let Some(path) = path.filter(|_| end == End::Exit) {
        // Somebody may have removed it before us.
        drop(std::fs::remove_file(path));
    }
    shared.is_over.send_replace(true);
}

async fn serve_clients(listener: &Listener, shared: &Arc<Shared>) -> End {
    loop {
        tokio::select! {
            biased;
            end = shared.has_ended() => return end,
            stream = accept(listener, shared) => serve_client(stream, shared).await,
        }
    }
}

/// A client that connects while QEMU hangs waits.
async fn accept(listener: &Listener, shared: &Shared) -> Box<dyn Stream> {
    let mut is_hung = shared.is_hung.subscribe();
    drop(is_hung.wait_for(|is_hung| !is_hung).await);
    let mut waiting = shared.waiting.lock().await;
    let stream = tokio::select! {
        stream = accept_socket(listener) => stream,
        stream = waiting.next() => Box::new(stream),
    };
    shared.connections.send_modify(|count| *count += 1);
    stream
}

async fn accept_socket(listener: &Listener) -> Box<dyn Stream> {
    loop {
        match listener.accept().await {
            Ok(stream) => return stream,
            // Out of descriptors, say: the client stays in the queue.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve_client(stream: Box<dyn Stream>, shared: &Arc<Shared>) {
    let session = Session::default();
    let greeting = shared.spell_wire(&greeting(shared));
    session.outbox.push(&greeting);
    let mut line = Line::new(stream, Arc::clone(&session.outbox));
    let mut cut_off = shared.cut_off.subscribe();
    cut_off.mark_unchanged();
    let is_flushed = tokio::select! {
        biased;
        end = shared.has_ended() => end == End::Exit,
        _ = cut_off.changed() => false,
        is_flushed = converse(&mut line, &session, shared) => is_flushed,
    };
    shared.set_listener(None);
    if is_flushed {
        line.close().await;
    }
}

fn greeting(shared: &Shared) -> Value {
    let (major, minor, micro) = shared.version().version();
    let number = |number: u32| Value::Int(number.into());
    let qemu = Object::of([
        ("major", number(major)),
        ("minor", number(minor)),
        ("micro", number(micro)),
    ]);
    let version = Object::of([("qemu", Value::Object(qemu)), ("package", PACKAGE.into())]);
    let capabilities = Value::Array(vec!["oob".into()]);
    let told = Object::of([
        ("version", Value::Object(version)),
        ("capabilities", capabilities),
    ]);
    Value::Object(Object::of([("QMP", Value::Object(told))]))
}

/// Answers a client until it has gone, or until it is to be closed: then what is left is still sent.
async fn converse(line: &mut Line, session: &Session, shared: &Arc<Shared>) -> bool {
    let waiting = AtomicUsize::new(0);
    let (orders, arriving) = mpsc::unbounded_channel();
    let mut orders = Some(orders);
    let mut reader = Reader::default();
    let mut worker = pin!(work(arriving, session, shared, &waiting));
    let mut is_hung = shared.is_hung.subscribe();
    loop {
        if *is_hung.borrow_and_update() {
            drop(is_hung.changed().await);
            continue;
        }
        let is_open = orders.is_some();
        let may_read = || is_open && waiting.load(Ordering::Relaxed) < MOST_WAITING;
        let arrived = tokio::select! {
            biased;
            () = &mut worker => return true,
            _ = is_hung.changed() => continue,
            arrived = line.next(may_read) => arrived,
        };
        match arrived {
            Arrived::Bytes(bytes) => {
                for order in read(&bytes, &mut reader, session, shared) {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    // It is there for as long as we are.
                    drop(orders.as_ref().map(|orders| orders.send(order)));
                }
            }
            Arrived::End => orders = None,
            Arrived::Gone => return false,
        }
    }
}

/// What a client's bytes ask for. Commands that overtake others are carried out at once.
fn read(
    mut bytes: &[u8],
    reader: &mut Reader,
    session: &Session,
    shared: &Arc<Shared>,
) -> Vec<Order> {
    let mut orders = Vec::new();
    reader.speak(shared.version().dialect());
    while let Some(message) = reader.read(&mut bytes) {
        let order = Order::new(message);
        if order.overtakes() {
            let delivery = dispatch::carry_out(order, session, shared);
            delivery.pieces.iter().for_each(|piece| {
                if let Piece::Bytes(bytes) = piece {
                    session.outbox.push(bytes);
                }
            });
        } else {
            orders.push(order);
        }
    }
    orders
}

/// Carries out a client's commands one after the other.
async fn work(
    mut orders: mpsc::UnboundedReceiver<Order>,
    session: &Session,
    shared: &Arc<Shared>,
    waiting: &AtomicUsize,
) {
    while let Some(order) = orders.recv().await {
        let delivery = dispatch::carry_out(order, session, shared);
        deliver(&delivery, &session.outbox).await;
        waiting.fetch_sub(1, Ordering::Relaxed);
        if delivery.close {
            return;
        }
        // What a command has brought about goes out before the next one.
        tokio::task::yield_now().await;
    }
}

async fn deliver(delivery: &Delivery, outbox: &Outbox) {
    for piece in &delivery.pieces {
        match piece {
            Piece::Wait(duration) => tokio::time::sleep(*duration).await,
            Piece::Hang => std::future::pending().await,
            Piece::Bytes(bytes) => send(bytes, delivery.drip, outbox).await,
            Piece::Filler { unit, bytes } => fill(unit, *bytes, delivery.drip, outbox).await,
        }
    }
}

async fn send(bytes: &[u8], drip: Option<(usize, Duration)>, outbox: &Outbox) {
    let Some((size, every)) = drip else {
        return outbox.push(bytes);
    };
    for piece in bytes.chunks(size.max(1)) {
        outbox.push(piece);
        outbox.taken().await;
        tokio::time::sleep(every).await;
    }
}

async fn fill(unit: &[u8], bytes: Option<u64>, drip: Option<(usize, Duration)>, outbox: &Outbox) {
    let many = unit.repeat((CHUNK / unit.len().max(1)).max(1));
    let mut left = bytes;
    while left != Some(0) {
        let length = left.map_or(many.len(), |left| {
            usize::try_from(left).map_or(many.len(), |left| left.min(many.len()))
        });
        send(many.get(..length).unwrap_or_default(), drip, outbox).await;
        outbox.taken().await;
        left = left.map(|left| left - length as u64);
    }
}
