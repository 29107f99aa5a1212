//! What an agent is known by beyond this process, in few letters.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::Identity;

/// Parts of two checksums, one of what tells the boot and one of what tells the process.
///
/// They take the place of what they are of since that says where in the guest's memory its agent is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint {
    boot: Option<u64>,
    process: Option<u64>,
}

/// Stands for what is not known.
const UNKNOWN: &str = "-";

impl Fingerprint {
    pub(super) fn of(identity: &Identity) -> Self {
        Self {
            boot: identity.boot.as_deref().map(digest),
            process: identity
                .process
                .as_ref()
                .map(|fields| digest(&fields.join(" "))),
        }
    }

    /// `None` if both tell nothing that could be compared.
    pub(crate) fn differs_from(&self, other: &Self) -> Option<bool> {
        let differ = |one: Option<u64>, other: Option<u64>| Some(one? != other?);
        match (
            differ(self.boot, other.boot),
            differ(self.process, other.process),
        ) {
            (None, None) => None,
            (boot, process) => Some(boot == Some(true) || process == Some(true)),
        }
    }
}

fn digest(text: &str) -> u64 {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter()
        .take(8)
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part =
            |part: Option<u64>| part.map_or(UNKNOWN.to_owned(), |part| format!("{part:016x}"));
        write!(f, "{}.{}", part(self.boot), part(self.process))
    }
}

impl FromStr for Fingerprint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let part = |text: &str| match text {
            UNKNOWN => Ok(None),
            text if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                u64::from_str_radix(text, 16).map(Some).map_err(drop)
            }
            _ => Err(()),
        };
        let (boot, process) = text.split_once('.').ok_or(())?;
        let fingerprint = Self {
            boot: part(boot)?,
            process: part(process)?,
        };
        match fingerprint {
            Self {
                boot: None,
                process: None,
            } => Err(()),
            known => Ok(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_shown() {
        for (boot, process, shown) in [
            (Some(1), Some(u64::MAX), "0000000000000001.ffffffffffffffff"),
            (None, Some(255), "-.00000000000000ff"),
            (Some(255), None, "00000000000000ff.-"),
        ] {
            let fingerprint = Fingerprint { boot, process };
            assert_eq!(fingerprint.to_string(), shown);
            assert_eq!(shown.parse(), Ok(fingerprint));
        }
        for garbage in [
            "",
            ".",
            "-.-",
            "1.2",
            "-.+0000000000000ff",
            "-.00000000000000ff.x",
        ] {
            assert_eq!(garbage.parse::<Fingerprint>(), Err(()), "{garbage}");
        }
    }

    #[test]
    fn what_one_of_two_does_not_tell_makes_no_difference() {
        let of = |boot, process| Fingerprint { boot, process };
        for (one, other, differs) in [
            (of(Some(1), Some(2)), of(Some(1), Some(2)), Some(false)),
            (of(Some(1), Some(2)), of(Some(3), Some(2)), Some(true)),
            (of(Some(1), Some(2)), of(Some(1), Some(3)), Some(true)),
            (of(Some(1), None), of(Some(1), Some(2)), Some(false)),
            (of(Some(1), None), of(None, Some(2)), None),
        ] {
            assert_eq!(one.differs_from(&other), differs);
        }
    }
}
