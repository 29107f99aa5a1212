//! What the README shows.

use std::path::{Path, PathBuf};

use crate::support::{config, run};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")
}

fn block(language: &str, content: &str) -> String {
    let readme = std::fs::read_to_string(path()).unwrap();
    let blocks = readme
        .split("\n```")
        .filter_map(|block| block.strip_prefix(language));
    let mut blocks = blocks.filter_map(|block| block.strip_prefix('\n'));
    let found = blocks.find(|block| block.contains(content)).unwrap();
    format!("{found}\n")
}

/// With `QGA_README=overwrite` in the environment it is written anew.
#[tokio::test]
async fn the_session_in_the_readme_is_what_the_demo_prints() {
    let demo = run(&["demo"]).await;
    assert_eq!(demo.code, 0, "{}", demo.stderr);
    let readme = std::fs::read_to_string(path()).unwrap();
    let (before, rest) = readme.split_once("\n```console\n").unwrap();
    let (session, after) = rest.split_once("```\n").unwrap();
    if session != demo.stdout && std::env::var("QGA_README").is_ok_and(|it| it == "overwrite") {
        let readme = format!("{before}\n```console\n{}```\n{after}", demo.stdout);
        return std::fs::write(path(), readme).unwrap();
    }
    assert_eq!(session, demo.stdout);
}

#[tokio::test]
async fn the_configuration_in_the_readme_is_understood() {
    let (_folder, config) = config(&block("toml", "[guests]"));
    let listed = run(&["--config", &config, "list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(
        listed.has_row(&["web1", "libvirt:web1"]),
        "{}",
        listed.stdout
    );
}
