//! `-v`.

use crate::support::{guest, run, run_with};

#[tokio::test]
async fn what_is_said_on_the_wire_is_shown_beside_the_result() {
    let (_agent, address) = guest().await;
    let ip = run(&["-v", "ip", &address]).await;
    assert_eq!((ip.code, ip.stdout.as_str()), (0, "192.0.2.10\n"));
    let lines: Vec<_> = ip.stderr.lines().collect();
    let has = |mark: &str, text: &str| {
        let mut lines = lines.iter();
        lines.any(|line| line.starts_with(mark) && line.contains(text))
    };
    assert!(has("> ", "guest-network-get-interfaces"), "{}", ip.stderr);
    assert!(has("< ", "192.0.2.10"), "{}", ip.stderr);
}

#[tokio::test]
async fn secrets_are_not_shown_on_the_wire() {
    let (agent, address) = guest().await;
    agent.file("/secret", "hunter2");
    agent.program("secret").stdout("hunter2\n").exit(0);
    let base64 = "aHVudGVyM";
    let commands: [(&[&str], &str); 3] = [
        (&["-v", "passwd", &address, "test"], "hunter2\n"),
        (&["-v", "cat", &address, "/secret"], ""),
        (
            &[
                "-v",
                "exec",
                "-i",
                "-e",
                "A=hunter2",
                &address,
                "--",
                "secret",
            ],
            "hunter2\n",
        ),
    ];
    for (args, input) in commands {
        let run = run_with(args, input.as_bytes()).await;
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stderr.contains("withheld"), "{}", run.stderr);
        assert!(
            !run.stderr.contains("hunter2") && !run.stderr.contains(base64),
            "{args:?}: {}",
            run.stderr
        );
    }
}
