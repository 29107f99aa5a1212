use super::*;

#[track_caller]
fn expect(text: &str, location: &str, message: &str) {
    assert_eq!(problems(text), format!("t.json:{location}: {message}"));
}

#[test]
fn syntax_is_reported_at_the_token() {
    expect("{ 'a' 'b' }", "1:7", "expected `:`, found 'b'");
    expect(
        "{ 'struct': 'A',\n  'data': { 'a': } }",
        "2:18",
        "expected a value, found `}`",
    );
    expect(
        "{ 'struct': 'A', }",
        "1:18",
        "expected a name in quotes, found `}`",
    );
    expect(
        "[ ]",
        "1:1",
        "expected `{` at the start of a definition, found `[`",
    );
    expect(
        "{ 'a': [ 'b' 'c' ] }",
        "1:14",
        "expected `,` or `]`, found 'c'",
    );
    expect(
        "{ 'a': 'b'",
        "1:11",
        "expected `,` or `}`, found the end of the file",
    );
}

#[test]
fn what_is_no_token_is_reported() {
    expect(
        "{ 'a': maybe }",
        "1:8",
        "`maybe` is neither `true` nor `false`; names have quotes",
    );
    expect("{ 'a': 7 }", "1:8", "`7` has no place here");
    expect("{ \"a\": 'b' }", "1:3", "strings have single quotes");
    expect("{ 'a': 'b\n' }", "1:8", "this string has no closing quote");
    expect("{ 'a': 'b\u{e9}' }", "1:10", "strings are printable ASCII");
    expect("{ 'a': 'b\\n' }", "1:10", "only `\\\\` is an escape");
    expect(
        "##\n# @A:\n{ }",
        "1:1",
        "this block of documentation has no `##` at its end",
    );
}

#[test]
fn brackets_may_not_nest_for_ever() {
    let text = format!("{{ 'a': {} }}", "[ ".repeat(10_000));
    assert!(problems(&text).ends_with("this nests too deep"));
}

#[test]
fn keys_that_mean_nothing_and_values_of_another_kind_are_reported() {
    expect(
        "{ 'strict': 'A' }",
        "1:1",
        "this defines nothing: it has none of `include`, `enum`, `struct`, `union`, `alternate`, `command`, `event`, `pragma`",
    );
    expect(
        "{ 'command': 'a', 'retruns': 'int' }",
        "1:19",
        "command has no `retruns`",
    );
    expect("{ 'struct': 'A' }", "1:1", "struct lacks `data`");
    expect(
        "{ 'struct': 'A', 'struct': 'B' }",
        "1:18",
        "`struct` is there twice",
    );
    expect(
        "{ 'command': 'a', 'gen': 'no' }",
        "1:26",
        "`gen` must be `true` or `false`",
    );
    expect(
        "{ 'command': true }",
        "1:14",
        "`command` must be a name in quotes",
    );
    expect(
        "{ 'command': 'a', 'data': true }",
        "1:27",
        "`data` must be a type's name in quotes or an object",
    );
    expect(
        "{ 'enum': 'E', 'data': 'x' }",
        "1:24",
        "`data` must be a list",
    );
    expect(
        "{ 'struct': 'S', 'data': [ 'x' ] }",
        "1:26",
        "members must be an object",
    );
    expect(
        "{ 'command': 'a', 'if': 'lower' }",
        "1:25",
        "`lower` is no build option",
    );
    expect(
        "{ 'pragma': { 'x': true } }",
        "1:15",
        "there is no pragma `x` of this kind",
    );
}

