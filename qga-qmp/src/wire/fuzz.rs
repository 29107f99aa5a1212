//! What must hold for any bytes that a monitor sends.

use super::incoming::Incoming;
use super::limits::Limits;
use super::objects::{Found, Objects};
use super::session::{Band, Session, Told};

const LIMITS: Limits = Limits {
    bytes: 512,
    depth: 8,
    items: 16,
};

/// Any bytes are objects or are refused, wherever they are cut, and no request has more than one outcome.
///
/// # Panics
///
/// When something does not hold.
pub fn monitor(data: &[u8]) {
    let whole = objects(data, usize::MAX);
    assert_eq!(objects(data, 1), whole);
    assert_eq!(objects(data, 7), whole);
    let told = session(data, usize::MAX);
    assert_eq!(session(data, 1), told);
    assert_eq!(session(data, 5), told);
}

fn objects(data: &[u8], piece: usize) -> Vec<String> {
    let mut objects = Objects::new(LIMITS);
    let mut found = Vec::new();
    for mut bytes in data.chunks(piece.min(data.len()).max(1)) {
        loop {
            match objects.next(&mut bytes) {
                Ok(Some(Found::Object(object))) => {
                    assert!(object.len() <= LIMITS.bytes);
                    assert!(object.first() == Some(&b'{'));
                    let _ = Incoming::read(&object);
                    found.push(String::from_utf8_lossy(&object).into_owned());
                }
                Ok(Some(Found::Excess(excess))) => found.push(format!("{:?}", excess.limit)),
                Ok(None) => break,
                Err(reason) => {
                    found.push(format!("{reason:?}"));
                    return found;
                }
            }
        }
    }
    found
}

/// Each of a few requests has one outcome at most.
fn session(data: &[u8], piece: usize) -> Vec<String> {
    let mut session = Session::new(LIMITS);
    for id in 1..=6 {
        let band = if id % 3 == 0 { Band::Out } else { Band::In };
        session.submit(id, band, format!("{{\"id\":{id}}}").into_bytes());
    }
    session
        .received(b"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}{\"event\": \"X\"}");
    drain(&mut session);
    session.received(b"{\"return\": {}, \"id\": 0}");
    drain(&mut session);
    let mut outcomes = Vec::new();
    for bytes in data.chunks(piece.min(data.len()).max(1)) {
        session.received(bytes);
        while let Some(told) = session.poll() {
            match told {
                Told::Reply(id, _) | Told::Failed(id, _) => outcomes.push(id),
                Told::Ready | Told::Event(_) | Told::Missed(_) => {}
            }
        }
    }
    let mut once = outcomes.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), outcomes.len(), "an outcome was told twice");
    session.closed(None);
    let mut shown: Vec<_> = outcomes.iter().map(u64::to_string).collect();
    shown.push(format!("{}", session.is_ready()));
    shown
}

/// Writes all that can be written.
fn drain(session: &mut Session) {
    loop {
        let count = session.transmit().len();
        if count == 0 {
            return;
        }
        session.transmitted(count);
    }
}
