//! Data files that do not fit.

use crate::HEAD;
use qga_codegen::{Config, Files, Schema, generate, skeleton};

fn run(schema: &str, config: &str) -> Result<Files, String> {
    let schema = Schema::parse("s.json", schema).map_err(|problems| problems.to_string())?;
    let config = Config::parse("c.toml", format!("{HEAD}{config}"));
    let config = config.map_err(|problems| problems.to_string())?;
    generate(&schema, &config).map_err(|problems| problems.to_string())
}

#[track_caller]
fn expect(schema: &str, config: &str, problem: &str) {
    assert_eq!(run(schema, config).unwrap_err(), problem);
}

/// The entry of a command or type.
fn entry(of: &str, name: &str, rest: &str) -> String {
    let retry = if of == "commands" {
        "retry = 'Safe'"
    } else {
        ""
    };
    format!("[{of}.{name}]\nmodule = 'm'\nsince = '1.0'\ndoc = 'Does.'\n{retry}\n{rest}\n")
}

const PING: &str = "{ 'command': 'ping' }";

#[test]
fn a_command_without_an_entry_is_reported_in_the_schema() {
    let config = entry("commands", "ping", "");
    expect(
        "{ 'command': 'ping' }\n{ 'command': 'pong' }",
        &config,
        "s.json:2:14: the command `pong` has no entry in c.toml",
    );
    expect(
        &format!("{PING}\n{{ 'enum': 'E', 'data': [ 'a' ] }}"),
        &config,
        "s.json:2:11: the type `E` has no entry in c.toml",
    );
}

#[test]
fn an_argument_without_an_entry_is_reported_in_the_schema() {
    expect(
        "{ 'command': 'ping', 'data': { 'a': 'int' } }",
        &entry("commands", "ping", ""),
        "s.json:1:32: the argument `a` of `ping` has no entry in c.toml",
    );
}

#[test]
fn an_entry_that_is_stale_is_reported_in_the_data_file() {
    let config = entry("commands", "ping", "members.a = 'Gone.'") + &entry("types", "T", "");
    expect(
        PING,
        &config,
        "c.toml:14:9: there is no argument `a` of `ping` in the schema\n\
         c.toml:15:8: there is no type `T` in the schema",
    );
}

#[test]
fn documentation_is_whole_sentences() {
    let config = entry("commands", "ping", "").replace("Does.", "does");
    expect(
        PING,
        &config,
        "c.toml:9:11: the `doc` of `ping` is no sentence, with a capital letter first and a full stop last",
    );
}

#[test]
fn what_means_nothing_in_a_data_file_is_reported() {
    let config = entry("commands", "ping", "retries = 3");
    let problem = run(PING, &config).unwrap_err();
    assert!(
        problem.starts_with("c.toml:14:1: unknown field `retries`"),
        "{problem}"
    );
    let config = entry("commands", "ping", "").replace("'m'", "'n'");
    let problem = run(PING, &config).unwrap_err();
    assert!(
        problem.contains("c.toml:9:11: there is no module `n` in [modules]"),
        "{problem}"
    );
    let config = entry("commands", "ping", "").replace("'1.0'", "'one'");
    expect(
        PING,
        &config,
        "c.toml:9:11: the `since` of `ping` is no version, such as 9.1",
    );
    let problem = run(PING, "x = [").unwrap_err();
    assert!(problem.starts_with("c.toml:"), "{problem}");
}

#[test]
fn a_keyword_is_no_name_in_rust_unless_it_gets_another() {
    let schema = "{ 'command': 'ping', 'data': { 'type': 'int' } }";
    expect(
        schema,
        &entry("commands", "ping", "members.type = 'A type.'"),
        "s.json:1:32: `type` cannot be a name in Rust; the data file can give `type` another",
    );
    let renamed = "members.type = { name = 'kind', doc = 'A type.' }";
    let files = run(schema, &entry("commands", "ping", renamed)).unwrap();
    assert!(files["m.rs"].contains("#[qga(rename = \"type\")]\npub kind: i64,"));
}

