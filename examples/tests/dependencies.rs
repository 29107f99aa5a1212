//! What the crates that we use ask of ours: a licence that they may be used under, and a version of Rust.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

/// The licences that ask for no more than to be named beside the program.
const LICENCES: [&str; 3] = ["MIT", "Apache-2.0", "Unicode-3.0"];

/// All crates that are built for this host, ours and others.
fn packages() -> Vec<Value> {
    let host = Command::new("rustc").arg("-vV").output().unwrap();
    let host = String::from_utf8(host.stdout).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: "));
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn is_allowed(licence: &str) -> bool {
    // Some write a slash where others write OR.
    let expression = Expression::parse_mode(licence, ParseMode::LAX).unwrap();
    expression.evaluate(|asked: &LicenseReq| {
        let name = asked.license.id().map(|id| id.name);
        name.is_some_and(|name| LICENCES.contains(&name) && asked.addition.is_none())
    })
}

#[test]
fn each_crate_may_be_used_under_a_licence_that_only_asks_to_be_named() {
    let packages = packages();
    assert!(packages.len() > 80, "{}", packages.len());
    for package in &packages {
        let licence = package["license"].as_str().unwrap_or("no licence");
        assert!(
            licence != "no licence" && is_allowed(licence),
            "{}: {licence}",
            package["name"]
        );
    }
    for licence in ["GPL-3.0", "MIT AND GPL-2.0-or-later", "LGPL-2.1"] {
        assert!(!is_allowed(licence), "{licence}");
    }
}

/// Our own code is held to it by the lints.
#[test]
fn no_crate_needs_a_later_rust_than_ours_say() {
    let packages = packages();
    let version = |package: &Value| -> Option<(u64, u64)> {
        let (major, rest) = package["rust_version"].as_str()?.split_once('.')?;
        let minor = rest.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let ours = packages
        .iter()
        .find(|package| package["name"] == "qga-core");
    let ours = version(ours.unwrap()).unwrap();
    let known = packages
        .iter()
        .filter_map(|it| Some((version(it)?, &it["name"])));
    let known: Vec<_> = known.collect();
    assert!(known.len() > 50, "{}", known.len());
    for (needed, name) in known {
        assert!(
            needed <= ours,
            "{name} needs Rust {needed:?}, ours say {ours:?}"
        );
    }
}
