use super::*;

#[test]
fn comments_and_documentation_are_skipped() {
    let schema = parse(
        "# a comment\n\
         ##\n# @A: documented, with 'quotes' { and } brackets\n#\n# Since: 1.0\n##\n\
         { 'struct': 'A', # at the end of a line\n  'data': { } }\n",
    );
    assert_eq!(schema.types.len(), 1);
}

#[test]
fn a_pragma_is_taken_note_of() {
    let schema = parse(
        "{ 'pragma': { 'doc-required': true, 'command-name-exceptions': [ 'a_b' ],\n\
         'command-returns-exceptions': [ 'a' ], 'member-name-exceptions': [ 'B' ],\n\
         'documentation-exceptions': [ 'B' ] } }",
    );
    assert_eq!(schema.pragmas.len(), 5);
    assert_eq!(schema.pragmas[0].text, "doc-required");
}

#[test]
fn a_struct_has_members_and_optional_ones() {
    let schema = parse("{ 'struct': 'A', 'data': { 'a': 'int', '*b-c': [ 'str' ] } }");
    let members = schema.types[0].own_members();
    assert_eq!(names(members), ["a", "b-c"]);
    assert!(!members[0].optional && !members[0].ty.list);
    assert!(members[1].optional && members[1].ty.list);
    assert_eq!(members[1].ty.name.text, "str");
}

#[test]
fn the_members_of_a_base_come_first() {
    let schema = parse(
        "{ 'struct': 'C', 'base': 'B', 'data': { 'c': 'int' } }\n\
         { 'struct': 'B', 'base': 'A', 'data': { 'b': 'int' } }\n\
         { 'struct': 'A', 'data': { 'a': 'int' } }",
    );
    let members = schema.members_of(&schema.types[0]);
    let names: Vec<_> = members
        .iter()
        .map(|(owner, member)| format!("{}.{}", owner.name, member.name))
        .collect();
    assert_eq!(names, ["A.a", "B.b", "C.c"]);
}

#[test]
fn an_enum_has_conditional_and_featured_values() {
    let schema = parse(
        "{ 'enum': 'E', 'prefix': 'E_E', 'data': [ 'a', '9p',\n\
         { 'name': 'b', 'if': { 'not': 'CONFIG_X' }, 'features': [ 'deprecated' ] } ] }",
    );
    let Kind::Enum { values, prefix } = &schema.types[0].kind else {
        panic!("{:?}", schema.types[0].kind);
    };
    assert_eq!(prefix.as_ref().unwrap().text, "E_E");
    assert_eq!(values[1].name.text, "9p");
    assert_eq!(
        values[2].condition.as_ref().unwrap().to_string(),
        "not(CONFIG_X)"
    );
    assert_eq!(values[2].features[0].name.text, "deprecated");
}

#[test]
fn a_union_has_a_base_and_branches() {
    let schema = parse(
        "{ 'enum': 'K', 'data': [ 'x', 'y' ] }\n\
         { 'struct': 'X', 'data': { 'x': 'int' } }\n\
         { 'struct': 'B', 'data': { 'kind': 'K' } }\n\
         { 'union': 'U', 'base': { 'kind': 'K', 'n': 'int' }, 'discriminator': 'kind',\n\
           'data': { 'x': { 'type': 'X', 'if': 'CONFIG_X' } } }\n\
         { 'union': 'V', 'base': 'B', 'discriminator': 'kind', 'data': { 'y': 'X' } }",
    );
    let inline = schema.type_named("U").unwrap();
    assert_eq!(names(inline.own_members()), ["kind", "n"]);
    assert_eq!(names(inline.branches()), ["x"]);
    assert!(inline.branches()[0].condition.is_some());
    let named = schema.type_named("V").unwrap();
    assert!(matches!(&named.kind, Kind::Union { base: Base::Named(base), .. } if base.text == "B"));
}

#[test]
fn an_alternate_has_branches_that_json_tells_apart() {
    let schema = parse(
        "{ 'enum': 'E', 'data': [ 'a' ] }\n{ 'struct': 'S', 'data': { } }\n\
         { 'alternate': 'A', 'data': { 'n': 'int', 'e': 'E', 'b': 'bool', 's': 'S',\n\
           'l': [ 'int' ], 'z': 'null' } }",
    );
    assert_eq!(schema.types[2].branches().len(), 6);
}

#[test]
fn a_command_has_its_arguments_by_name_or_inline() {
    let schema = parse(
        "{ 'struct': 'S', 'data': { 'a': 'int' } }\n\
         { 'command': 'by-name', 'data': 'S', 'boxed': true }\n\
         { 'command': 'inline', 'data': { '*a': 'S' } }\n{ 'command': 'none' }",
    );
    assert!(matches!(&schema.commands[0].data, Data::Named(name) if name.text == "S"));
    assert!(schema.commands[0].boxed);
    assert!(matches!(&schema.commands[1].data, Data::Inline(members) if members[0].optional));
    assert!(matches!(schema.commands[2].data, Data::None));
}

#[test]
fn a_command_says_what_it_returns_and_when() {
    let schema = parse(
        "{ 'command': 'a', 'returns': [ 'int' ], 'gen': false, 'allow-oob': true,\n\
           'allow-preconfig': true, 'coroutine': true }\n\
         { 'command': 'b', 'success-response': false }",
    );
    let returns = schema.commands[0].returns.as_ref().unwrap();
    assert!(returns.list && returns.name.text == "int");
    assert!(!schema.commands[0].generated && schema.commands[0].success_response);
    assert!(schema.commands[1].generated && !schema.commands[1].success_response);
}

#[test]
fn conditions_nest() {
    let schema = parse(
        "{ 'command': 'a', 'if': { 'all': [ 'CONFIG_A',\n\
           { 'any': [ 'CONFIG_B', { 'not': 'CONFIG_C' } ] } ] } }",
    );
    let condition = schema.commands[0].condition.as_ref().unwrap();
    assert_eq!(
        condition.to_string(),
        "(CONFIG_A and (CONFIG_B or not(CONFIG_C)))"
    );
    assert!(condition.holds(&|option| option == "CONFIG_A"));
    assert!(!condition.holds(&|option| option != "CONFIG_B"));
}

#[test]
fn definitions_and_members_have_features() {
    let schema = parse(
        "{ 'struct': 'S', 'data': { 'a': { 'type': 'int', 'features': [ 'unstable' ] } },\n\
           'features': [ 'f', { 'name': 'g', 'if': 'CONFIG_G' } ] }",
    );
    assert_eq!(schema.types[0].features[1].name.text, "g");
    assert!(schema.types[0].features[1].condition.is_some());
    assert_eq!(
        schema.types[0].own_members()[0].features[0].name.text,
        "unstable"
    );
}

#[test]
fn an_event_has_data() {
    let schema = parse("{ 'event': 'HOT', 'data': { 'celsius': 'int' }, 'if': 'CONFIG_E' }");
    assert!(matches!(&schema.events[0].data, Data::Inline(members) if members.len() == 1));
}

#[test]
fn a_vendor_puts_its_domain_before_a_name() {
    let schema = parse("{ 'command': '__com.example_reboot', 'data': { '__org.x_y': 'int' } }");
    assert_eq!(schema.commands[0].name.text, "__com.example_reboot");
}
