//! The commands and events that are checked in.

use std::path::PathBuf;

use qga_codegen::{Config, Schema, drift, generate};

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), name].iter().collect()
}

#[test]
fn the_generated_modules_are_what_the_schema_says() {
    let schema = Schema::read(&path("schema/monitor.json")).unwrap();
    let config = Config::read(&path("schema/monitor.toml")).unwrap();
    let files = generate(&schema, &config).unwrap();
    assert_eq!(drift(&path("src/commands"), &files).unwrap(), []);
}

#[test]
fn only_what_qemu_lets_overtake_others_may() {
    let schema = Schema::read(&path("schema/monitor.json")).unwrap();
    let commands = schema.commands.iter();
    let may: Vec<_> = commands
        .filter(|command| command.allow_oob)
        .map(|command| command.name.text.as_str())
        .collect();
    assert_eq!(may, ["yank"]);
}
