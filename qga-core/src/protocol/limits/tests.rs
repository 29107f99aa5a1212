use super::*;

fn check(depth: usize, items: usize, line: &str) -> Result<(), Malformed> {
    let limits = ReplyLimits {
        depth,
        items,
        ..ReplyLimits::DEFAULT
    };
    limits
        .check(line.as_bytes())
        .map(|text| assert_eq!(text, line))
}

#[test]
fn a_list_or_an_object_may_have_so_many_items_and_no_more() {
    let cases = [
        ("{\"return\": [1, 2, 3], \"id\": 1}", 3),
        ("{\"return\": {\"a\": 1, \"b\": 2}}", 2),
        ("{\"return\": [[1, 2], [3, 4], [5, 6], [7, 8]]}", 4),
        ("{\"return\": [{\"a\": [1, 2, 3, 4, 5]}, 2]}", 5),
        ("{\"return\": [[1, 2], 3, 4]}", 3),
    ];
    for (line, items) in cases {
        assert_eq!(check(100, items, line), Ok(()), "{line}");
        let more = check(100, items - 1, line);
        assert_eq!(more, Err(Malformed::TooManyItems), "{line}");
    }
}

#[test]
fn the_members_of_the_reply_itself_are_not_counted() {
    assert_eq!(
        check(100, 1, "{\"return\": [1], \"id\": 1, \"more\": 2}"),
        Ok(())
    );
}

#[test]
fn what_stands_in_a_string_is_neither_a_bracket_nor_a_comma() {
    for text in ["a,b,c,d", "[[[{{{", "\\\",,,", "\\\\", "\\\\\\\",,"] {
        let line = format!("{{\"return\": [\"{text}\", 2]}}");
        assert_eq!(check(2, 2, &line), Ok(()), "{line}");
        assert_eq!(check(2, 1, &line), Err(Malformed::TooManyItems), "{line}");
        assert_eq!(check(1, 2, &line), Err(Malformed::TooDeep), "{line}");
    }
}

#[test]
fn brackets_nest_so_deep_and_no_deeper() {
    for (line, depth) in [
        ("{\"return\": {}}", 2),
        ("{\"return\": [[[]], {\"a\": [[1]]}]}", 5),
        ("{\"return\": [[], [], [], []]}", 3),
        ("]]]]{\"return\": [[]]}", 3),
    ] {
        assert_eq!(check(depth, 100, line), Ok(()), "{line}");
        assert_eq!(
            check(depth - 1, 100, line),
            Err(Malformed::TooDeep),
            "{line}"
        );
    }
}

#[test]
fn a_string_without_an_end_is_left_to_the_parser() {
    assert_eq!(check(1, 1, "{\"return\": \"[[[,,,"), Ok(()));
    assert_eq!(check(1, 1, "{\"a\\"), Ok(()));
}