#[test]
fn an_undefined_type_is_reported_where_it_is_named() {
    expect(
        "{ 'command': 'a', 'returns': 'B' }",
        "1:30",
        "there is no type `B`",
    );
    expect(
        "{ 'struct': 'A', 'data': {\n  'b': [ 'B' ] } }",
        "2:10",
        "there is no type `B`",
    );
    expect(
        "{ 'struct': 'A', 'base': 'B', 'data': { } }",
        "1:26",
        "there is no type `B`",
    );
    expect(
        "{ 'command': 'a', 'data': 'B' }",
        "1:27",
        "there is no type `B`",
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "{ 'command': 'a', 'returns': 'B' }\n{ 'command': 'a', 'returns': 'C' }";
    assert_eq!(
        problems(text),
        "t.json:2:14: the command `a` is there twice\n\
         t.json:1:30: there is no type `B`\n\
         t.json:2:30: there is no type `C`"
    );
}

#[test]
fn a_loop_of_bases_is_reported() {
    let text = "{ 'struct': 'A', 'base': 'B', 'data': { } }\n\
                { 'struct': 'B', 'base': 'A', 'data': { } }";
    assert_eq!(
        problems(text),
        "t.json:1:26: `A` is its own base\nt.json:2:26: `B` is its own base"
    );
    expect(
        "{ 'struct': 'A', 'base': 'A', 'data': { } }",
        "1:26",
        "`A` is its own base",
    );
}

#[test]
fn names_that_are_there_twice_are_reported() {
    let a = "{ 'struct': 'A', 'data': { 'a': 'int' } }";
    expect(
        &format!("{a}\n{{ 'enum': 'A', 'data': [ 'x' ] }}"),
        "2:11",
        "the type `A` is there twice",
    );
    expect(
        "{ 'enum': 'E', 'data': [ 'x', 'x' ] }",
        "1:31",
        "the value `x` is there twice",
    );
    expect(
        "{ 'struct': 'A', 'data': { 'a': 'int', '*a': 'int' } }",
        "1:40",
        "the member `a` is there twice",
    );
    expect(
        &format!("{a}\n{{ 'struct': 'B', 'base': 'A', 'data': {{ 'a': 'int' }} }}"),
        "2:41",
        "the member `a` is in the base `A` too",
    );
    expect(
        "{ 'command': 'c', 'features': [ 'f', 'f' ] }",
        "1:38",
        "the feature `f` is there twice",
    );
}

#[test]
fn names_that_are_none_are_reported() {
    expect(
        "{ 'command': '9 lives' }",
        "1:14",
        "`9 lives` is no valid command name",
    );
    expect(
        "{ 'event': 'HOT!' }",
        "1:12",
        "`HOT!` is no valid event name",
    );
    expect(
        "{ 'struct': 'int', 'data': { } }",
        "1:13",
        "`int` is a type of the language itself",
    );
    expect(
        "{ 'struct': 'A', 'data': { '': 'int' } }",
        "1:28",
        "`` is no valid member name",
    );
}

#[test]
fn a_union_that_nothing_decides_is_reported() {
    let types = "{ 'enum': 'K', 'data': [ 'x' ] }\n{ 'struct': 'X', 'data': { 'k': 'K' } }\n";
    let union = |rest: &str| format!("{types}{{ 'union': 'U', {rest} }}");
    expect(
        &union("'base': { 'n': 'int' }, 'discriminator': 'k', 'data': { 'x': 'X' }"),
        "3:58",
        "the base has no member `k`",
    );
    expect(
        &union("'base': { '*t': 'K' }, 'discriminator': 't', 'data': { 'x': 'X' }"),
        "3:57",
        "`t` is no required enum, so it cannot decide",
    );
    expect(
        &union("'base': { 't': 'K' }, 'discriminator': 't', 'data': { 'y': 'X' }"),
        "3:71",
        "`t` has no value `y`",
    );
    expect(
        &union("'base': { 't': 'K' }, 'discriminator': 't', 'data': { 'x': 'int' }"),
        "3:76",
        "`int` is no struct, so it cannot be a branch",
    );
    expect(
        &union("'base': { 'k': 'K' }, 'discriminator': 'k', 'data': { 'x': 'X' }"),
        "3:76",
        "`X` has the member `k`, as the base has",
    );
}

#[test]
fn a_union_without_a_branch_is_reported() {
    expect(
        "{ 'enum': 'K', 'data': [ 'x' ] }\n\
         { 'union': 'U', 'base': { 't': 'K' }, 'discriminator': 't', 'data': { } }",
        "2:12",
        "`U` has no branch",
    );
}

#[test]
fn an_alternate_that_json_does_not_tell_apart_is_reported() {
    expect(
        "{ 'alternate': 'A', 'data': { 'a': 'int', 'b': 'number' } }",
        "1:43",
        "JSON does not tell `b` from `a`: both are numbers",
    );
    expect(
        "{ 'alternate': 'A', 'data': { 'a': 'any' } }",
        "1:36",
        "`any` cannot be a branch of an alternate",
    );
}

#[test]
fn arguments_that_are_no_struct_are_reported() {
    let types = "{ 'enum': 'E', 'data': [ 'x' ] }\n";
    expect(
        &format!("{types}{{ 'command': 'c', 'data': 'E' }}"),
        "2:27",
        "`E` is no struct",
    );
}
