//! What the README shows.

use std::path::Path;

use crate::support::{config, run};

fn block(language: &str, content: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let blocks = readme
        .split("\n```")
        .filter_map(|block| block.strip_prefix(language));
    let mut blocks = blocks.filter_map(|block| block.strip_prefix('\n'));
    let found = blocks.find(|block| block.contains(content)).unwrap();
    format!("{found}\n")
}

#[tokio::test]
async fn the_session_in_the_readme_is_what_is_seen() {
    let session = block("console", "$ qga info fake");
    let mut printed = String::new();
    for line in session.lines() {
        if let Some(command) = line.strip_prefix("$ qga ") {
            let words: Vec<_> = command.split(' ').collect();
            let run = run(&words).await;
            assert_eq!(run.code, 0, "{command}: {}", run.stderr);
            printed.extend([line, "\n", &run.stdout]);
        }
    }
    assert_eq!(printed, session);
}

#[tokio::test]
async fn the_configuration_in_the_readme_is_understood() {
    let (_folder, config) = config(&block("toml", "[guests]"));
    let listed = run(&["--config", &config, "list"]).await;
    assert_eq!(listed.code, 0, "{}", listed.stderr);
    assert!(
        listed.stdout.contains("web1  libvirt:web1"),
        "{}",
        listed.stdout
    );
}
