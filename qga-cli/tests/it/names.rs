//! Names of guests.

use crate::support::{config, guest, run};

#[tokio::test]
async fn a_name_of_the_configuration_stands_for_an_address() {
    let (agent, address) = guest().await;
    agent.edit_guest(|guest| guest.host_name = "web1".into());
    let (_folder, config) = config(&format!("[guests]\nweb1 = '{address}'\n"));
    let named = run(&["--config", &config, "cat", "web1", "/etc/hostname"]).await;
    assert_eq!(named.code, 0, "{}", named.stderr);
    let copied = run(&["--config", &config, "cp", "web1:/etc/hostname", "-"]).await;
    assert_eq!(copied.stdout, named.stdout);
    let unknown = run(&["--config", &config, "ping", "web2"]).await;
    assert_eq!(unknown.code, 125);
    assert!(unknown.stderr.contains("web1"), "{}", unknown.stderr);
    let listed = run(&["--config", &config, "list"]).await;
    assert!(
        listed.stdout.contains(&format!("web1  {address}")),
        "{}",
        listed.stdout
    );
}

#[tokio::test]
async fn a_configuration_that_makes_no_sense_is_told_with_its_path() {
    let (_folder, config) = config("[guests\n");
    let run = run(&["--config", &config, "ping", "fake"]).await;
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains(&config), "{}", run.stderr);
    let missing = crate::support::run(&["--config", "/none/config.toml", "ping", "fake"]).await;
    assert_eq!(missing.code, 125);
}
