//! What the published crates offer, in files that a review sees change.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this is a test"
)]

#[path = "api/items.rs"]
mod items;
#[path = "house/modules.rs"]
#[allow(dead_code, reason = "another test uses more of it")]
mod modules;
#[path = "house/paths.rs"]
#[allow(dead_code, reason = "another test uses more of it")]
mod paths;
#[path = "api/scope.rs"]
mod scope;
#[path = "api/text.rs"]
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use modules::Modules;

/// The items of a crate that its users can name, one on a line.
fn api(crate_name: &str, modules: &Modules) -> Vec<String> {
    let lines: BTreeSet<_> = items::public(crate_name, &scope::Scope::new(modules));
    lines.into_iter().collect()
}

fn check(package: &str) {
    let found = api(&package.replace('-', "_"), &Modules::read(package));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../api/{package}.txt"));
    if std::env::var_os("QGA_API").is_some_and(|how| how == "overwrite") {
        fs::write(&file, found.join("\n") + "\n").unwrap();
        return;
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    let written: Vec<_> = written.lines().map(str::to_owned).collect();
    let only_in = |these: &[String], those: &[String], sign: &str| {
        let those: BTreeSet<_> = those.iter().collect();
        let only = these.iter().filter(|line| !those.contains(line));
        let only: Vec<_> = only.map(|line| format!("{sign} {line}")).collect();
        only.join("\n")
    };
    let gone = only_in(&written, &found, "-");
    let new = only_in(&found, &written, "+");
    assert!(
        written == found,
        "the public items of {package} are not those of api/{package}.txt:\n{gone}\n{new}\n\
         If that is meant: QGA_API=overwrite cargo test -p examples --test api"
    );
}

#[test]
fn the_public_items_of_the_core_are_those_that_are_written_down() {
    check("qga-core");
}

#[test]
fn the_public_items_of_the_derive_are_those_that_are_written_down() {
    check("qga-derive");
}

#[test]
fn the_public_items_of_the_commands_are_those_that_are_written_down() {
    check("qga-commands");
}

#[test]
fn the_public_items_of_the_generator_are_those_that_are_written_down() {
    check("qga-codegen");
}

#[test]
fn the_public_items_of_libvirt_are_those_that_are_written_down() {
    check("qga-libvirt");
}

#[test]
fn the_public_items_of_the_monitor_are_those_that_are_written_down() {
    check("qga-qmp");
}

#[test]
fn the_public_items_of_the_fake_agent_are_those_that_are_written_down() {
    check("qga-testserver");
}

#[test]
fn what_is_reachable_is_listed_where_it_is_reached_and_nothing_else() {
    let modules = Modules::of([
        (
            "",
            "mod a; pub mod b; #[doc(hidden)] pub mod c; pub use a::{Shown, Way as Renamed}; pub use serde::Deserialize;
             pub mod inline { pub const ONE: u8 = 1; }",
        ),
        (
            "a",
            "#[derive(Clone)] #[non_exhaustive] pub struct Shown { pub a: u8, b: u8 }
             pub struct Hidden;
             pub enum Way { There { far: bool }, Back(u8), Nowhere }
             impl Hidden { pub fn no(&self) {} }
             #[cfg(test)] mod tests { pub fn no() {} }",
        ),
        (
            "b",
            "use crate::a::Shown; pub struct Way; #[cfg(unix)] pub type Other = Vec<Way>;
             impl Shown { pub const fn yes<'a>(&'a self, to: &str) -> Option<&'a [u8]> { None } fn no() {} pub(crate) fn no2() {} }
             impl Way { pub fn other() {} }
             impl<T> From<T> for Way where T: Copy { fn from(_: T) -> Self { Way } }
             impl Walk for u8 {} impl Walk for Way {}
             pub trait Walk: Send { const STEPS: u32 = 1; type Next; fn walk(&self); fn rest(&self) {} }",
        ),
        ("c", "pub struct No;"),
    ]);
    let expected = [
        "k",
        "k::Deserialize = use serde::Deserialize",
        "k::Renamed = enum",
        "k::Renamed::Back(u8)",
        "k::Renamed::Nowhere",
        "k::Renamed::There { far: bool }",
        "k::Shown = #[non_exhaustive] struct { pub a: u8, .. }",
        "k::Shown: Clone",
        "k::Shown::yes = pub const fn yes<'a>(&'a self, to: &str) -> Option<&'a [u8]>",
        "k::b",
        "k::b::Other = #[cfg(unix)] pub type Other = Vec<Way>",
        "k::b::Walk = pub trait Walk: Send",
        "k::b::Walk: impl Walk for u8",
        "k::b::Walk::Next = type Next",
        "k::b::Walk::STEPS = const STEPS: u32, provided",
        "k::b::Walk::rest = fn rest(&self), provided",
        "k::b::Walk::walk = fn walk(&self)",
        "k::b::Way = struct;",
        "k::b::Way: impl<T> From<T> for Way where T: Copy",
        "k::b::Way: impl Walk for Way",
        "k::b::Way::other = pub fn other()",
        "k::inline",
        "k::inline::ONE = pub const ONE: u8",
    ];
    let expected: BTreeSet<_> = expected.into_iter().collect();
    let expected: Vec<_> = expected.into_iter().collect();
    assert_eq!(api("k", &modules), expected);
}