#[test]
fn names_that_collide_in_rust_are_reported() {
    let config = entry("commands", "get-it", "") + &entry("types", "GetIt", "");
    expect(
        "{ 'struct': 'GetIt', 'data': { } }\n{ 'command': 'get-it' }",
        &config,
        "s.json:2:14: in Rust, `get-it` has the name of `GetIt`: `GetIt`",
    );
    let config = entry(
        "commands",
        "ping",
        "members.a-b = 'One.'\nmembers.a_b = 'Two.'",
    );
    expect(
        "{ 'command': 'ping', 'data': { 'a-b': 'int', 'a_b': 'int' } }",
        &config,
        "s.json:1:46: in Rust, `a_b` has the name of `a-b`: `a_b`",
    );
    let config = entry("types", "E", "members.unknown = 'What.'");
    expect(
        "{ 'enum': 'E', 'data': [ 'unknown' ] }",
        &config,
        "s.json:1:26: in Rust, `unknown` has the name of the variant for what is not known: `Unknown`",
    );
    expect(
        "{ 'struct': 'Value', 'data': { } }",
        &entry("types", "Value", ""),
        "s.json:1:13: in Rust, `Value` has the name of something that generated code uses: `Value`",
    );
}

#[test]
fn what_generated_code_uses_names_nothing_else() {
    for name in [
        "Result",
        "Option",
        "Err",
        "Ok",
        "Default",
        "Box",
        "Vec",
        "Hidden",
        "JsonError",
        "RawObject",
        "TryFrom",
    ] {
        let schema = format!("{{ 'struct': '{name}', 'data': {{ }} }}");
        let problem = run(&schema, &entry("types", name, "")).unwrap_err();
        assert!(
            problem.contains("something that generated code uses"),
            "{problem}"
        );
    }
}

#[test]
fn what_the_data_file_names_by_its_path_names_nothing_else() {
    let types = |rest: &str| entry("types", "Id", "") + &entry("types", "T", rest);
    let path = "members.a = { type = 'crate::Id', doc = 'It.' }";
    let bytes = "members.a = { base64 = true, doc = 'It.' }\n[paths]\nbytes = 'crate::Id'";
    for config in [types(path), types(bytes)] {
        expect(
            "{ 'struct': 'Id', 'data': { } }\n{ 'struct': 'T', 'data': { 'a': 'str' } }",
            &config,
            "s.json:1:13: in Rust, `Id` has the name of something that generated code uses: `Id`",
        );
    }
    expect(
        "{ 'struct': 'Id', 'data': { } }\n{ 'command': 'ping', 'returns': 'int' }",
        &(entry("types", "Id", "") + &entry("commands", "ping", "returns = 'crate::Id'")),
        "s.json:1:13: in Rust, `Id` has the name of something that generated code uses: `Id`",
    );
}

#[test]
fn bytes_in_a_reply_need_a_type_that_holds_them() {
    expect(
        "{ 'struct': 'T', 'data': { 'a': 'str' } }",
        &entry(
            "types",
            "T",
            "members.a = { base64 = true, doc = 'Bytes.' }",
        ),
        "s.json:1:28: `base64` needs a type, which `paths` does not name",
    );
}

#[test]
fn what_is_no_string_is_no_base64() {
    for ty in ["'int'", "[ 'str' ]"] {
        expect(
            &format!("{{ 'command': 'ping', 'data': {{ 'a': {ty} }} }}"),
            &entry(
                "commands",
                "ping",
                "members.a = { base64 = true, doc = 'Bytes.' }",
            ),
            "s.json:1:32: `a` is no `str`, so it is no `base64`",
        );
    }
}

#[test]
fn a_type_for_the_reply_needs_a_reply() {
    expect(
        PING,
        &entry("commands", "ping", "returns = 'crate::Id'"),
        "c.toml:9:11: `ping` returns nothing, so `returns` is stale",
    );
}

#[test]
fn what_is_no_plain_path_is_reported() {
    let schema = "{ 'command': 'ping', 'data': { 'a': 'int' }, 'returns': 'int' }";
    let rest = "returns = 'Vec<u8>'\nmembers.a = { type = 'crate::', doc = 'It.' }";
    expect(
        schema,
        &entry("commands", "ping", rest),
        "c.toml:9:11: `Vec<u8>` is no plain path to a type\n\
         c.toml:15:9: `crate::` is no plain path to a type",
    );
}

