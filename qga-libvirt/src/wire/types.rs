//! What the daemon's calls and replies are made of.

use std::fmt;
use std::str::FromStr;

use super::xdr::{Decoder, Encoder, Malformed};

/// The longest name of a domain, in bytes. Real ones are parts of file names.
const LONGEST_NAME: usize = 1024;

/// The number by which a domain is known for as long as it is defined.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Uuid(pub(crate) [u8; 16]);

/// A machine, as the daemon tells of it. Only its UUID is asked for in calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Domain {
    pub(crate) name: String,
    pub(crate) uuid: Uuid,
    /// Given anew at each start; `None` while it is off.
    pub(crate) id: Option<i32>,
}

/// How a client may prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authentication {
    /// It need not.
    None,
    Sasl,
    Polkit,
    /// In a way that nobody here knows.
    Other(u32),
}

impl Uuid {
    pub(crate) fn encode(&self, encoder: &mut Encoder) {
        encoder.fixed(&self.0);
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Malformed> {
        decoder.fixed().map(Self)
    }
}

/// Reads the form with four dashes, in small or large letters.
impl FromStr for Uuid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        const DASHES: [usize; 4] = [8, 13, 18, 23];
        let is_dash = |(place, byte): (usize, u8)| (byte == b'-') == DASHES.contains(&place);
        if text.len() != 36 || !text.bytes().enumerate().all(is_dash) {
            return Err(());
        }
        let digits = text.chars().filter_map(|digit| digit.to_digit(16));
        let digits: Vec<_> = digits
            .filter_map(|digit| u8::try_from(digit).ok())
            .collect();
        let mut uuid = [0; 16];
        let (pairs, []) = digits.as_chunks() else {
            return Err(());
        };
        if pairs.len() != uuid.len() {
            return Err(());
        }
        for (byte, [high, low]) in uuid.iter_mut().zip(pairs) {
            *byte = high << 4 | low;
        }
        Ok(Self(uuid))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            let dash = if matches!(place, 4 | 6 | 8 | 10) {
                "-"
            } else {
                ""
            };
            write!(f, "{dash}{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Domain {
    pub(crate) fn encode(&self, encoder: &mut Encoder) {
        encoder.text(&self.name);
        self.uuid.encode(encoder);
        encoder.i32(self.id.unwrap_or(-1));
    }

    pub(crate) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let name = decoder.text()?;
        if name.len() > LONGEST_NAME {
            return Err(Malformed::TooLong);
        }
        let name = name.to_owned();
        let uuid = Uuid::decode(decoder)?;
        let id = decoder.i32()?;
        Ok(Self {
            name,
            uuid,
            id: (id >= 0).then_some(id),
        })
    }
}

impl Authentication {
    pub(crate) fn of(number: u32) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Sasl,
            2 => Self::Polkit,
            number => Self::Other(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_reads_back_as_itself_and_nothing_else_is_one() {
        let text = "fbcafc8b-96f3-4d07-a236-3bc2dfea713f";
        let uuid: Uuid = text.parse().unwrap();
        assert_eq!(uuid.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(uuid));
        for wrong in [
            "",
            "vm1",
            "fbcafc8b96f34d07a2363bc2dfea713f",
            "fbcafc8b-96f3-4d07-a236-3bc2dfea713",
            "fbcafc8b-96f3-4d07-a236-3bc2dfea713ff",
            "fbcafc8b-96f3-4d07-a236-3bc2dfea713g",
            "fbcafc8b-96f3-4d07-a2363-bc2dfea713f",
            "fbcafc8b-96f3-4d07-a236-3bc2dfea7é3",
        ] {
            assert_eq!(wrong.parse::<Uuid>(), Err(()), "{wrong}");
        }
    }
}
