//! `qga raw` and `qga dial-stdio`.

use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{guest, qga, run};

#[tokio::test]
async fn any_command_is_sent_with_its_arguments() {
    let (agent, address) = guest().await;
    agent.edit_guest(|guest| guest.host_name = "raw".into());
    let name = run(&["raw", &address, "guest-get-host-name"]).await;
    assert_eq!((name.code, &*name.stdout), (0, "{\"host-name\":\"raw\"}\n"));
    agent
        .on("vendor-set")
        .reply_with(|request| request.arguments.clone());
    for args in [
        &[
            "raw",
            &address,
            "vendor-set",
            "{\"text\": \"x\", \"count\": 3}",
        ][..],
        &["raw", &address, "vendor-set", "text=x", "count=3"],
    ] {
        let sent = run(args).await;
        assert_eq!(
            sent.stdout, "{\"count\":3,\"text\":\"x\"}\n",
            "{}",
            sent.stderr
        );
    }
    let refused = run(&["raw", &address, "guest-none"]).await;
    assert_eq!(refused.code, 125);
    assert!(refused.stderr.contains("guest-none"), "{}", refused.stderr);
}

#[tokio::test]
async fn bytes_are_carried_to_a_socket_and_back() {
    let (_agent, address) = guest().await;
    let mut child = qga(&["dial-stdio", &address])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    stdin
        .write_all(b"{\"execute\": \"guest-ping\"}\n")
        .await
        .unwrap();
    let mut reply = [0; 15];
    stdout.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"{\"return\": {}}\n");
    drop(stdin);
    assert!(child.wait().await.unwrap().success());
}
