use super::{Value, number, utf8};

/// Appends a value as the agent spells it: ASCII, `": "` and `", "`, members by hash.
pub(crate) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::UInt(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Double(number) => out.extend_from_slice(number::spell(*number).as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                separate(index, out);
                write(value, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (index, (name, value)) in object.in_wire_order().into_iter().enumerate() {
                separate(index, out);
                write_string(name, out);
                out.extend_from_slice(b": ");
                write(value, out);
            }
            out.push(b'}');
        }
    }
}

/// Appends a value over several lines, as a monitor does with `pretty=on`.
pub(crate) fn write_pretty(value: &Value, out: &mut Vec<u8>) {
    write_indented(value, 0, out);
}

fn write_indented(value: &Value, depth: usize, out: &mut Vec<u8>) {
    match value {
        Value::Array(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                next_line(index, depth + 1, out);
                write_indented(value, depth + 1, out);
            }
            end_line(depth, out);
            out.push(b']');
        }
        Value::Object(object) => {
            out.push(b'{');
            for (index, (name, value)) in object.in_wire_order().into_iter().enumerate() {
                next_line(index, depth + 1, out);
                write_string(name, out);
                out.extend_from_slice(b": ");
                write_indented(value, depth + 1, out);
            }
            end_line(depth, out);
            out.push(b'}');
        }
        value => write(value, out),
    }
}

fn next_line(index: usize, depth: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
    end_line(depth, out);
}

fn end_line(depth: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
    out.resize(out.len() + 4 * depth, b' ');
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.extend_from_slice(b", ");
    }
}

fn write_string(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let plain = |byte: &&u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        let length = if plain(&&byte) {
            let run = rest.iter().take_while(plain).count();
            out.extend(rest.iter().take(run));
            run
        } else {
            let (code, length) = utf8::decode(rest);
            escape(code.unwrap_or(0xFFFD), out);
            length
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push(b'"');
}

fn escape(code: u32, out: &mut Vec<u8>) {
    let short = match code {
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        0x22 => b'"',
        0x5C => b'\\',
        _ => {
            let mut units = [0; 2];
            let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            for unit in character.encode_utf16(&mut units) {
                out.extend_from_slice(format!("\\u{unit:04X}").as_bytes());
            }
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::wire::json::{Object, Value};

    fn spelled(value: &Value) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_ascii_with_upper_case_escapes() {
        let text = "a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}\u{e9}\u{20ac}\u{1F600}\0";
        let wanted = r#""a\"\\/\b\f\n\r\t\u001F\u007F\u00E9\u20AC\uD83D\uDE00\u0000""#;
        assert_eq!(spelled(&text.into()), wanted);
    }

    #[test]
    fn bytes_that_are_no_text_become_one_mark_for_each_broken_sequence() {
        assert_eq!(
            spelled(&Value::String(b"\xE2\x82x\xFF\xFE".to_vec())),
            r#""\uFFFDx\uFFFD\uFFFD""#
        );
    }

    #[test]
    fn members_come_by_hash_and_the_last_of_a_bucket_first() {
        let load = Object::of([
            ("load1m", Value::Double(0.5)),
            ("load5m", Value::Double(2.0)),
            ("load15m", Value::Null),
        ]);
        let wanted = r#"{"load15m": null, "load5m": 2, "load1m": 0.5}"#;
        assert_eq!(spelled(&Value::Object(load)), wanted);
        let read = Object::of([
            ("count", 3.into()),
            ("buf-b64", "YWJj".into()),
            ("eof", true.into()),
        ]);
        let wanted = r#"{"count": 3, "buf-b64": "YWJj", "eof": true}"#;
        assert_eq!(spelled(&Value::Object(read)), wanted);
    }

    #[test]
    fn nothing_stands_inside_empty_brackets() {
        let value = Value::Array(vec![Value::Array(vec![]), Value::Object(Object::default())]);
        assert_eq!(spelled(&value), "[[], {}]");
    }
}
