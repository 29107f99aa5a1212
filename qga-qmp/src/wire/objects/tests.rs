use super::*;

const LIMITS: Limits = Limits {
    bytes: 200,
    depth: 4,
    items: 5,
};

/// What is found when the bytes come in pieces of this size.
fn found(text: &[u8], piece: usize) -> Result<Vec<Found>, Malformed> {
    let mut objects = Objects::new(LIMITS);
    let mut found = Vec::new();
    for mut bytes in text.chunks(piece) {
        while let Some(next) = objects.next(&mut bytes)? {
            found.push(next);
        }
        assert!(objects.object.len() <= LIMITS.bytes);
    }
    Ok(found)
}

fn texts(found: &[Found]) -> Vec<&str> {
    let mut texts = Vec::new();
    for found in found {
        texts.push(match found {
            Found::Object(object) => std::str::from_utf8(object).unwrap(),
            Found::Excess(_) => "excess",
        });
    }
    texts
}

#[test]
fn objects_are_found_wherever_the_bytes_are_cut() {
    let text =
        b"\r\n{\"a\": 1}{\"b\": {\"c\": [\"}\", \"\\\"]\"]}}\r\n{\n    \"d\": \"\\\\\"\n}\n {}";
    let expected = [
        "{\"a\": 1}",
        "{\"b\": {\"c\": [\"}\", \"\\\"]\"]}}",
        "{\n    \"d\": \"\\\\\"\n}",
        "{}",
    ];
    for piece in 1..=text.len() {
        assert_eq!(texts(&found(text, piece).unwrap()), expected, "{piece}");
    }
}

#[test]
fn what_begins_as_no_object_is_refused() {
    for (text, reason) in [
        (&b"hello"[..], Malformed::NotJson),
        (b"{} \xFF{}", Malformed::NotJson),
        (b"[{}]", Malformed::NotAnObject),
        (b"\"a\"", Malformed::NotAnObject),
        (b"12", Malformed::NotAnObject),
        (b"true", Malformed::NotAnObject),
        (b"}", Malformed::NotJson),
    ] {
        for piece in [1, text.len()] {
            assert_eq!(found(text, piece), Err(reason), "{text:?}");
        }
    }
}

#[test]
fn what_is_beyond_a_limit_is_passed_over_and_the_next_object_is_found() {
    let long = format!("{{\"return\": \"{}\", \"id\": 7}}", "x".repeat(5_000));
    for (text, limit, id) in [
        (long.as_str(), Limit::Bytes, Some(7)),
        ("{\"return\": [[[[[]]]]], \"id\": 8}", Limit::Depth, Some(8)),
        (
            "{\"return\": [1,2,3,4,5,6], \"id\" : 9 }",
            Limit::Items,
            Some(9),
        ),
        (
            "{\"id\": 3, \"error\": {\"desc\": [1,2,3,4,5,6]}}",
            Limit::Items,
            Some(3),
        ),
        ("{\"return\": [1,2,3,4,5,6]}", Limit::Items, None),
        // An id within the value, or within a text, is not that of the reply.
        (
            "{\"return\": {\"a\": [1,2,3,4,5,6], \"id\": 4}}",
            Limit::Items,
            None,
        ),
        (
            "{\"return\": [1,2,3,4,5,\"\\\"id\\\": 4}\"]}",
            Limit::Items,
            None,
        ),
    ] {
        let both = format!("{text}\r\n{{\"event\": \"X\"}}");
        for piece in [1, 3, both.len()] {
            let found = found(both.as_bytes(), piece).unwrap();
            assert_eq!(texts(&found), ["excess", "{\"event\": \"X\"}"]);
            let Found::Excess(excess) = &found[0] else {
                panic!("{found:?}");
            };
            assert_eq!((excess.limit, excess.id()), (limit, id), "{text}");
            assert!(excess.head.len() <= KEPT && excess.tail.len() <= KEPT);
            assert!(!excess.is_event());
        }
    }
}

/// Which limit is told must not depend on where the bytes were cut.
#[test]
fn of_several_limits_the_one_that_comes_first_is_told_wherever_the_bytes_are_cut() {
    let (long, deep) = ("x".repeat(300), "[[[[[[]]]]]]");
    for (text, limit) in [
        (
            format!("{{\"a\": \"{long}\", \"b\": {deep}}}"),
            Limit::Bytes,
        ),
        (
            format!("{{\"b\": {deep}, \"a\": \"{long}\"}}"),
            Limit::Depth,
        ),
    ] {
        for piece in [1, 7, 64, text.len()] {
            let found = found(text.as_bytes(), piece).unwrap();
            assert!(
                matches!(&found[..], [Found::Excess(excess)] if excess.limit == limit),
                "{piece}: {found:?}"
            );
        }
    }
}

#[test]
fn an_event_that_is_too_large_is_known_by_its_beginning() {
    for start in ["{\"timestamp\": {}", "{\n    \"event\": \"X\""] {
        let text = format!("{start}, \"data\": [1,2,3,4,5,6,7]}}");
        let found = found(text.as_bytes(), 2).unwrap();
        assert!(matches!(&found[..], [Found::Excess(excess)] if excess.is_event()));
    }
}

#[test]
fn an_object_without_end_takes_no_memory() {
    let mut objects = Objects::new(LIMITS);
    for _ in 0..10_000 {
        let mut bytes = &b"{\"a\": [1, 2, \"..................\", "[..];
        assert_eq!(objects.next(&mut bytes), Ok(None));
        assert!(bytes.is_empty());
    }
    assert!(objects.object.capacity() <= 2 * LIMITS.bytes);
    assert!(objects.commas.len() <= LIMITS.depth);
}
