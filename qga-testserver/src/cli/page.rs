//! Tests that PROGRAM.md describes everything that the program accepts, and nothing else.

use std::collections::BTreeSet;

use clap::{CommandFactory, Parser};
use serde::de::DeserializeOwned;

use super::arguments::Arguments;
use super::control::{check_order, order_fields, order_names};
use super::fault_spec::FaultSpec;
use super::guest_file::GuestFile;
use crate::{Cassette, Fault, Profile};

const PAGE: &str = include_str!("../../PROGRAM.md");

type Names = BTreeSet<String>;

fn names<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Names {
    names.into_iter().map(Into::into).collect()
}

/// What stands between backquotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The part of the page below a heading, up to the next one.
fn section<'a>(heading: &str) -> &'a str {
    let start = format!("\n{heading}\n");
    let at = PAGE.find(&start).unwrap_or_else(|| panic!("no {heading}"));
    let body = &PAGE[at + start.len()..];
    body.split("\n#").next().unwrap()
}

/// What the first cells of the tables below a heading name.
fn rows(heading: &str) -> Vec<&str> {
    let lines = section(heading)
        .lines()
        .filter(|line| line.starts_with("| `"));
    lines
        .flat_map(|line| quoted(line.split(" | ").next().unwrap()))
        .collect()
}

/// Headings of this rank.
fn headings(rank: &str) -> impl Iterator<Item = &str> {
    PAGE.lines().filter_map(move |line| line.strip_prefix(rank))
}

/// The contents of the code blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    let blocks: Vec<_> = PAGE
        .split(&start)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect();
    assert!(!blocks.is_empty(), "{language}");
    blocks
}

/// The keys that serde wants in place of one that it does not know.
fn keys(complaint: &str) -> Names {
    let expected = complaint.split("expected").nth(1).unwrap_or_default();
    names(quoted(expected.split('(').next().unwrap()))
}

#[test]
fn each_order_and_each_of_its_fields_is_on_the_page() {
    let orders: Vec<String> = order_names();
    let mut shown: Vec<_> = headings("### ")
        .filter(|heading| !heading.contains('['))
        .collect();
    shown.sort_unstable();
    let mut known: Vec<_> = orders.iter().map(|name| format!("`{name}`")).collect();
    known.sort_unstable();
    assert_eq!(shown, known);
    for order in orders {
        let shown = names(rows(&format!("### `{order}`")));
        assert_eq!(shown, names(order_fields(&order)), "{order}");
    }
}

