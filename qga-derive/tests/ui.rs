//! What the compiler says to each mistake: the file is named after it, the words are beside it.

use std::io::Write;
use std::process::Command;

/// The compiler whose own words are in `ui/compiler`; they change from release to release.
const WORDED_BY: &str = "rustc 1.95.";

#[test]
fn a_mistake_in_an_attribute_is_explained_where_it_is() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn a_type_that_does_not_fit_is_reported_once_at_its_field() {
    let version = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if version.starts_with(WORDED_BY) {
        trybuild::TestCases::new().compile_fail("tests/ui/compiler/*.rs");
    } else {
        // Not `eprintln!`, which the harness keeps to itself while a test passes.
        let _ = writeln!(
            std::io::stderr(),
            "tests/ui/compiler is left out: the words are those of {WORDED_BY}x, this is {version}"
        );
    }
}
