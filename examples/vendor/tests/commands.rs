//! The commands are as the schema says, and the code is what it makes.

use std::path::Path;

use qga_codegen::{Config, Schema, drift, generate};
use qga_core::Client;
use qga_testserver::TestAgent;
use serde_json::json;
use vendor_commands::commands::backup::{GetBackups, StartBackup};

#[tokio::test]
async fn the_commands_are_as_the_schema_says() {
    let (agent, stream) = TestAgent::in_memory();
    agent.on("acme-start-backup").expect(1).reply(json!({}));
    let backup = json!({"volume": "v", "type": "full", "percent": 100, "last-error": "e"});
    agent
        .on("acme-get-backups")
        .expect(1)
        .reply(json!([backup]));
    let client = Client::new(stream);

    client
        .execute(StartBackup::new("v").note("n"))
        .await
        .unwrap();
    let backups = client.execute(GetBackups).await.unwrap();
    assert_eq!(backups[0].last_error.as_deref(), Some("e"));
    let request = &agent.requests_of("acme-start-backup")[0];
    assert_eq!(request.arguments, json!({"volume": "v", "note": "n"}));
}

#[test]
fn what_the_data_file_hides_is_not_shown() {
    let start = StartBackup::new("v").note("the key is under the mat");
    let expected = "StartBackup { volume: \"v\", note: Some(<24 bytes>) }";
    assert_eq!(format!("{start:?}"), expected);
}

#[test]
fn the_generated_code_is_what_the_schema_makes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = Schema::read(&folder.join("acme.json")).unwrap();
    let config = Config::read(&folder.join("acme.toml")).unwrap();
    let files = generate(&schema, &config).unwrap();
    assert_eq!(drift(&folder.join("src/commands"), &files).unwrap(), []);
}
