//! Packets: their headers, and how they are found in a stream of bytes.

use super::xdr::{Decoder, Encoder, Malformed};

/// The length and the six words that each packet begins with.
pub(crate) const HEADER: usize = 28;

/// The longest packet that is read, in bytes. A daemon sends up to 32 MiB, but no reply to a call of ours is longer
/// than a text of 4 MiB and what surrounds it.
pub(crate) const LONGEST: usize = 8 << 20;

/// The only version that each program has.
const VERSION: u32 = 1;

/// To which part of the daemon's protocol a packet belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Connections, domains and their events.
    Remote,
    /// What only QEMU's domains have: their guest agents.
    Qemu,
    /// Pings.
    Keepalive,
    /// One that nobody here knows.
    Other(u32),
}

/// What a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Call,
    Reply,
    /// It answers nothing: an event, or a ping.
    Message,
    /// Data of a stream.
    Stream,
}

/// How what a packet belongs to is getting on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Error,
    /// More will follow.
    Continue,
}

/// What is known of a packet before its payload is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) program: Program,
    pub(crate) procedure: u32,
    pub(crate) kind: Kind,
    /// Chosen by the caller and repeated in the reply. A message may have any.
    pub(crate) serial: u32,
    pub(crate) status: Status,
}

impl Program {
    fn number(self) -> u32 {
        match self {
            Self::Remote => 0x2000_8086,
            Self::Qemu => 0x2000_8087,
            Self::Keepalive => 0x6B65_6570,
            Self::Other(number) => number,
        }
    }

    fn of(number: u32) -> Self {
        let known = [Self::Remote, Self::Qemu, Self::Keepalive];
        let found = known.into_iter().find(|known| known.number() == number);
        found.unwrap_or(Self::Other(number))
    }
}

impl Kind {
    fn number(self) -> u32 {
        match self {
            Self::Call => 0,
            Self::Reply => 1,
            Self::Message => 2,
            Self::Stream => 3,
        }
    }

    fn of(number: u32) -> Option<Self> {
        let known = [Self::Call, Self::Reply, Self::Message, Self::Stream];
        known.into_iter().find(|known| known.number() == number)
    }
}

impl Status {
    fn number(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::Error => 1,
            Self::Continue => 2,
        }
    }

    fn of(number: u32) -> Option<Self> {
        let known = [Self::Ok, Self::Error, Self::Continue];
        known.into_iter().find(|known| known.number() == number)
    }
}

impl Header {
    /// The header and a payload as a packet.
    pub(crate) fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let length = HEADER + payload.len();
        let mut encoder = Encoder::default();
        encoder
            .u32(u32::try_from(length).unwrap_or(u32::MAX))
            .u32(self.program.number())
            .u32(VERSION)
            .u32(self.procedure)
            .u32(self.kind.number())
            .u32(self.serial)
            .u32(self.status.number())
            .fixed(payload);
        encoder.into_bytes()
    }

    /// The header and the payload of a packet.
    pub(crate) fn split(packet: &[u8]) -> Result<(Self, &[u8]), Malformed> {
        let (header, payload) = packet
            .split_at_checked(HEADER)
            .ok_or(Malformed::BadHeader)?;
        let mut decoder = Decoder::new(header);
        let _length = decoder.u32()?;
        let program = Program::of(decoder.u32()?);
        let version = decoder.u32()?;
        let procedure = decoder.u32()?;
        let kind = Kind::of(decoder.u32()?).ok_or(Malformed::BadHeader)?;
        let serial = decoder.u32()?;
        let status = Status::of(decoder.u32()?).ok_or(Malformed::BadHeader)?;
        if version != VERSION {
            return Err(Malformed::BadHeader);
        }
        let header = Self {
            program,
            procedure,
            kind,
            serial,
            status,
        };
        Ok((header, payload))
    }
}

/// How long the packet is that these bytes begin with; `None` if that cannot be seen yet.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let Some(length) = bytes.first_chunk() else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Malformed::TooLong)?;
    match length {
        0..HEADER => Err(Malformed::BadHeader),
        HEADER..=LONGEST => Ok(Some(length)),
        _ => Err(Malformed::TooLong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: Header = Header {
        program: Program::Keepalive,
        procedure: 1,
        kind: Kind::Message,
        serial: 0,
        status: Status::Ok,
    };

    #[test]
    fn a_packet_that_was_written_is_read_again() {
        let packet = PING.packet(b"abcd");
        assert_eq!(length(&packet), Ok(Some(32)));
        assert_eq!(Header::split(&packet), Ok((PING, &b"abcd"[..])));
    }

    #[test]
    fn a_length_is_known_after_four_bytes_and_must_be_one_of_a_packet() {
        assert_eq!(length(&[0, 0, 0]), Ok(None));
        for (told, found) in [
            (0, Err(Malformed::BadHeader)),
            (27, Err(Malformed::BadHeader)),
            (28, Ok(Some(28))),
            (8 << 20, Ok(Some(LONGEST))),
            ((8 << 20) + 1, Err(Malformed::TooLong)),
            (u32::MAX, Err(Malformed::TooLong)),
        ] {
            assert_eq!(length(&told.to_be_bytes()), found, "{told}");
        }
    }

    #[test]
    fn a_header_of_another_version_kind_or_status_is_an_error() {
        for (place, value) in [(8, 2), (16, 4), (24, 3)] {
            let mut packet = PING.packet(&[]);
            packet[place + 3] = value;
            assert_eq!(
                Header::split(&packet),
                Err(Malformed::BadHeader),
                "at {place}"
            );
        }
        assert_eq!(
            Header::split(&PING.packet(&[])[..27]),
            Err(Malformed::BadHeader)
        );
    }
}
