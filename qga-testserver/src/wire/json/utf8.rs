//! Modified UTF-8: the agent keeps U+0000 as the two bytes C0 80, because its strings end at a zero.

/// The code point at the start of `bytes`, if it is a valid one, and how many bytes it or the
/// broken sequence takes. `bytes` is not empty.
pub(super) fn decode(bytes: &[u8]) -> (Option<u32>, usize) {
    let Some((&lead, rest)) = bytes.split_first() else {
        return (None, 0);
    };
    let length = match lead {
        0x00..=0x7F => return (Some(u32::from(lead)), 1),
        0x80..=0xBF | 0xFE | 0xFF => return (None, 1),
        _ => lead.leading_ones() as usize,
    };
    let mut code = u32::from(lead) & (0x7F >> length);
    for taken in 1..length {
        match rest.get(taken - 1) {
            Some(&byte) if byte & 0xC0 == 0x80 => code = (code << 6) | u32::from(byte & 0x3F),
            _ => return (None, taken),
        }
    }
    let zero = code == 0 && length == 2;
    let shortest = zero || code >= smallest(length);
    ((is_character(code) && shortest).then_some(code), length)
}

/// Appends a code point, unless it is a surrogate, a non-character or out of range.
pub(super) fn encode(code: u32, text: &mut Vec<u8>) -> Option<()> {
    if code == 0 {
        text.extend_from_slice(&[0xC0, 0x80]);
        return Some(());
    }
    let character = char::from_u32(code).filter(|_| is_character(code))?;
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(())
}

/// The smallest code point that needs a sequence of this length.
fn smallest(length: usize) -> u32 {
    match length {
        2 => 0x80,
        3 => 0x800,
        4 => 0x1_0000,
        _ => u32::MAX,
    }
}

fn is_character(code: u32) -> bool {
    let surrogate = (0xD800..=0xDFFF).contains(&code);
    let non_character = (0xFDD0..=0xFDEF).contains(&code) || code & 0xFFFE == 0xFFFE;
    code <= 0x10_FFFF && !surrogate && !non_character
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn a_zero_is_two_bytes_both_ways() {
        let mut text = Vec::new();
        assert_eq!(encode(0, &mut text), Some(()));
        assert_eq!(text, [0xC0, 0x80]);
        assert_eq!(decode(&text), (Some(0), 2));
    }

    #[test]
    fn broken_sequences_take_what_belonged_to_them() {
        assert_eq!(decode(b"\xE2\x82x"), (None, 2));
        assert_eq!(decode(b"\xE2\x82"), (None, 2));
        assert_eq!(decode(b"\x82\x82"), (None, 1));
        assert_eq!(decode(b"\xFF\x82"), (None, 1));
        assert_eq!(decode(b"\xF8\x88\x80\x80\x80"), (None, 5));
    }

    #[test]
    fn overlong_surrogate_and_non_character_sequences_are_refused() {
        for bytes in [
            &b"\xC1\x81"[..],
            b"\xE0\x80\x80",
            b"\xED\xA0\x80",
            b"\xEF\xBF\xBE",
        ] {
            assert_eq!(decode(bytes), (None, bytes.len()), "{bytes:x?}");
        }
        assert_eq!(decode("\u{10FFFD}".as_bytes()), (Some(0x10_FFFD), 4));
    }
}
