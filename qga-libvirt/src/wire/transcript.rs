//! A session that was recorded between a client and libvirt 9.0, packet by packet.

use super::call::{self, AgentCommand, AuthList, LookupByName, LookupByUuid, Open, Procedure};
use super::failure::Failure;
use super::packet::{self, Header, Kind, Program, Status};
use super::types::{Authentication, Domain};

/// Each packet as a line: `>` from the client or `<` from the daemon, and its bytes as hexadecimal digits.
const SESSION: &str = include_str!("../../tests/data/session.txt");

/// The packets, with whether the client has sent them.
fn packets() -> Vec<(bool, Vec<u8>)> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap();
    let byte = |pair: &[u8]| u8::try_from(digit(pair[0]) << 4 | digit(pair[1])).unwrap();
    let lines = SESSION.lines().map(|line| line.split_once(' ').unwrap());
    lines
        .map(|(side, digits)| {
            let bytes = digits.as_bytes().chunks(2).map(byte);
            (side == ">", bytes.collect())
        })
        .collect()
}

/// The arguments of a call, and what came of it.
type Exchange<R> = (Vec<u8>, Result<R, Failure>);

/// The calls of a procedure with what came of them.
fn exchanges<P: Procedure>() -> Vec<Exchange<P::Reply>> {
    let packets = packets();
    let of_procedure = |packet: &[u8]| {
        let (header, payload) = Header::split(packet).unwrap();
        let is_it = header.program == P::PROGRAM && header.procedure == P::NUMBER;
        is_it.then(|| (header, payload.to_vec()))
    };
    let of_side = |side: bool| {
        let sent = packets.iter().filter(move |(sent, _)| *sent == side);
        sent.filter_map(|(_, packet)| of_procedure(packet))
    };
    let mut exchanges = Vec::new();
    for (call, arguments) in of_side(true).filter(|(header, _)| header.kind == Kind::Call) {
        let reply = of_side(false).find(|(header, _)| header.serial == call.serial);
        let (reply, payload) = reply.unwrap();
        assert_eq!(reply.kind, Kind::Reply);
        exchanges.push((
            arguments,
            match reply.status {
                Status::Error => Err(Failure::decode(&payload).unwrap()),
                _ => Ok(call::reply::<P>(&payload).unwrap()),
            },
        ));
    }
    assert!(!exchanges.is_empty());
    exchanges
}

fn domain(name: &str) -> Domain {
    let mut found = exchanges::<LookupByName<'_>>().into_iter();
    found
        .find_map(|(_, reply)| reply.ok().filter(|domain| domain.name == name))
        .unwrap()
}

#[test]
fn each_packet_has_its_length_and_its_header_is_written_as_it_was() {
    let packets = packets();
    assert!(packets.len() > 60);
    for (_, packet) in packets {
        assert_eq!(packet::length(&packet), Ok(Some(packet.len())));
        let (header, payload) = Header::split(&packet).unwrap();
        assert!(!matches!(header.program, Program::Other(_)));
        assert_eq!(header.packet(payload), packet);
    }
}

#[test]
fn the_calls_that_open_a_connection_are_those_that_were_recorded() {
    let (arguments, reply) = exchanges::<AuthList>().remove(0);
    assert_eq!(arguments, call::payload(&AuthList));
    assert_eq!(reply, Ok(vec![Authentication::None]));
    let (arguments, reply) = exchanges::<Open<'_>>().remove(0);
    let open = Open {
        uri: "qemu:///system",
        is_read_only: false,
    };
    assert_eq!(arguments, call::payload(&open));
    assert_eq!(reply, Ok(()));
}

#[test]
fn a_domain_is_found_by_its_name_and_its_uuid_or_not_at_all() {
    let found = domain("lva");
    assert_eq!(
        found.uuid.to_string(),
        "fbcafc8b-96f3-4d07-a236-3bc2dfea713f"
    );
    assert_eq!(found.id, Some(1));
    let (arguments, reply) = exchanges::<LookupByUuid>().remove(0);
    assert_eq!(arguments, call::payload(&LookupByUuid(found.uuid)));
    assert_eq!(reply, Ok(found));
    let by_name = exchanges::<LookupByName<'_>>();
    let (arguments, reply) = by_name.iter().find(|(_, reply)| reply.is_err()).unwrap();
    assert_eq!(*arguments, call::payload(&LookupByName("nope")));
    let failure = reply.as_ref().unwrap_err();
    assert_eq!((failure.code, failure.part), (42, 10));
}

#[test]
fn agent_commands_are_written_and_their_replies_read_as_recorded() {
    let exchanges = exchanges::<AgentCommand<'_>>();
    let (arguments, reply) = &exchanges[0];
    let ping = AgentCommand {
        domain: &domain("lva"),
        request: "{\"execute\":\"guest-ping\",\"id\":7}",
        seconds: 5,
    };
    assert_eq!(*arguments, call::payload(&ping));
    assert_eq!(
        reply.as_ref().unwrap().as_deref(),
        Some("{\"return\":{},\"id\":7}")
    );
    let failures = exchanges
        .iter()
        .filter_map(|(_, reply)| reply.as_ref().err());
    let numbers: Vec<_> = failures
        .map(|failure| (failure.code, failure.part))
        .collect();
    assert_eq!(numbers, [(1, 10), (1, 0), (86, 10), (74, 10), (55, 20)]);
}

#[test]
fn a_timeout_of_zero_is_never_written() {
    let call = |seconds| {
        call::payload(&AgentCommand {
            domain: &domain("lva"),
            request: "{}",
            seconds,
        })
    };
    assert_eq!(call(0), call(1));
    assert_eq!(call(-2), call(1));
}

#[test]
fn what_is_cut_off_or_goes_on_is_an_error() {
    for (_, packet) in packets() {
        let (header, payload) = Header::split(&packet).unwrap();
        if header.kind != Kind::Reply || header.status != Status::Error {
            continue;
        }
        for end in 0..payload.len() {
            Failure::decode(&payload[..end]).unwrap_err();
        }
        let more = [payload, &[0; 4]].concat();
        Failure::decode(&more).unwrap_err();
    }
}
