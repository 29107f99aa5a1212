//! The procedures that are called, with their arguments and results.

use super::event::Topic;
use super::packet::Program;
use super::types::{Authentication, Domain, Uuid};
use super::xdr::{Decoder, Encoder, Malformed};

/// The most entries that lists may have.
const MOST_AUTHENTICATIONS: usize = 32;
const MOST_DOMAINS: usize = 16_384;

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
    /// Whether nothing is to be changed.
    pub(crate) is_read_only: bool,
}

/// The version of the daemon: 9.0.1 is `9_000_001`.
pub(crate) struct LibVersion;

/// The domain of this name.
pub(crate) struct LookupByName<'a>(pub(crate) &'a str);

/// The domain of this UUID.
pub(crate) struct LookupByUuid(pub(crate) Uuid);

/// All domains, whether they run or not.
pub(crate) struct ListAllDomains;

/// Whether a domain runs, as a number, and why, as another.
pub(crate) struct GetState<'a>(pub(crate) &'a Domain);

/// Asks to be told of all domains.
pub(crate) struct Register(pub(crate) Topic);

/// How a domain is built, as XML; of one that runs, also how it is.
pub(crate) struct XmlDesc<'a>(pub(crate) &'a Domain);

/// Sends a request to a domain's guest agent. It returns the reply as the daemon has written it again.
pub(crate) struct AgentCommand<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) request: &'a str,
    /// Must be at least 1: with 0 the daemon may mix replies up.
    pub(crate) seconds: i32,
}

/// Opens a port of a domain as a stream of bytes. The port must have a name: without one, the domain's first is opened.
pub(crate) struct OpenChannel<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) port: &'a str,
    /// Whether it is taken away from who has it.
    pub(crate) is_forced: bool,
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
        let flags = u32::from(self.is_read_only);
        encoder.optional_text(Some(self.uri)).u32(flags);
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

impl Procedure for ListAllDomains {
    const NUMBER: u32 = 273;
    type Reply = Vec<Domain>;

    fn encode(&self, encoder: &mut Encoder) {
        // The list is wanted and not only its length, and nobody is left out.
        encoder.i32(1).u32(0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self::Reply, Malformed> {
        let domains = decoder.list(MOST_DOMAINS, Domain::decode)?;
        let _count = decoder.u32()?;
        Ok(domains)
    }
}

impl Procedure for GetState<'_> {
    const NUMBER: u32 = 212;
    type Reply = (i32, i32);

    fn encode(&self, encoder: &mut Encoder) {
        self.0.encode(encoder);
        encoder.u32(0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<(i32, i32), Malformed> {
        Ok((decoder.i32()?, decoder.i32()?))
    }
}

impl Procedure for Register {
    const NUMBER: u32 = 316;
    type Reply = ();

    fn encode(&self, encoder: &mut Encoder) {
        // No domain is named, so all are meant.
        encoder.i32(self.0.number()).u32(0);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<(), Malformed> {
        let _callback = decoder.i32()?;
        Ok(())
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

impl Procedure for OpenChannel<'_> {
    const NUMBER: u32 = 296;
    type Reply = ();

    fn encode(&self, encoder: &mut Encoder) {
        self.domain.encode(encoder);
        encoder.optional_text(Some(self.port));
        encoder.u32(u32::from(self.is_forced));
    }

    fn decode(_: &mut Decoder<'_>) -> Result<(), Malformed> {
        Ok(())
    }
}
