use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in the last column of the page's tables.
fn named() -> Vec<String> {
    let page = std::fs::read_to_string(root().join("SECURITY.md")).unwrap();
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let is_head = |row: &&str| row.contains("shown by") || row.starts_with("|---");
    let cells = rows
        .filter(|row| !is_head(row))
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

/// The names of all tests below a folder.
fn tests_below(folder: &Path, found: &mut HashSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Cargo marks where it builds.
        let is_built = path.join("CACHEDIR.TAG").exists();
        let is_ours = !is_built && !path.ends_with(".git");
        if path.is_dir() && is_ours {
            tests_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.extend(tests(&std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The names of the functions that are marked as tests; that of a helper shows nothing.
fn tests(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            let attribute = line.trim_end_matches(')').split(['(', ']']).next();
            is_test |= matches!(attribute, Some("#[test" | "#[tokio::test"));
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split('(').next().unwrap().to_owned();
            names.extend(Some(name).filter(|_| is_test));
            is_test = false;
        }
    }
    names
}

#[test]
fn each_test_that_the_security_page_names_exists() {
    let mut found = HashSet::new();
    tests_below(&root(), &mut found);
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
        let tests = tests(&text);
        assert!(tests.len() > 2, "{tests:?}");
        for name in tests {
            assert!(named.contains(&name), "`{name}` is not in SECURITY.md");
        }
    }
}
