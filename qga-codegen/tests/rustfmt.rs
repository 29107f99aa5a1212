//! rustfmt leaves generated code as it is.

#![allow(clippy::unwrap_used, reason = "all of this is a test")]

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use qga_codegen::{Config, Schema, generate, write};

/// What names are made of, in lengths that lines break at.
const LENGTHS: std::ops::Range<usize> = 1..41;

fn rustfmt_accepts(folder: &Path) {
    let mut rustfmt = Command::new("rustfmt");
    rustfmt.args(["--edition", "2024", "--check"]);
    match rustfmt.arg(folder.join("mod.rs")).output() {
        Ok(output) => {
            let shown = [output.stdout, output.stderr].concat();
            let shown = String::from_utf8_lossy(&shown);
            assert!(output.status.success(), "{shown}");
        }
        Err(error) => {
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "rustfmt does not run: {error}");
        }
    }
}

#[test]
fn the_shapes_are_as_rustfmt_leaves_them() {
    rustfmt_accepts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shapes/generated"));
}

#[test]
fn names_of_any_length_are_laid_out_as_rustfmt_does() {
    let mut schema =
        String::from("{ 'enum': 'K', 'data': [ 'a', 'b' ] }\n{ 'struct': 'A', 'data': { } }");
    let mut config = String::from(HEAD);
    for name in ["K", "A"] {
        let members = if name == "K" {
            "members.a = 'A.'\nmembers.b = 'B.'"
        } else {
            ""
        };
        entry(&mut config, "types", name, 0, members);
    }
    for length in LENGTHS {
        one_of_each(length, &mut schema, &mut config);
    }
    let schema = Schema::parse("s.json", &schema).unwrap();
    let config = Config::parse("c.toml", config).unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &generate(&schema, &config).unwrap()).unwrap();
    rustfmt_accepts(folder.path());
}

const HEAD: &str = "
[schema]
product = 'Acme'
[paths]
table = 'crate::table'
bytes = 'crate::Bytes'
[platforms.linux]
name = 'Linux'
options = []
[modules]
m0 = 'Things.'
m2 = 'Things.'
m10 = 'Things.'
";

fn entry(config: &mut String, of: &str, name: &str, module: usize, rest: &str) {
    let module = ["m0", "m2", "m10"].into_iter().cycle().nth(module).unwrap();
    let retry = if of == "commands" {
        "retry = 'Safe'"
    } else {
        ""
    };
    let head = format!("[{of}.{name}]\nmodule = '{module}'\nsince = '1.0'\ndoc = 'It.'");
    writeln!(config, "{head}\n{retry}\n{rest}").unwrap();
}

/// A definition of each kind, with names of this length.
fn one_of_each(length: usize, schema: &mut String, config: &mut String) {
    let long = "x".repeat(length);
    let (e, s, u, a) = (
        format!("E{long}"),
        format!("S{long}"),
        format!("U{long}"),
        format!("T{length}"),
    );
    let (text, list) = (format!("f{long}"), format!("g-{long}"));
    let fields = format!("'{text}': 'str', '*{list}': [ 'str' ], 'e': '{e}', '*a': '{a}'");
    let more = format!("'k': [ '{s}' ], '*h{long}': '{s}', '*i{long}': 'str'");
    write!(
        schema,
        "{{ 'enum': '{e}', 'data': [ '{text}', '{list}' ] }}\n\
         {{ 'struct': '{s}', 'data': {{ {fields} }} }}\n\
         {{ 'union': '{u}', 'base': {{ 'kind': 'K', 'u{long}': 'int', '*v{long}': 'str' }}, 'discriminator': 'kind',\n\
           'data': {{ 'a': '{s}', 'b': 'A' }} }}\n\
         {{ 'alternate': '{a}', 'data': {{ 'n{long}': 'int', 's{long}': '{s}' }} }}\n\
         {{ 'command': 'c{long}', 'data': {{ {fields}, {more} }}, 'returns': '{u}' }}\n\
         {{ 'command': 'd-{long}', 'data': {{ '{text}': 'str' }} }}\n"
    )
    .unwrap();
    let two = format!("members.{text} = 'It.'\nmembers.{list} = 'It.'");
    let hidden = |name: &str| format!("members.{name} = {{ hidden = true, doc = 'It.' }}");
    let both = format!("{}\n{}", hidden(&text), hidden(&list));
    let four = format!("{both}\nmembers.e = 'It.'\nmembers.a = 'It.'");
    let all = format!(
        "{four}\nmembers.k = 'It.'\nmembers.h{long} = 'It.'\n{}",
        hidden(&format!("i{long}"))
    );
    entry(config, "types", &e, length, &two);
    entry(config, "types", &s, length + 1, &four);
    entry(
        config,
        "types",
        &u,
        length + 2,
        &format!(
            "members.a = 'It.'\nmembers.b = 'It.'\nmembers.v{long} = 'It.'\n{}",
            hidden(&format!("u{long}"))
        ),
    );
    entry(
        config,
        "types",
        &a,
        length + 1,
        &format!("members.n{long} = 'It.'\nmembers.s{long} = 'It.'"),
    );
    entry(config, "commands", &format!("c{long}"), length, &all);
    entry(
        config,
        "commands",
        &format!("d-{long}"),
        length,
        &hidden(&text),
    );
}
