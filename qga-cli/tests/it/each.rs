//! `qga each`.

use crate::support::{config, guest, run};

#[tokio::test]
async fn each_line_has_its_guests_name_and_the_summary_counts() {
    let ((one, first), (other, second)) = (guest().await, guest().await);
    one.program("who").stdout("one\n").exit(0);
    other.program("who").stdout("other\n").exit(3);
    let text = format!(
        "[guests]\nweb1 = '{first}'\nweb2 = '{second}'\ndb = 'unix:/none'\n[groups]\nweb = ['web1', 'web2']\n"
    );
    let (_folder, config) = config(&text);
    for guests in [&["web*"][..], &["web"], &["web1", "web2", "web1"]] {
        let args = [
            &["--config", &config, "each"],
            guests,
            &["--", "exec", "--", "who"],
        ]
        .concat();
        let run = run(&args).await;
        assert_eq!(run.code, 1, "{}", run.stderr);
        let mut lines: Vec<_> = run.stdout.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["web1: one", "web2: other"]);
        assert!(run.stderr.contains("web2: exit code 3"), "{}", run.stderr);
        assert!(
            run.stderr.contains("1 of 2 succeeded, 1 failed"),
            "{}",
            run.stderr
        );
    }
}

#[tokio::test]
async fn after_enough_failures_no_further_guest_is_begun() {
    let (_folder, config) =
        config("[guests]\na = 'unix:/none/a'\nb = 'unix:/none/b'\nc = 'unix:/none/c'\n");
    let run = run(&[
        "--config",
        &config,
        "each",
        "--concurrency",
        "1",
        "--stop-after",
        "1",
        "*",
        "--",
        "ping",
    ])
    .await;
    assert_eq!(run.code, 1);
    assert!(
        run.stderr
            .contains("0 of 3 succeeded, 1 failed, 2 were not begun"),
        "{}",
        run.stderr
    );
}

#[tokio::test]
async fn the_results_are_json_lines() {
    let (_agent, address) = guest().await;
    let run = run(&["-o", "json", "each", &address, "--", "ip"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines: Vec<serde_json::Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["exit_code"], 0);
    assert!(lines[0]["stdout"].as_str().unwrap().contains("192.0.2.10"));
}

#[tokio::test]
async fn a_file_of_each_guest_is_copied_to_a_place_of_its_own() {
    let ((one, first), (other, second)) = (guest().await, guest().await);
    one.file("/etc/hosts", "one\n");
    other.file("/etc/hosts", "other\n");
    let (folder, config) = config(&format!(
        "[guests]\nweb1 = '{first}'\nweb2 = '{second}'\n'../up' = '{first}'\n"
    ));
    let place = folder.path().join("in/{}.hosts").display().to_string();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let copy = async |guests: &str, to: &str| {
        run(&[
            "--config",
            &config,
            "each",
            guests,
            "--",
            "cp",
            ":/etc/hosts",
            to,
        ])
        .await
    };
    let copied = copy("web*", &place).await;
    assert_eq!(copied.code, 0, "{}", copied.stderr);
    let content =
        |name: &str| std::fs::read_to_string(folder.path().join("in").join(name)).unwrap();
    assert_eq!(
        (content("web1.hosts"), content("web2.hosts")),
        ("one\n".into(), "other\n".into())
    );
    // Two guests' files cannot have one place.
    let same = folder.path().join("in/hosts").display().to_string();
    assert_eq!(copy("web*", &same).await.code, 125);
    assert!(!folder.path().join("in/hosts").exists());
    // No name leads out of the folder.
    copy("../up", &place).await;
    assert_eq!(crate::support::names(&folder.path().join("in")).len(), 3);
    assert_eq!(crate::support::names(folder.path()), ["config.toml", "in"]);
}

#[tokio::test]
async fn what_is_said_to_each_agent_is_shown_with_the_guests_name() {
    let (_agent, address) = guest().await;
    let run = run(&["-v", "each", &address, "--", "ping"]).await;
    assert_eq!(run.code, 0, "{}", run.stderr);
    let shown = format!("{address}: > {{\"execute\":\"guest-ping\"");
    assert!(run.stderr.contains(&shown), "{}", run.stderr);
}
