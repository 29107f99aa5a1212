use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in the last column of the page's table.
fn named() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let cells = rows
        .skip(2)
        .map(|row| row.trim_end_matches('|').rsplit('|').next().unwrap());
    cells
        .flat_map(|cell| {
            let names: Vec<_> = cell
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect();
            assert!(!names.is_empty(), "a row names no test: {cell}");
            names
        })
        .collect()
}

/// The names of all functions in the tests and sources of the workspace.
fn functions(folder: &Path, found: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_ours = !path.ends_with("target") && !path.ends_with(".git");
        if path.is_dir() && is_ours {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("fn ").skip(1);
            let name = |rest: &str| {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
                rest[..end.unwrap_or(rest.len())].to_owned()
            };
            found.extend(after.map(name));
        }
    }
}

#[test]
fn each_test_that_the_security_page_names_exists() {
    let mut found = HashSet::new();
    functions(&root(), &mut found);
    let named = named();
    assert!(named.len() > 20, "{named:?}");
    for name in named {
        assert!(
            found.contains(&name),
            "SECURITY.md names `{name}`, and there is no such test"
        );
    }
}

/// A row that is not on the page helps nobody.
#[test]
fn each_test_of_a_hostile_guest_is_on_the_security_page() {
    let named: HashSet<_> = named().into_iter().collect();
    for file in ["errors", "memory", "replies"] {
        let path = root().join(format!("qga-core/tests/hostile/{file}.rs"));
        let text = std::fs::read_to_string(path).unwrap();
        let tests = text.split("test]\n").skip(1);
        for test in tests.chain(text.split("test(start_paused = true)]\n").skip(1)) {
            let name = test.split("fn ").nth(1).unwrap().split('(').next().unwrap();
            assert!(named.contains(name), "`{name}` is not in SECURITY.md");
        }
    }
}
