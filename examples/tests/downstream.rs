//! A crate outside the workspace, with `qga-core` and no other crate of ours.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use qga_testserver::TestAgent;
use serde_json::json;

const MANIFEST: &str = r#"
[package]
name = "downstream"
edition = "2024"

[dependencies]
qga-core = { path = "CORE" }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["macros", "rt"] }
"#;

const PROGRAM: &str = r#"
use qga_core::{Client, QgaCommand};

#[derive(QgaCommand)]
#[qga(name = "vendor-greet", response = Greeting, retry = Safe)]
struct Greet<'a> {
    first_name: &'a str,
    last_name: Option<&'a str>,
}

#[derive(serde::Deserialize)]
struct Greeting {
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), qga_core::Error> {
    let address = std::env::args().nth(1).unwrap_or_default();
    let client = Client::connect(address).await?;
    let greeting = client.execute(Greet { first_name: "Ada", last_name: None }).await?;
    println!("{}", greeting.text);
    Ok(())
}
"#;

#[tokio::test]
async fn a_downstream_crate_derives_and_runs_a_command() {
    let agent = TestAgent::start().await;
    agent
        .on("vendor-greet")
        .with(|arguments| *arguments == json!({"first-name": "Ada"}))
        .reply(json!({"text": "hello, Ada"}));
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path());
    let address = agent.address();
    let output = tokio::task::spawn_blocking(move || {
        // What it depends on is here already, since the workspace needs it too.
        Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--offline", "--", &address])
            .current_dir(folder.path())
            .env(
                "CARGO_TARGET_DIR",
                concat!(env!("CARGO_TARGET_TMPDIR"), "/downstream"),
            )
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello, Ada\n");
}

fn write_crate(folder: &Path) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let core = workspace.join("qga-core");
    let manifest = MANIFEST.replace("CORE", core.to_str().unwrap());
    std::fs::create_dir(folder.join("src")).unwrap();
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), PROGRAM).unwrap();
    std::fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
}
