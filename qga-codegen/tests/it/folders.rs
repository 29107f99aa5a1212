//! Folders that have drifted, and what is in the way of writing them.

use std::fs;
use std::path::Path;

use crate::HEAD;
use qga_codegen::{Config, Drift, Files, Schema, drift, generate, write};

const PING: &str = "
[commands.ping]
module = 'm'
since = '1.0'
retry = 'Safe'
doc = 'Does.'
members.ttl = 'How far.'
";

fn files() -> Files {
    files_with("")
}

/// With more in the entry of the command.
fn files_with(more: &str) -> Files {
    let schema = "{ 'command': 'ping', 'data': { 'ttl': 'int' } }";
    let schema = Schema::parse("s.json", schema).unwrap();
    let config = Config::parse("c.toml", format!("{HEAD}{PING}{more}")).unwrap();
    generate(&schema, &config).unwrap()
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn drift_is_found_where_it_begins() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    assert_eq!(
        drift(folder.path(), &files).unwrap(),
        [Drift::Missing(at("m.rs")), Drift::Missing(at("mod.rs"))]
    );
    write(folder.path(), &files).unwrap();
    assert_eq!(drift(folder.path(), &files).unwrap(), []);

    let written = fs::read_to_string(at("m.rs")).unwrap();
    fs::write(at("m.rs"), written.replacen("Does.", "Does much.", 1)).unwrap();
    fs::write(at("old.rs"), &files["m.rs"]).unwrap();
    fs::write(at("mine.rs"), "// By hand.\n").unwrap();
    let found = drift(folder.path(), &files).unwrap();
    assert_eq!(
        found,
        [Drift::Changed(at("m.rs"), 7), Drift::Stale(at("old.rs"))]
    );
}

#[test]
fn writing_removes_what_is_stale_and_leaves_what_is_not_ours() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("old.rs"), &files["m.rs"]).unwrap();
    fs::write(folder.path().join("mine.rs"), "// By hand.\n").unwrap();
    write(folder.path(), &files).unwrap();
    assert!(!folder.path().join("old.rs").exists());
    assert!(folder.path().join("mine.rs").exists());
    assert_eq!(drift(folder.path(), &files).unwrap(), []);
}

#[test]
fn what_was_written_by_hand_is_not_overwritten_and_nothing_else_is_touched() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("mod.rs"), "pub mod m;\n").unwrap();
    fs::write(at("old.rs"), &files["m.rs"]).unwrap();
    let error = write(folder.path(), &files).unwrap_err().to_string();
    let place = at("mod.rs").display().to_string();
    assert_eq!(
        error,
        format!("{place}: was not generated, and would be overwritten")
    );
    assert_eq!(names(folder.path()), ["mod.rs", "old.rs"]);
    assert_eq!(fs::read_to_string(at("mod.rs")).unwrap(), "pub mod m;\n");
}

#[test]
fn a_folder_in_the_way_is_named_before_anything_is_written() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("mod.rs")).unwrap();
    let error = write(folder.path(), &files).unwrap_err().to_string();
    assert!(error.contains("mod.rs: is a folder"), "{error}");
    assert_eq!(names(folder.path()), ["mod.rs"]);
    let error = drift(folder.path(), &files).unwrap_err().to_string();
    assert!(error.contains("mod.rs: "), "{error}");
}

#[test]
fn what_an_earlier_run_has_written_is_written_anew_and_no_draft_is_left() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    let old = files["m.rs"].replace("Does.", "Did.");
    fs::write(folder.path().join("m.rs"), old).unwrap();
    write(folder.path(), &files).unwrap();
    assert_eq!(names(folder.path()), ["m.rs", "mod.rs"]);
    assert_eq!(drift(folder.path(), &files).unwrap(), []);
}

#[test]
fn only_the_beginnings_of_regular_files_are_read_in_search_of_what_is_stale() {
    let files = files();
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub.rs")).unwrap();
    fs::write(folder.path().join("latin.rs"), b"// caf\xe9\n").unwrap();
    fs::write(folder.path().join("empty.rs"), "").unwrap();
    write(folder.path(), &files).unwrap();
    assert_eq!(drift(folder.path(), &files).unwrap(), []);
    assert_eq!(
        names(folder.path()),
        ["empty.rs", "latin.rs", "m.rs", "mod.rs", "sub.rs"]
    );
}

#[test]
fn an_error_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let inside = file.join("out");
    for error in [
        write(&inside, &files()).unwrap_err(),
        drift(&inside, &files()).unwrap_err(),
    ] {
        let start = inside.display().to_string();
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}

#[test]
fn what_is_written_is_laid_out_as_its_project_lays_out_code() {
    let files = files();
    let project = tempfile::tempdir().unwrap();
    let settings = project.path().join("rustfmt.toml");
    let folder = project.path().join("src/commands");
    fs::write(&settings, "hard_tabs = true\n").unwrap();
    write(&folder, &files).unwrap();
    let text = fs::read_to_string(folder.join("m.rs")).unwrap();
    assert!(text.contains("\n\tpub ttl: i64,\n"), "{text}");
    assert_eq!(drift(&folder, &files).unwrap(), []);

    fs::remove_file(settings).unwrap();
    let found = drift(&folder, &files).unwrap();
    assert!(
        matches!(&found[..], [Drift::Changed(path, _)] if *path == folder.join("m.rs")),
        "{found:?}"
    );
}

#[test]
fn code_that_cannot_be_laid_out_is_an_error_with_its_line_and_nothing_is_written() {
    let files = files_with("reply_limit = '(1 + 2'\n");
    let project = tempfile::tempdir().unwrap();
    let folder = project.path().join("out");
    for error in [
        write(&folder, &files).unwrap_err(),
        drift(&folder, &files).unwrap_err(),
    ] {
        let message = error.to_string();
        let start = format!(
            "{}: rustfmt cannot lay it out: error: ",
            folder.join("m.rs").display()
        );
        assert!(message.starts_with(&start), "{message}");
        assert!(message.contains("reply_limit = (1 + 2"), "{message}");
    }
    assert_eq!(names(project.path()), Vec::<String>::new());
}
