//! The README's programs, pasted into a crate of their own as the README says.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use qga_testserver::TestAgent;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The blocks of code in the README of this language, such as `toml`.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(workspace().join("README.md")).unwrap();
    blocks_in(&readme, language)
}

fn blocks_in(page: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, block)) = rest.split_once("\n```") {
        let (head, body) = block.split_once('\n').unwrap();
        let (body, after) = body.split_once("\n```").unwrap();
        if head.split(',').next() == Some(language) {
            blocks.push(format!("{body}\n"));
        }
        rest = after;
    }
    blocks
}

fn manifests() -> Vec<String> {
    let mut manifests = blocks("toml");
    manifests.retain(|block| block.contains("dependencies]"));
    manifests
}

fn programs() -> Vec<String> {
    let mut programs = blocks("rust");
    programs.retain(|block| block.contains("fn main()"));
    programs
}

/// A crate outside the workspace with the README's `Cargo.toml`.
struct Pasted {
    folder: tempfile::TempDir,
}

impl Pasted {
    fn new(manifest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let beside = format!("{}/", workspace().display());
        let manifest = manifest.replace("../qga/", &beside);
        std::fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        // What it depends on is here already, since the workspace needs it too.
        let lock = folder.path().join("Cargo.lock");
        std::fs::copy(workspace().join("Cargo.lock"), lock).unwrap();
        Self { folder }
    }

    fn paste(&self, place: &str, program: &str) {
        std::fs::write(self.folder.path().join(place), program).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.cargo(&[&["run", "--quiet", "--offline", "--"], arguments].concat())
    }

    fn cargo(&self, arguments: &[&str]) -> Output {
        let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/downstream");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments);
        cargo
            .current_dir(self.folder.path())
            .env("CARGO_TARGET_DIR", target);
        cargo.output().unwrap()
    }
}

fn printed(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn the_programs_of_the_readme_run_when_they_are_pasted() {
    let manifests = manifests();
    let [manifest] = &*manifests else {
        panic!("one block to paste, not {}", manifests.len());
    };
    let programs = programs();
    let [hello, scheme, production, own] = &*programs else {
        panic!("{} programs", programs.len());
    };
    let agent = TestAgent::start().await;
    agent.edit_guest(|guest| guest.host_name = "vm1".into());
    let address = agent.address();
    let (manifest, programs) = (
        manifest.clone(),
        [hello, production, own, scheme].map(Clone::clone),
    );
    let run = tokio::task::spawn_blocking(move || {
        let [hello, production, own, scheme] = programs;
        let pasted = Pasted::new(&manifest);
        pasted.paste("src/main.rs", &hello);
        assert_eq!(printed(&pasted.run(&[])), "test-guest says hello\n");
        pasted.paste("src/main.rs", &production);
        assert_eq!(printed(&pasted.run(&[&address])), "vm1 says hello\n");
        let without = pasted.run(&[]);
        assert_eq!(without.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&without.stderr).contains("which guest?"));
        pasted.paste("src/main.rs", &own);
        assert_eq!(printed(&pasted.run(&[])), "test-guest\n");
        assert_eq!(printed(&pasted.run(&[&address])), "vm1\n");
        pasted.paste("src/main.rs", &scheme);
        assert_eq!(printed(&pasted.run(&[])), "test-guest says hello\n");
    });
    run.await.unwrap();
}

#[test]
fn the_test_of_the_readme_passes_when_it_is_pasted() {
    let (manifests, mut tests) = (manifests(), blocks("rust"));
    tests.retain(|block| block.contains("#[tokio::test]"));
    let pasted = Pasted::new(&manifests[0]);
    std::fs::create_dir(pasted.folder.path().join("tests")).unwrap();
    pasted.paste("src/lib.rs", "");
    pasted.paste("tests/guest.rs", &tests[0]);
    let arguments = ["test", "--offline", "--test", "guest"];
    assert!(printed(&pasted.cargo(&arguments)).contains("1 passed"));
    assert_eq!(tests.len(), 1);
}

#[test]
fn the_programs_of_the_readme_are_the_examples() {
    let programs = programs();
    for (number, name) in [(0, "hello"), (3, "host_name")] {
        let file = workspace().join(format!("examples/src/bin/{name}.rs"));
        let example = std::fs::read_to_string(file).unwrap();
        let (_, example) = example.split_once("\n\n").unwrap();
        assert_eq!(programs[number], example, "{name}");
    }
}

/// An example that always starts a fake agent cannot be used with a guest; `hello` is the one that is to be pasted.
#[test]
fn examples_start_a_fake_agent_only_without_an_address() {
    for file in std::fs::read_dir(workspace().join("examples/src/bin")).unwrap() {
        let file = file.unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        let starts = text.matches("TestAgent::start()").count();
        let only_if_needed = [
            "fake.insert(TestAgent::start().await)",
            "fake.insert(runtime.block_on(TestAgent::start()))",
            "fakes.push(TestAgent::start().await)",
        ];
        let only_if_needed: usize = only_if_needed
            .map(|way| text.matches(way).count())
            .iter()
            .sum();
        assert!(
            starts == only_if_needed || file.file_name() == "hello.rs",
            "{:?}",
            file.file_name()
        );
    }
}

/// A page that is written in Markdown or in the comments at the head of a crate.
fn page(file: &str) -> String {
    let text = std::fs::read_to_string(workspace().join(file)).unwrap();
    if file.ends_with("recipes.md") {
        return text;
    }
    let comments = text.lines().filter_map(|line| line.strip_prefix("//!"));
    let lines = comments.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_dependency_lines_of_the_front_pages_name_all_that_their_programs_use() {
    const CRATES: [&str; 7] = [
        "anyhow",
        "qga_commands",
        "qga_core",
        "qga_testserver",
        "serde",
        "serde_json",
        "tokio",
    ];
    for file in [
        "qga-core/src/lib.rs",
        "qga-commands/src/lib.rs",
        "qga-commands/src/recipes.md",
    ] {
        let page = page(file);
        let [lines] = &*blocks_in(&page, "toml") else {
            panic!("{file} has no dependency lines, or several");
        };
        let programs = blocks_in(&page, "").concat();
        let shown = |line: &&str| !line.starts_with("# ") && *line != "#";
        let shown: Vec<_> = programs.lines().filter(shown).collect();
        let shown = shown.join("\n");
        assert!(shown.contains("async fn"), "{file} has no program");
        for name in CRATES
            .into_iter()
            .filter(|name| shown.contains(&format!("{name}::")))
        {
            let line = format!("\n{} = ", name.replace('_', "-"));
            assert!(
                lines.contains(&line) || lines.contains(&line.replace('-', "_")),
                "{file}: {name}"
            );
        }
        for feature in ["signal", "time"] {
            let used = shown.contains(&format!("tokio::{feature}"));
            assert!(
                !used || lines.contains(&format!("\"{feature}\"")),
                "{file}: {feature}"
            );
        }
        let main =
            file.ends_with("recipes.md") || shown.contains("#[tokio::main]\nasync fn main()");
        assert!(main, "{file} does not show `main`");
    }
}

#[test]
fn the_links_of_the_pages_lead_to_what_is_there() {
    for file in [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
        "examples/vendor/README.md",
        "qga-testserver/PROGRAM.md",
    ] {
        let place = workspace().join(file);
        let text = std::fs::read_to_string(&place).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let is_path = !target.is_empty() && !target.contains(':');
            let found = place.parent().unwrap().join(target).exists();
            assert!(!is_path || found, "{file}: {target}");
        }
    }
}
