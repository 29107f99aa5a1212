//! What must hold for any bytes that a daemon sends.

use super::agent_port::AgentPort;
use super::call::{
    self, AgentCommand, AuthList, AuthPolkit, GetState, LibVersion, ListAllDomains, LookupByName,
    Open, OpenChannel, Register, XmlDesc,
};
use super::event::Told;
use super::failure::Failure;
use super::packet::{self, HEADER, Header, LONGEST};
use super::stream::Arrived;

/// Any bytes are packets, or are refused; what a packet brings is read as the reply to any call, or is refused.
///
/// # Panics
///
/// When something does not hold.
pub fn packets(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some(length)) = packet::length(rest) {
        assert!((HEADER..=LONGEST).contains(&length));
        let Some((packet, next)) = rest.split_at_checked(length) else {
            break;
        };
        if let Ok((header, payload)) = Header::split(packet) {
            assert_eq!(header.packet(payload), packet);
            read(payload);
            let _ = Told::read(&header, payload);
            if let Ok(Arrived::Bytes(bytes)) = Arrived::read(&header, payload, header.serial) {
                assert!(!bytes.is_empty() && bytes.len() <= LONGEST);
            }
        }
        rest = next;
    }
    read(data);
    if let Ok(text) = std::str::from_utf8(data) {
        AgentPort::of(text);
        AgentPort::named(text, text);
    }
}

fn read(payload: &[u8]) {
    let _ = call::reply::<AuthList>(payload);
    let _ = call::reply::<AuthPolkit>(payload);
    let _ = call::reply::<Open<'_>>(payload);
    let _ = call::reply::<LibVersion>(payload);
    let _ = call::reply::<LookupByName<'_>>(payload);
    let _ = call::reply::<ListAllDomains>(payload);
    let _ = call::reply::<GetState<'_>>(payload);
    let _ = call::reply::<Register>(payload);
    let _ = call::reply::<OpenChannel<'_>>(payload);
    if let Ok(xml) = call::reply::<XmlDesc<'_>>(payload) {
        AgentPort::of(&xml);
    }
    if let Ok(Some(reply)) = call::reply::<AgentCommand<'_>>(payload) {
        assert!(reply.len() <= payload.len());
    }
    if let Ok(failure) = Failure::decode(payload) {
        assert!(!failure.to_string().is_empty());
    }
}
