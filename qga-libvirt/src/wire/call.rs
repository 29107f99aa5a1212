//! The procedures that are called, with their arguments and results.

use super::packet::Program;
use super::types::{Authentication, Domain, Uuid};
use super::xdr::{Decoder, Encoder, Malformed};

/// The most entries that a list may have.
const MOST_AUTHENTICATIONS: usize = 32;

/// A procedure of the daemon, with its arguments.
pub(crate) trait Procedure {
    const PROGRAM: Program = Program::Remote;
    const NUMBER: u32;
    /// What it returns.
    type Reply;

    fn encode(&self, encoder: &mut Encoder);

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self::Reply, Malformed>;
}

/// The arguments of a call as a payload.
pub(crate) fn payload<P: Procedure>(call: &P) -> Vec<u8> {
    let mut encoder = Encoder::default();
    call.encode(&mut encoder);
    encoder.into_bytes()
}

/// What the payload of a reply returns.
pub(crate) fn reply<P: Procedure>(payload: &[u8]) -> Result<P::Reply, Malformed> {
    let mut decoder = Decoder::new(payload);
    let reply = P::decode(&mut decoder)?;
    decoder.end()?;
    Ok(reply)
}

/// How this client may prove who it is. Must come before [`Open`], since to ask lets root in.
pub(crate) struct AuthList;

/// Lets the daemon ask polkit about this process.
pub(crate) struct AuthPolkit;

/// Opens the driver of a URI, such as `qemu:///system`.
pub(crate) struct Open<'a> {
    pub(crate) uri: &'a str,
}

/// The version of the daemon: 9.0.1 is `9_000_001`.
pub(crate) struct LibVersion;

/// The domain of this name.
pub(crate) struct LookupByName<'a>(pub(crate) &'a str);

/// The domain of this UUID.
pub(crate) struct LookupByUuid(pub(crate) Uuid);

/// How a domain is built, as XML; of one that runs, also how it is.
pub(crate) struct XmlDesc<'a>(pub(crate) &'a Domain);

/// Sends a request to a domain's guest agent. It returns the reply as the daemon has written it again.
pub(crate) struct AgentCommand<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) request: &'a str,
    /// Must be at least 1: with 0 the daemon may mix replies up.
    pub(crate) seconds: i32,
}

impl Procedure for AuthList {
    const NUMBER: u32 = 66;
    type Reply = Vec<Authentication>;

    fn encode(&self, _: &mut Encoder) {}

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self::Reply, Malformed> {
        decoder.list(MOST_AUTHENTICATIONS, |decoder| {
            decoder.u32().map(Authentication::of)
        })
    }
}

impl Procedure for AuthPolkit {
    const NUMBER: u32 = 70;
    /// Whether the client is let in.
    type Reply = bool;

    fn encode(&self, _: &mut Encoder) {}

    fn decode(decoder: &mut Decoder<'_>) -> Result<bool, Malformed> {
        Ok(decoder.i32()? == 1)
    }
}

impl Procedure for Open<'_> {
    const NUMBER: u32 = 1;
    type Reply = ();

    fn encode(&self, encoder: &mut Encoder) {
        encoder.optional_text(Some(self.uri)).u32(0);
    }

    fn decode(_: &mut Decoder<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}

impl Procedure for LibVersion {
    const NUMBER: u32 = 157;
    type Reply = u64;

    fn encode(&self, _: &mut Encoder) {}

    fn decode(decoder: &mut Decoder<'_>) -> Result<u64, Malformed> {
        decoder.u64()
    }
}

impl Procedure for LookupByName<'_> {
    const NUMBER: u32 = 23;
    type Reply = Domain;

    fn encode(&self, encoder: &mut Encoder) {
        encoder.text(self.0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Domain, Malformed> {
        Domain::decode(decoder)
    }
}

impl Procedure for LookupByUuid {
    const NUMBER: u32 = 24;
    type Reply = Domain;

    fn encode(&self, encoder: &mut Encoder) {
        self.0.encode(encoder);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Domain, Malformed> {
        Domain::decode(decoder)
    }
}

impl Procedure for XmlDesc<'_> {
    const NUMBER: u32 = 14;
    type Reply = String;

    fn encode(&self, encoder: &mut Encoder) {
        self.0.encode(encoder);
        encoder.u32(0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<String, Malformed> {
        decoder.text().map(str::to_owned)
    }
}

impl Procedure for AgentCommand<'_> {
    const PROGRAM: Program = Program::Qemu;
    const NUMBER: u32 = 3;
    type Reply = Option<String>;

    fn encode(&self, encoder: &mut Encoder) {
        self.domain.encode(encoder);
        encoder.text(self.request);
        encoder.i32(self.seconds.max(1)).u32(0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Option<String>, Malformed> {
        decoder.optional(|decoder| decoder.text().map(str::to_owned))
    }
}