#[test]
fn the_parts_of_an_error_and_of_limits_are_on_the_page() {
    let row = |field: &str| {
        let start = format!("| `{field}` |");
        section("### `stub`")
            .lines()
            .find(|line| line.starts_with(&start))
            .unwrap()
    };
    for part in order_parts("error") {
        assert!(row("error").contains(&format!("`{part}`")), "{part}");
    }
    let limits = r#"{"do": "stub", "command": "x", "expect": {"least": 1, "most": 3}}"#;
    assert_eq!(check_order(limits), Ok(()));
    assert!(row("expect").contains(r#"{"least": 1, "most": 3}"#));
}

/// The members that a stub's field has.
fn order_parts(field: &str) -> Names {
    let order = format!(r#"{{"do": "stub", "command": "x", "{field}": {{"?": 1}}}}"#);
    let parts = keys(&check_order(&order).unwrap_err());
    assert!(!parts.is_empty());
    parts
}

#[test]
fn each_order_is_shown_and_each_example_is_one() {
    let mut shown = Names::new();
    for line in blocks("json").iter().flat_map(|block| block.lines()) {
        check_order(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let order: serde_json::Value = serde_json::from_str(line).unwrap();
        shown.insert(order["do"].as_str().unwrap().to_owned());
        if let Some(fault) = order.get("fault").and_then(|fault| fault.as_str()) {
            FaultSpec::parse(fault).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
    assert_eq!(shown, names(order_names()));
}

#[test]
fn each_fault_and_each_when_is_on_the_page() {
    let mut shown = Vec::new();
    let (faults, whens): (Vec<_>, Vec<_>) = {
        let rows = rows("## Faults");
        let at = rows.iter().position(|row| *row == "3").unwrap();
        (rows[..at].to_vec(), rows[at..].to_vec())
    };
    for fault in faults {
        let parsed = fault.parse::<Fault>();
        assert!(parsed.is_ok(), "{parsed:?}");
        shown.push(fault.split('=').next().unwrap());
    }
    assert_eq!(shown, Fault::names());
    assert_eq!(whens.len(), 6);
    for when in whens {
        FaultSpec::parse(&format!("twice@{when}")).unwrap();
    }
}

#[test]
fn each_profile_is_on_the_page() {
    assert_eq!(rows("## Profiles"), Profile::names());
}

/// The options of the program, or of one of its tasks.
fn options(command: &clap::Command) -> Names {
    let options = command.get_arguments().filter_map(clap::Arg::get_long);
    let own = options.filter(|name| !["help", "version"].contains(name));
    names(own.map(|name| format!("--{name}")))
}

#[test]
fn each_option_is_on_the_page() {
    let program = Arguments::command();
    let long = |rows: Vec<&str>| names(rows.into_iter().filter(|row| row.starts_with("--")));
    assert_eq!(long(rows("## Starting it")), options(&program));
    for (task, heading) in [
        ("record", "## Recording a real agent"),
        ("replay", "## Replaying it"),
    ] {
        let command = program.find_subcommand(task).unwrap();
        assert_eq!(long(rows(heading)), options(command), "{task}");
    }
    assert_eq!(program.get_subcommands().count(), 2);
}

#[test]
fn each_command_line_on_the_page_can_be_given() {
    let blocks = blocks("sh");
    let lines = blocks.iter().flat_map(|block| block.lines());
    let own: Vec<_> = lines
        .filter(|line| line.starts_with("qga-testserver "))
        .collect();
    assert!(own.len() > 4);
    for line in own {
        let parsed = Arguments::try_parse_from(line.split_whitespace());
        parsed.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// What is wrong with a text, as serde says it.
fn complaint<T: DeserializeOwned>(text: &str) -> String {
    toml::from_str::<T>(text)
        .err()
        .map_or(String::new(), |error| error.message().to_owned())
}

/// What is said of an unknown key in a table, which may be in an element of a list.
fn said_of_unknown_in(table: &str) -> String {
    let lists = PAGE
        .lines()
        .filter(|line| line.starts_with('#'))
        .flat_map(quoted);
    let path = table.trim_matches(['[', ']']);
    let above = |list: &&str| {
        let list = list
            .strip_prefix("[[")
            .and_then(|list| list.strip_suffix("]]"));
        list.is_some_and(|list| path.starts_with(&format!("{list}.")))
    };
    let mut above: Vec<_> = lists.filter(above).collect();
    above.sort_unstable_by_key(|list| list.len());
    complaint::<GuestFile>(&format!("{}\n{table}\n\"?\" = 0\n", above.join("\n")))
}

#[test]
fn each_key_of_the_guest_file_is_on_the_page() {
    let tables: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("###"))
        .collect();
    let tables = tables.into_iter().filter(|heading| heading.contains("`["));
    let mut paths = Names::new();
    let mut needed = names(["[guest]", "[files]", "[[programs]]"]);
    for heading in tables {
        let keys_shown = names(rows(heading));
        for table in quoted(heading) {
            assert!(paths.insert(table.to_owned()), "{table} stands twice");
            if table == "[files]" {
                continue;
            }
            let known = keys(&said_of_unknown_in(table));
            assert_eq!(keys_shown, known, "{table}");
            // A key that is a table itself is shown as one.
            let path = table.trim_matches(['[', ']']);
            for key in known {
                let table = format!("[{path}.{key}]");
                let either = [table.clone(), format!("[{table}]")];
                let is_one =
                    |table: &String| said_of_unknown_in(table).starts_with("unknown field `?`");
                needed.extend(either.into_iter().find(is_one));
            }
        }
    }
    assert_eq!(paths, needed);
}

#[test]
fn each_guest_file_on_the_page_can_be_read() {
    for block in blocks("toml") {
        assert_eq!(complaint::<GuestFile>(&block), "", "{block}");
    }
}

#[test]
fn each_cassette_on_the_page_can_be_played() {
    for block in blocks("jsonl") {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &block).unwrap();
        assert!(!Cassette::load(file.path()).unwrap().is_empty());
    }
}

#[test]
fn each_link_within_the_page_leads_somewhere() {
    let anchors: Vec<String> = PAGE
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|heading| {
            let text = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = text
                .chars()
                .filter(|c| c.is_alphanumeric() || " -".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect();
    for link in PAGE.split("](#").skip(1) {
        let link = link.split(')').next().unwrap();
        let base = link.strip_suffix("-1").unwrap_or(link);
        let count = anchors.iter().filter(|anchor| *anchor == base).count();
        assert!(count > usize::from(base != link), "{link}");
    }
}
