use super::*;
use std::fs;

#[test]
fn a_file_is_included_once_and_errors_name_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file(
        "main.json",
        "{ 'include': 'a.json' }\n{ 'include': 'b.json' }\n{ 'command': 'c', 'returns': 'A' }",
    );
    file(
        "a.json",
        "{ 'include': 'b.json' }\n{ 'struct': 'A', 'base': 'B', 'data': { } }",
    );
    file("b.json", "{ 'struct': 'B', 'data': { } }");
    let schema = Schema::read(&folder.path().join("main.json")).unwrap();
    assert_eq!(schema.types.len(), 2);

    file("b.json", "\n{ 'struct': }");
    let error = Schema::read(&folder.path().join("main.json"))
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("b.json:2:13: expected a value, found `}`"),
        "{error}"
    );
}

#[test]
fn files_that_include_each_other_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), "{ 'include': 'b.json' }").unwrap();
    fs::write(folder.path().join("b.json"), "{ 'include': 'a.json' }").unwrap();
    let error = Schema::read(&folder.path().join("a.json"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.json:1:14: ") && error.ends_with("a.json includes itself"),
        "{error}"
    );
}

#[test]
fn a_file_that_is_not_there_is_reported_where_it_is_included() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), "{ 'include': 'gone.json' }").unwrap();
    let error = Schema::read(&folder.path().join("a.json"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("a.json:1:14: cannot read "), "{error}");
}

#[test]
fn a_long_chain_of_includes_is_an_error_where_it_gets_too_deep() {
    let folder = tempfile::tempdir().unwrap();
    for at in 0..4000 {
        let text = format!("{{ 'include': '{}.json' }}", at + 1);
        fs::write(folder.path().join(format!("{at}.json")), text).unwrap();
    }
    fs::write(folder.path().join("4000.json"), "").unwrap();
    let read = |name: &str| Schema::read(&folder.path().join(name));
    let error = read("0.json").unwrap_err().to_string();
    assert!(error.contains("64.json:1:14: "), "{error}");
    assert!(error.ends_with("65.json is included too deep"), "{error}");
    assert!(read("3936.json").is_ok(), "this is 64 deep");
}

#[test]
fn a_file_that_is_not_utf_8_is_reported_where_it_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    file("main.json", b"{ 'include': 'a.json' }");
    file("a.json", b"# \xc3\xa9\n# \xc3\xa9 caf\xe9\n");
    for name in ["main.json", "a.json"] {
        let error = Schema::read(&folder.path().join(name)).unwrap_err();
        let error = error.to_string();
        let included = folder.path().join("a.json").display().to_string();
        assert_eq!(error, format!("{included}:2:8: this is not UTF-8"));
    }
    file("c.toml", b"a = 1\nb\xff");
    let error = crate::Config::read(&folder.path().join("c.toml")).unwrap_err();
    let error = error.to_string();
    assert!(error.ends_with("c.toml:2:2: this is not UTF-8"), "{error}");
}
