use super::{Message, Reader};
use crate::wire::json::write;

/// What the reader makes of the input, one line a message; errors start with an exclamation mark.
fn read(chunks: &[&[u8]]) -> Vec<String> {
    read_with(&mut Reader::default(), chunks)
}

fn read_with(reader: &mut Reader, chunks: &[&[u8]]) -> Vec<String> {
    let mut lines = Vec::new();
    for chunk in chunks {
        let mut input = *chunk;
        while let Some(message) = reader.read(&mut input) {
            lines.push(line(&message));
        }
        assert!(input.is_empty());
    }
    lines
}

fn line(message: &Message) -> String {
    match &message.outcome {
        Ok(value) => {
            let mut out = Vec::new();
            write(value, &mut out);
            String::from_utf8(out).unwrap()
        }
        Err(text) => format!("!{}", String::from_utf8_lossy(text)),
    }
}

#[test]
fn a_request_is_whole_at_its_closing_brace_and_not_before() {
    let mut reader = Reader::default();
    assert!(read_with(&mut reader, &[br#"{"a": [1, 'b']"#]).is_empty());
    assert_eq!(read_with(&mut reader, &[b"}"]), [r#"{"a": [1, "b"]}"#]);
}

#[test]
fn input_split_at_every_byte_reads_as_in_one_piece() {
    let input: &[u8] = b"\xff{\"a\":-1.5e3,'b':\"\\u00e9\xc3\xa9\"}12 true{\"x\":@ }[{}]\xfe nul\n";
    let whole = read(&[input]);
    assert_eq!(whole.len(), 8, "{whole:?}");
    for at in 0..input.len() {
        let (first, second) = input.split_at(at);
        assert_eq!(read(&[first, second]), whole, "split at {at}");
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&bytes), whole);
}

#[test]
fn a_top_level_number_or_keyword_is_whole_only_at_the_next_byte() {
    let mut reader = Reader::default();
    assert!(read_with(&mut reader, &[b"12", b"34"]).is_empty());
    assert_eq!(read_with(&mut reader, &[b"\n"]), ["1234"]);
    assert!(read_with(&mut reader, &[b"nul", b"l"]).is_empty());
    assert_eq!(read_with(&mut reader, &[b"\n"]), ["null"]);
}

#[test]
fn grammar_faults_show_when_the_brackets_balance() {
    let cases: [(&[u8], &str); 14] = [
        (b":", "expecting value"),
        (b"{\"a\"}", "missing : in object pair"),
        (b"{\"a\":}", "expecting value"),
        (b"{\"a\":1,}", "expecting value"),
        (b"{,}", "expecting value"),
        (b"{\"a\":1 \"b\":2}", "expected separator in dict"),
        (b"{[]:2}", "key is not a string in object"),
        (b"{a:2}", "invalid keyword 'a'"),
        (b"[1,]", "expecting value"),
        (b"[1 2]", "expected separator in list"),
        (b"{\"a\":1]", "expected separator in dict"),
        (b"[{]}", "expecting value"),
        (b"{\"a\":1,\"a\":2}", "duplicate key"),
        (b"{\"a\":\"\xe9\"}", "invalid UTF-8 sequence in string"),
    ];
    for (input, fault) in cases {
        assert_eq!(
            read(&[input]),
            [format!("!JSON parse error, {fault}")],
            "{input:?}"
        );
    }
}

#[test]
fn braces_and_brackets_are_counted_apart() {
    let mut reader = Reader::default();
    assert!(read_with(&mut reader, &[b"{\"a\":[}", b"{\"execute\":\"x\"}\n"]).is_empty());
    assert_eq!(
        read_with(&mut reader, &[b"\xff{}"]),
        ["!JSON parse error, stray '\u{fffd}'", "{}"]
    );
}

#[test]
fn after_a_stray_byte_input_is_skipped_to_a_structural_character() {
    let lines = read(&[b"@ \"x{y\" \n"]);
    assert_eq!(
        lines,
        [
            "!JSON parse error, stray '@'",
            "!JSON parse error, stray '\" \n'"
        ]
    );
}

#[test]
fn a_control_character_breaks_a_string_and_a_zero_cuts_its_text() {
    assert_eq!(
        read(&[b"{\"a\nb\"}\n"]),
        [
            "!JSON parse error, stray '\"a\n'",
            "!JSON parse error, expecting value"
        ]
    );
    assert_eq!(read(&[b"\"a\0\n"]), ["!JSON parse error, stray '\"a'"]);
}

#[test]
fn nesting_is_limited_and_brackets_start_afresh_after_it() {
    let open = |count| vec![b'['; count];
    let close = |count| vec![b']'; count];
    assert_eq!(read(&[&open(1024), &close(1024)]).len(), 1);
    assert_eq!(read(&[&open(1025)]), ["!JSON nesting depth limit exceeded"]);
    assert_eq!(read(&[&open(100_000)]).len(), 97);
}

#[test]
fn tokens_are_limited_in_number() {
    let mut reader = Reader::default();
    let elements = b"1,".repeat(1 << 20);
    // 2 Mi tokens with the bracket are one too few for an error; the next one is too many.
    assert!(read_with(&mut reader, &[b"[", &elements[..elements.len() - 1]]).is_empty());
    assert_eq!(
        read_with(&mut reader, &[b","]),
        ["!JSON token count limit exceeded"]
    );
}

/// Bytes of a string that make `[""]` around it as long as the limit, and one less.
const FILL: usize = (64 << 20) - 4;

#[test]
fn the_tokens_of_a_request_may_be_just_below_64_mib() {
    let mut reader = Reader::default();
    assert!(read_with(&mut reader, &[b"[\"", &vec![b'a'; FILL - 1]]).is_empty());
    let message = reader.read(&mut &b"\"]"[..]).unwrap();
    assert!(message.outcome.is_ok());
}

#[test]
fn the_tokens_of_a_request_may_not_be_64_mib() {
    let lines = read(&[b"[\"", &vec![b'a'; FILL], b"\"]"]);
    assert_eq!(lines, ["!JSON token size limit exceeded"]);
}

#[test]
fn a_token_that_is_too_long_by_itself_is_given_up_before_its_end() {
    let mut reader = Reader::default();
    assert!(read_with(&mut reader, &[b"\"", &vec![b'a'; FILL + 3]]).is_empty());
    assert_eq!(
        read_with(&mut reader, &[b"a"]),
        ["!JSON token size limit exceeded"]
    );
    assert_eq!(read_with(&mut reader, &[b"{}"]), ["{}"]);
}

#[test]
fn the_raw_bytes_of_a_message_are_its_own() {
    let mut reader = Reader::default();
    let mut input: &[u8] = b" @junk\n {'a' : 1} {}";
    assert_eq!(reader.read(&mut input).unwrap().raw, b"@");
    assert_eq!(reader.read(&mut input).unwrap().raw, b"{'a' : 1}");
    assert_eq!(reader.read(&mut input).unwrap().raw, b"{}");
}
