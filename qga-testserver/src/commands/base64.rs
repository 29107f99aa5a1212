use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::wire::reply::Failure;

/// Bytes as base64 with padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 as the agent reads it, which is `GLib`'s way: characters outside the alphabet are refused,
/// padding is not checked, newlines are nothing, and an incomplete last group is dropped.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0;
    let mut count = 0;
    let mut last_two = [0; 2];
    for &character in text {
        let Some(digit) = digit(character)? else {
            continue;
        };
        group = group << 6 | digit;
        count += 1;
        last_two = [last_two[1], character];
        if count == 4 {
            let [_, first, second, third] = u32::to_be_bytes(group);
            let kept = [
                Some(first),
                (last_two[0] != b'=').then_some(second),
                (last_two[1] != b'=').then_some(third),
            ];
            bytes.extend(kept.into_iter().flatten());
            group = 0;
            count = 0;
        }
    }
    Ok(bytes)
}

fn digit(character: u8) -> Result<Option<u32>, Failure> {
    Ok(Some(u32::from(match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        b'=' => 0,
        b'\n' => return Ok(None),
        _ => return Err(Failure::generic("Base64 data contains invalid characters")),
    })))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn padding_is_not_enforced() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"YWJj", b"abc"),
            (b"YWI=", b"ab"),
            (b"YQ==", b"a"),
            (b"YWI", b""),
            (b"YQ", b""),
            (b"====", b"\0"),
            (b"YQ==YWJj", b"aabc"),
            (b"YW\nJj\n", b"abc"),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode(text).unwrap(), bytes, "{text:?}");
        }
    }

    #[test]
    fn characters_outside_the_alphabet_are_refused() {
        for text in [&b"YW Jj"[..], b"YW-_", b"YWJj\r\n", b"\xC0\x80"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
    }
}