#[test]
fn the_oldest_version_is_a_version() {
    let schema = Schema::parse("s.json", PING).unwrap();
    let text = HEAD.replace("'Acme'", "'Acme'\noldest = 'new'") + &entry("commands", "ping", "");
    let config = Config::parse("c.toml", text).unwrap();
    let problems = generate(&schema, &config).unwrap_err().to_string();
    assert_eq!(problems, "c.toml:4:10: `new` is no version, such as 9.1");
}

#[test]
fn a_property_is_found_at_the_end_of_a_long_chain_of_types() {
    const LENGTH: usize = 5000;
    let (mut schema, mut config) = (String::new(), String::new());
    for at in 0..LENGTH {
        let next = if at + 1 < LENGTH {
            format!("T{}", at + 1)
        } else {
            "number".into()
        };
        schema += &[
            "{ 'struct': 'T",
            &at.to_string(),
            "', 'data': { '*next': '",
            &next,
            "' } }\n",
        ]
        .concat();
        config += &entry("types", &format!("T{at}"), "members.next = 'The next.'");
    }
    let files = run(&schema, &config).unwrap();
    assert!(!files["m.rs"].contains(", Eq, "), "the float is at the end");
}

#[test]
fn a_data_file_to_begin_with_is_enough_to_generate_code() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [
        "tests/it/shapes/shapes.json",
        "../examples/vendor/acme.json",
        "../qga-commands/schema/guest-agent.json",
    ] {
        let schema = Schema::read(&folder.join(path)).unwrap();
        let text = skeleton(&schema);
        let config = Config::parse("c.toml", text.clone()).unwrap();
        match generate(&schema, &config) {
            Ok(files) => assert!(files.len() > 1),
            Err(problems) => panic!("{path}: {problems}\n{text}"),
        }
    }
}

#[test]
fn values_of_any_characters_stand_in_a_data_file_to_begin_with() {
    for odd in ["a = \"b", "a b", "a]", "#", ""] {
        let schema = format!(
            "{{ 'enum': 'E', 'data': [ 'plain', {{ 'name': '{odd}', 'if': 'CONFIG_X' }} ] }}
            {{ 'command': 'x-ask', 'returns': 'E' }}"
        );
        let schema = Schema::parse("x.json", &schema).unwrap();
        let text = skeleton(&schema);
        let config = Config::parse("c.toml", text.clone());
        let config = config.unwrap_or_else(|problems| panic!("{odd}: {problems}\n{text}"));
        if let Err(problems) = generate(&schema, &config) {
            assert_eq!(problems.missing(), "", "{odd}: {text}");
        }
    }
}

#[test]
fn names_that_rust_has_already_get_others_in_a_data_file_to_begin_with() {
    let schema = "{ 'enum': 'E', 'data': [ 'unknown', '3d', 'self' ] }
        { 'struct': 'S', 'data': { 'new': 'int', 'type': 'str', 'a-b': 'E' } }
        { 'union': 'U', 'base': { 'e': 'E', 'kind': 'int' }, 'discriminator': 'e', 'data': { '3d': 'S' } }
        { 'command': 'x-3d', 'data': { 'loop': 'int', 'new': 'U' }, 'if': 'CONFIG_X' }";
    let schema = Schema::parse("9-lives.json", schema).unwrap();
    let text = skeleton(&schema);
    let config = Config::parse("c.toml", text.clone()).unwrap();
    let files = generate(&schema, &config).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let module = &files["commands.rs"];
    for name in [
        "UnknownValue",
        "Value3d",
        "SelfValue",
        "new_",
        "type_",
        "kind_",
        "loop_",
    ] {
        assert!(module.contains(name), "{name} is not in\n{module}");
    }
    assert!(text.contains(r#"options = ["CONFIG_X"]"#), "{text}");
}

#[test]
fn only_a_member_of_an_object_can_be_hidden() {
    let members = "members.a = { hidden = true, doc = 'It.' }";
    let problem = run(
        "{ 'enum': 'E', 'data': [ 'a' ] }",
        &entry("types", "E", members),
    );
    let problem = problem.unwrap_err();
    assert!(
        problem.contains("only a member of an object can be hidden"),
        "{problem}"
    );
}
