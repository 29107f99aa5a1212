//! Events, and what a protocol of its own brings along.

use crate::HEAD;
use qga_codegen::{Config, Files, Schema, generate};

const SCHEMA: &str = "
{ 'struct': 'Told', 'data': { 'what': 'str' } }
{ 'event': 'PORT_CHANGE', 'data': { 'id': 'str', 'load': 'number', 'late': 'int' } }
{ 'event': 'STOP' }
{ 'event': 'TOLD', 'data': 'Told' }
{ 'command': 'cut', 'allow-oob': true }
{ 'command': 'ping' }
";

const ENTRIES: &str = "
[paths]
raw_event = 'crate::RawEvent'
out_of_band = 'crate::OutOfBand'
[types.Told]
module = 'm'
since = '1.0'
doc = 'Something.'
members.what = 'What.'
[commands.cut]
module = 'm'
since = '1.0'
doc = 'Cuts.'
retry = 'Never'
[commands.ping]
module = 'm'
since = '1.0'
doc = 'Asks.'
retry = 'Safe'
[events.PORT_CHANGE]
module = 'm'
since = '1.0'
doc = 'A port has changed.'
members.id = 'Its name.'
members.load = 'Its load.'
members.late = { doc = 'What is new.', since = '3.0' }
[events.STOP]
module = 'm'
since = '1.0'
doc = 'It has stopped.'
[events.TOLD]
module = 'm'
since = '1.0'
doc = 'It was told.'
";

fn run(schema: &str, config: &str) -> Result<Files, String> {
    let schema = Schema::parse("s.json", schema).map_err(|problems| problems.to_string())?;
    let head = HEAD.replace(
        "product = 'Acme'",
        "product = 'Acme'\nprotocol = 'crate::Wire'\noldest = '2.0'",
    );
    let config = Config::parse("c.toml", format!("{head}{config}"));
    let config = config.map_err(|problems| problems.to_string())?;
    generate(&schema, &config).map_err(|problems| problems.to_string())
}

#[test]
fn an_enum_has_all_events_with_what_they_carry_and_keeps_others() {
    let files = run(SCHEMA, ENTRIES).unwrap();
    let events = &files["event.rs"];
    for part in [
        "use super::m::{PortChange, Told};",
        "PortChange(PortChange),",
        "Stop,",
        "Told(Told),",
        "Unknown(RawEvent),",
        "\"PORT_CHANGE\" => raw.decode().map(Self::PortChange),",
        "\"STOP\" => Some(Self::Stop),",
        "Self::PortChange(_) => \"PORT_CHANGE\",",
    ] {
        assert!(events.contains(part), "{part}: {events}");
    }
    let module = &files["m.rs"];
    assert!(module.contains("pub struct PortChange {"), "{module}");
    // A float does not equal itself, and what is newer than the oldest may be missing.
    let derives = "#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]\n#[non_exhaustive]\npub struct PortChange";
    assert!(module.contains(derives), "{module}");
    assert!(module.contains("pub late: Option<i64>,"), "{module}");
    assert!(!module.contains("pub struct Stop"), "{module}");
    assert!(files["mod.rs"].contains("pub mod event;"));
}

#[test]
fn commands_are_of_the_protocol_and_those_that_may_overtake_are_marked() {
    let module = &run(SCHEMA, ENTRIES).unwrap()["m.rs"];
    assert!(module.contains("use crate::{OutOfBand, Wire};"), "{module}");
    assert!(module.contains("#[qga(name = \"ping\", protocol = Wire, retry = Safe)]"));
    assert_eq!(module.matches("impl OutOfBand for").count(), 1);
    assert!(module.contains("impl OutOfBand for Cut {}"), "{module}");
}

#[test]
fn an_event_without_an_entry_and_an_entry_without_an_event_are_reported() {
    let config = ENTRIES.replace("[events.STOP]", "[events.START]");
    let problem = run(SCHEMA, &config).unwrap_err();
    assert!(
        problem.contains("the event `STOP` has no entry in c.toml"),
        "{problem}"
    );
    assert!(
        problem.contains("there is no event `START` in the schema"),
        "{problem}"
    );
}

#[test]
fn members_of_events_are_checked_as_those_of_commands_are() {
    let config = ENTRIES.replace("members.load", "members.weight");
    let problem = run(SCHEMA, &config).unwrap_err();
    assert!(
        problem.contains("the member `load` of `PORT_CHANGE` has no entry"),
        "{problem}"
    );
}

#[test]
fn without_a_type_for_them_events_are_left_out_and_entries_are_an_error() {
    let bare = ENTRIES.replace("raw_event = 'crate::RawEvent'\n", "");
    let problem = run(SCHEMA, &bare).unwrap_err();
    assert!(
        problem.contains("events need the type `raw_event`"),
        "{problem}"
    );
    let (bare, _) = bare.split_once("[events.PORT_CHANGE]").unwrap();
    assert!(!run(SCHEMA, bare).unwrap().contains_key("event.rs"));
}

#[test]
fn an_event_takes_its_name_among_the_types() {
    let clash = format!("{SCHEMA}{{ 'struct': 'PortChange', 'data': {{}} }}");
    let config =
        format!("{ENTRIES}[types.PortChange]\nmodule = 'm'\nsince = '1.0'\ndoc = 'Clashes.'\n");
    let problem = run(&clash, &config).unwrap_err();
    assert!(
        problem.contains("`PORT_CHANGE` has the name of `PortChange`"),
        "{problem}"
    );
}

#[test]
fn what_is_no_path_to_a_type_is_reported() {
    let config = ENTRIES.replace("'crate::RawEvent'", "'Vec<u8>'");
    let problem = run(SCHEMA, &config).unwrap_err();
    assert!(
        problem.contains("`paths.raw_event` is `Vec<u8>`, which is no plain path"),
        "{problem}"
    );
}
