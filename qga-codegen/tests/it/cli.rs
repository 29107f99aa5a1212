//! The program itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::HEAD;

const GET_SLOT: &str = "
[commands.get-slot]
module = 'm'
since = '1.0'
retry = 'Safe'
doc = 'Asks for the slot.'
";

fn config() -> String {
    format!("{HEAD}{GET_SLOT}")
}

fn run(folder: &Path, check: bool) -> Output {
    let mut command = command(folder);
    command.args(check.then_some("--check")).output().unwrap()
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qga-codegen"));
    command.current_dir(folder);
    command.args("generate --schema s.json --config c.toml --out out".split(' '));
    command
}

fn folder(schema: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.json"), schema).unwrap();
    fs::write(folder.path().join("c.toml"), config()).unwrap();
    folder
}

fn errors(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn what_was_written_passes_the_check_until_it_is_edited() {
    let folder = folder("{ 'command': 'get-slot', 'returns': 'int' }");
    assert!(run(folder.path(), false).status.success());
    assert!(run(folder.path(), true).status.success());

    let path = folder.path().join("out/m.rs");
    let text = fs::read_to_string(&path).unwrap() + "\n";
    fs::write(&path, &text).unwrap();
    let message = errors(&run(folder.path(), true));
    assert!(message.starts_with("out/m.rs:"), "{message}");
    assert!(
        message.ends_with("is not as it was generated\n"),
        "{message}"
    );
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        text,
        "a check writes nothing"
    );
}

#[test]
fn nothing_is_written_after_an_error() {
    for schema in [
        "{ 'command': 'get-slot' ",
        "{ 'command': 'get-slot', 'returns': 'Slot' }",
        "{ 'command': 'get-slot', 'data': { 'x': 'int' } }",
    ] {
        let folder = folder(schema);
        let message = errors(&run(folder.path(), false));
        assert!(message.starts_with("s.json:1:"), "{message}");
        assert!(!folder.path().join("out").exists());
    }
}

fn init(folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qga-codegen"));
    command.current_dir(folder);
    command.args("init --schema s.json --config new.toml".split(' '));
    command.output().unwrap()
}

#[test]
fn a_data_file_to_begin_with_is_written_once() {
    let folder = folder("{ 'command': 'get-slot', 'returns': 'int' }");
    let output = init(folder.path());
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("generate --schema s.json --config new.toml"),
        "{said}"
    );
    let path = folder.path().join("new.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("[commands.get-slot]"), "{text}");

    fs::write(&path, "mine").unwrap();
    let message = errors(&init(folder.path()));
    assert!(
        message.starts_with("new.toml: is there already"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn what_is_missing_in_the_data_file_is_printed_to_be_pasted() {
    let schema = "{ 'command': 'get-slot', 'data': { 'type': 'int', 'b-c': 'str' } }
        { 'command': 'put', 'data': { '*row': 'int' } }
        { 'enum': 'Side', 'data': [ 'left', '3d' ] }";
    let folder = folder(schema);
    let message = errors(&run(folder.path(), false));
    let (_, paste) = message
        .split_once("To paste into c.toml, and to fill in:\n\n")
        .unwrap();
    let (entries, lines) = paste
        .split_once("# In [commands.get-slot], which is there:\n")
        .unwrap();
    assert!(
        entries.contains("[commands.put]\nmodule = \"m\"\n"),
        "{entries}"
    );
    assert!(entries.contains("\nmembers.row = "), "{entries}");

    let (lines, types) = lines.split_once("\n\n").unwrap();
    assert!(types.starts_with("[types.Side]\n"), "{types}");
    let config = format!("{}{lines}\n{entries}{types}", config());
    fs::write(folder.path().join("c.toml"), &config).unwrap();
    let output = run(folder.path(), false);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}\n{config}");
}

#[test]
fn without_a_data_file_the_way_to_get_one_is_told() {
    let folder = folder("{ 'command': 'get-slot' }");
    fs::remove_file(folder.path().join("c.toml")).unwrap();
    let message = errors(&run(folder.path(), false));
    assert!(message.contains("cannot read c.toml"), "{message}");
    assert!(message.contains("`qga-codegen init`"), "{message}");
}

#[test]
fn without_rustfmt_the_way_to_get_it_is_told_and_nothing_is_written() {
    let folder = folder("{ 'command': 'get-slot' }");
    let nowhere = folder.path().join("rustfmt");
    let output = command(folder.path()).env("RUSTFMT", nowhere).output();
    let message = errors(&output.unwrap());
    assert!(
        message.starts_with("out/m.rs: rustfmt, which lays it out, does not run: "),
        "{message}"
    );
    assert!(
        message.contains("`rustup component add rustfmt`"),
        "{message}"
    );
    assert!(!folder.path().join("out").exists());
}
