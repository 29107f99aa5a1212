//! What the daemon tells without being asked.

use super::packet::{Header, Program};
use super::types::Domain;
use super::xdr::{Decoder, Malformed};

/// Of which something is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    /// That a domain starts, stops and so on.
    Lifecycle,
    /// That a guest reboots.
    Reboot,
    /// That a guest opens or closes the port of its agent.
    Agent,
}

/// What the daemon tells of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) domain: Domain,
    pub(crate) news: News,
}

/// The news, with the daemon's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Lifecycle { event: i32, detail: i32 },
    Reboot,
    Agent { state: i32 },
}

impl Topic {
    pub(crate) const ALL: [Self; 3] = [Self::Lifecycle, Self::Reboot, Self::Agent];

    /// By which it is registered.
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Lifecycle => 0,
            Self::Reboot => 1,
            Self::Agent => 18,
        }
    }

    /// Whose messages these are.
    fn of(header: &Header) -> Option<Self> {
        match (header.program, header.procedure) {
            (Program::Remote, 318) => Some(Self::Lifecycle),
            (Program::Remote, 319) => Some(Self::Reboot),
            (Program::Remote, 348) => Some(Self::Agent),
            _ => None,
        }
    }
}

impl Told {
    /// Reads a message; `None` if it is about something else.
    pub(crate) fn read(header: &Header, payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(topic) = Topic::of(header) else {
            return Ok(None);
        };
        let mut decoder = Decoder::new(payload);
        let _callback = decoder.i32()?;
        let domain = Domain::decode(&mut decoder)?;
        let news = match topic {
            Topic::Lifecycle => News::Lifecycle {
                event: decoder.i32()?,
                detail: decoder.i32()?,
            },
            Topic::Reboot => News::Reboot,
            Topic::Agent => {
                let state = decoder.i32()?;
                let _reason = decoder.i32()?;
                News::Agent { state }
            }
        };
        decoder.end()?;
        Ok(Some(Self { domain, news }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{Kind, Status};
    use super::super::types::Uuid;
    use super::super::xdr::Encoder;
    use super::*;

    fn header(procedure: u32) -> Header {
        Header {
            program: Program::Remote,
            procedure,
            kind: Kind::Message,
            serial: 1,
            status: Status::Ok,
        }
    }

    fn domain() -> Domain {
        Domain {
            name: "vm1".into(),
            uuid: Uuid([7; 16]),
            id: Some(3),
        }
    }

    fn payload(numbers: &[i32]) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.i32(5);
        domain().encode(&mut encoder);
        for number in numbers {
            encoder.i32(*number);
        }
        encoder.into_bytes()
    }

    #[test]
    fn each_kind_of_message_is_read() {
        for (procedure, numbers, news) in [
            (
                318,
                &[5, 1][..],
                News::Lifecycle {
                    event: 5,
                    detail: 1,
                },
            ),
            (
                318,
                &[99, -1],
                News::Lifecycle {
                    event: 99,
                    detail: -1,
                },
            ),
            (319, &[], News::Reboot),
            (348, &[1, 2], News::Agent { state: 1 }),
        ] {
            let told = Told::read(&header(procedure), &payload(numbers)).unwrap();
            let domain = domain();
            assert_eq!(told, Some(Told { domain, news }));
        }
    }

    #[test]
    fn other_messages_are_passed_over_and_torn_ones_refused() {
        assert_eq!(Told::read(&header(320), b"?"), Ok(None));
        let whole = payload(&[5, 1]);
        for end in 0..whole.len() {
            Told::read(&header(318), &whole[..end]).unwrap_err();
        }
        Told::read(&header(319), &whole).unwrap_err();
    }
}
