//! Subcommands that only look.

use std::process::Stdio;

use crate::support::{ended, guest, qga, run};

#[tokio::test]
async fn what_a_guest_is_stands_on_one_screen() {
    let (agent, address) = guest().await;
    agent.edit_guest(|guest| guest.host_name = "web\u{1b}]0;x\u{7}1".into());
    let info = run(&["info", &address]).await;
    assert_eq!(info.code, 0, "{}", info.stderr);
    assert_eq!(
        info.stdout,
        "\
host name  web\\u{1b}]0;x\\u{7}1
system     Debian GNU/Linux 13 (trixie)
kernel     6.12.43+deb13-amd64
machine    x86_64
agent      10.0.2
addresses  192.0.2.10
users      test
load       0.50 0.25 0.12
/     ####................  2.00 GiB  10.00 GiB
/srv  ####................  2.00 GiB  10.00 GiB
"
    );
}

#[tokio::test]
async fn what_a_guest_does_not_tell_is_left_out() {
    let (agent, address) = guest().await;
    for command in [
        "guest-get-osinfo",
        "guest-get-users",
        "guest-get-load",
        "guest-get-fsinfo",
    ] {
        agent.disable(command);
    }
    let info = run(&["info", &address]).await;
    assert_eq!(info.code, 0, "{}", info.stderr);
    assert!(
        !info.stdout.contains("system") && info.stdout.contains("192.0.2.10"),
        "{}",
        info.stdout
    );
}

#[tokio::test]
async fn each_question_is_answered_as_text_and_as_json() {
    let (_agent, address) = guest().await;
    for (command, text, member) in [
        ("ip", "192.0.2.10\n", "addresses"),
        (
            "df",
            "/     ####................  2.00 GiB  10.00 GiB\n",
            "filesystems",
        ),
        (
            "net",
            "lo    00:00:00:00:00:00  127.0.0.1/8 ::1/128\n",
            "interfaces",
        ),
        ("disks", "/dev/vda   disk\n", "disks"),
        ("users", "test  2023-11-14T21:56:40Z\n", "users"),
        ("time", "", "offset"),
        ("ping", "", "alive"),
        ("commands", "guest-exec", "commands"),
        ("info", "", "guest"),
    ] {
        let shown = run(&[command, &address]).await;
        assert_eq!(shown.code, 0, "{command}: {}", shown.stderr);
        assert!(shown.stdout.contains(text), "{command}: {}", shown.stdout);
        let json = run(&[command, &address, "-o", "json"]).await;
        assert!(
            json.stdout.starts_with(&format!("{{\"{member}\":")),
            "{}",
            json.stdout
        );
        assert!(
            json.stdout.ends_with(",\"version\":1}\n"),
            "{}",
            json.stdout
        );
    }
}

#[tokio::test]
async fn addresses_can_be_chosen() {
    let (agent, address) = guest().await;
    let all = run(&["ip", "--all", &address]).await;
    assert_eq!(all.stdout, "192.0.2.10/24  eth0  52:54:00:12:34:56\n");
    assert_eq!(
        run(&["ip", "--mac", "52:54:00:12:34:56", &address])
            .await
            .stdout,
        "192.0.2.10\n"
    );
    for args in [
        &["ip", "--mac", "52:54:00:00:00:00", &address][..],
        &["ip", "-6", &address],
    ] {
        let none = run(args).await;
        assert_eq!((none.code, &*none.stdout), (125, ""));
    }
    agent
        .on("guest-network-get-interfaces")
        .up_to(2)
        .reply(serde_json::json!([]));
    let waited = run(&["ip", "--wait", "20s", &address]).await;
    assert_eq!(
        (waited.code, &*waited.stdout),
        (0, "192.0.2.10\n"),
        "{}",
        waited.stderr
    );
    let late = run(&["ip", "-6", "--wait", "1s", &address]).await;
    assert_eq!(late.code, 124, "{}", late.stderr);
}

#[tokio::test]
async fn output_that_nobody_reads_is_no_success_and_no_panic() {
    let (_agent, address) = guest().await;
    for command in ["info", "commands", "df", "ip"] {
        let mut child = qga(&[command, &address]).spawn().unwrap();
        drop(child.stdout.take());
        let run = ended(child.wait_with_output().await.unwrap());
        assert_eq!((run.code, &*run.stderr), (125, ""), "{command}");
    }
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = qga(&["info", &address]);
    let child = command.stdout(Stdio::from(full)).spawn().unwrap();
    let run = ended(child.wait_with_output().await.unwrap());
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains("No space left"), "{}", run.stderr);
}

#[tokio::test]
async fn an_agent_that_is_not_there_is_told() {
    let run = run(&["ping", "/none/qga.sock"]).await;
    assert_eq!(run.code, 125);
    assert!(run.stderr.contains("unix:/none/qga.sock"), "{}", run.stderr);
}
