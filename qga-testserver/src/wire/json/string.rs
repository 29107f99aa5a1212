use super::utf8;

/// The bytes that a string token stands for; `token` includes its quotes.
///
/// # Errors
///
/// The text of the first fault.
pub(super) fn decode(token: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    let mut rest = token.get(1..).unwrap_or_default();
    let mut text = Vec::with_capacity(rest.len());
    // The last byte is the closing quote; a short \u escape may run into it.
    while rest.len() > 1 {
        rest = match rest {
            [b'\\', b'u', ..] => unicode_escape(rest, &mut text)?,
            [b'\\', escaped, after @ ..] => {
                text.push(plain_escape(*escaped)?);
                after
            }
            [b' '..=b'~', ..] => {
                let plain = |byte: &&u8| matches!(byte, b' '..=b'~') && **byte != b'\\';
                let run = rest.iter().take(rest.len() - 1).take_while(plain).count();
                let (run, after) = rest.split_at(run);
                text.extend_from_slice(run);
                after
            }
            _ => character(rest, &mut text)?,
        };
    }
    Ok(text)
}

fn plain_escape(escaped: u8) -> Result<u8, Vec<u8>> {
    Ok(match escaped {
        b'"' | b'\'' | b'\\' | b'/' => escaped,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return Err(b"invalid escape sequence in string".to_vec()),
    })
}

fn character<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Vec<u8>> {
    let (code, length) = utf8::decode(rest);
    code.and_then(|code| utf8::encode(code, text))
        .ok_or_else(|| b"invalid UTF-8 sequence in string".to_vec())?;
    Ok(rest.get(length..).unwrap_or_default())
}

fn unicode_escape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], Vec<u8>> {
    let mut length = 6;
    let mut code = hex(rest.get(2..6));
    if let Some(high @ 0xD800..=0xDBFF) = code {
        let second = rest.get(6..).unwrap_or_default();
        let low = second
            .strip_prefix(b"\\u")
            .and_then(|digits| hex(digits.get(..4)));
        if let Some(low @ 0xDC00..=0xDFFF) = low {
            length = 12;
            code = Some(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
        }
    }
    if code.and_then(|code| utf8::encode(code, text)).is_some() {
        return Ok(rest.get(length..).unwrap_or_default());
    }
    let escape = rest.get(..length).unwrap_or(rest);
    Err([escape, b" is not a valid Unicode character"].concat())
}

fn hex(digits: Option<&[u8]>) -> Option<u32> {
    digits?.iter().try_fold(0, |code, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::decode;

    fn error(token: &str) -> String {
        String::from_utf8(decode(token.as_bytes()).unwrap_err()).unwrap()
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        assert_eq!(
            decode(br#""a\"\'\\\/\b\f\n\r\tz""#).unwrap(),
            b"a\"'\\/\x08\x0C\n\r\tz"
        );
        assert_eq!(
            decode(br#""\u00e9\ud83d\ude00""#).unwrap(),
            "\u{e9}\u{1F600}".as_bytes()
        );
        assert_eq!(decode(br"'\u0000'").unwrap(), [0xC0, 0x80]);
    }

    #[test]
    fn a_short_unicode_escape_is_named_up_to_the_end_of_the_token() {
        assert_eq!(
            error(r#""\u12""#),
            r#"\u12" is not a valid Unicode character"#
        );
        assert_eq!(error(r#""\u""#), r#"\u" is not a valid Unicode character"#);
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        assert_eq!(
            error(r#""\ud800\u0041""#),
            r"\ud800 is not a valid Unicode character"
        );
        assert_eq!(
            error(r#""\ud83f\udfff""#),
            r"\ud83f\udfff is not a valid Unicode character"
        );
    }
}
