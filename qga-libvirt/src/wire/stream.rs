//! The packets of a byte stream, which follow the call that opens it.

use super::call::{OpenChannel, Procedure};
use super::failure::Failure;
use super::packet::{Header, Kind, Program, Status};
use super::xdr::Malformed;

/// What a packet brings to a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived<'a> {
    Bytes(&'a [u8]),
    /// The other end has gone: no more bytes will come.
    End,
    /// The stream is closed, since this side has finished or aborted it.
    Closed,
    /// The daemon has ended the stream.
    Failed(Failure),
    /// It belongs to no stream: an event, or a ping.
    Message,
}

/// What this side can send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sent<'a> {
    Bytes(&'a [u8]),
    /// All bytes were sent, and are to be delivered.
    Finish,
    /// Nobody needs the stream any more.
    Abort,
}

impl Arrived<'_> {
    /// Reads a packet for the stream that was opened by the call with this serial.
    pub(crate) fn read<'a>(
        header: &Header,
        payload: &'a [u8],
        serial: u32,
    ) -> Result<Arrived<'a>, Malformed> {
        match header.kind {
            Kind::Message => return Ok(Arrived::Message),
            Kind::Stream if *header == stream_header(serial, header.status) => {}
            Kind::Call | Kind::Reply | Kind::Stream => return Err(Malformed::BadHeader),
        }
        match (header.status, payload.is_empty()) {
            (Status::Continue, false) => Ok(Arrived::Bytes(payload)),
            (Status::Continue, true) => Ok(Arrived::End),
            (Status::Ok | Status::Error, true) => Ok(Arrived::Closed),
            (Status::Error, false) => Failure::decode(payload).map(Arrived::Failed),
            (Status::Ok, false) => Err(Malformed::Trailing),
        }
    }
}

impl Sent<'_> {
    /// The packet for the stream that was opened by the call with this serial.
    pub(crate) fn packet(self, serial: u32) -> Vec<u8> {
        let (status, payload) = match self {
            Self::Bytes(bytes) => (Status::Continue, bytes),
            Self::Finish => (Status::Ok, &[][..]),
            Self::Abort => (Status::Error, &[][..]),
        };
        stream_header(serial, status).packet(payload)
    }
}

fn stream_header(serial: u32, status: Status) -> Header {
    Header {
        program: Program::Remote,
        procedure: OpenChannel::NUMBER,
        kind: Kind::Stream,
        serial,
        status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packet: &[u8]) -> Result<Arrived<'_>, Malformed> {
        let (header, payload) = Header::split(packet)?;
        Arrived::read(&header, payload, 7)
    }

    #[test]
    fn bytes_and_ends_of_a_stream_are_told_apart() {
        let bytes = Sent::Bytes(b"abc").packet(7);
        assert_eq!(bytes.len(), 31, "no padding");
        assert_eq!(read(&bytes), Ok(Arrived::Bytes(b"abc")));
        assert_eq!(read(&Sent::Bytes(b"").packet(7)), Ok(Arrived::End));
        assert_eq!(read(&Sent::Finish.packet(7)), Ok(Arrived::Closed));
        assert_eq!(read(&Sent::Abort.packet(7)), Ok(Arrived::Closed));
        let failed = stream_header(7, Status::Error).packet(&[0; 44]);
        assert!(matches!(read(&failed), Ok(Arrived::Failed(failure)) if failure.code == 0));
    }

    #[test]
    fn what_belongs_to_another_stream_or_makes_no_sense_is_an_error() {
        let ours = stream_header(7, Status::Continue);
        let wrong = [
            Header { serial: 8, ..ours },
            Header {
                procedure: 295,
                ..ours
            },
            Header {
                program: Program::Qemu,
                ..ours
            },
            Header {
                kind: Kind::Reply,
                ..ours
            },
            Header {
                kind: Kind::Call,
                ..ours
            },
        ];
        for header in wrong {
            let packet = header.packet(b"x");
            assert_eq!(read(&packet), Err(Malformed::BadHeader), "{header:?}");
        }
        let with_bytes = stream_header(7, Status::Ok).packet(b"x");
        assert_eq!(read(&with_bytes), Err(Malformed::Trailing));
        let torn = stream_header(7, Status::Error).packet(&[0; 43]);
        assert_eq!(read(&torn), Err(Malformed::Short));
    }

    #[test]
    fn events_and_pings_are_passed_over() {
        let header = Header {
            program: Program::Keepalive,
            procedure: 1,
            kind: Kind::Message,
            serial: 0,
            status: Status::Ok,
        };
        assert_eq!(read(&header.packet(&[])), Ok(Arrived::Message));
    }
}
