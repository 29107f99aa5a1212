//! Files and processes of a real agent that was started anew, where one is installed.

#![cfg(unix)]

use std::fs;

use qga_commands::Guest;
use qga_commands::commands::agent::Ping;
use qga_commands::commands::file::{FileOpen, FileRead};
use tokio::io::AsyncReadExt;

use crate::real;
use crate::support::poll_times;

/// Has the client ask who answers before it goes on.
async fn disturb(guest: &Guest) {
    drop(poll_times(guest.execute(Ping), 1).await);
    guest.execute(Ping).await.unwrap();
}

#[tokio::test]
async fn a_real_agent_that_is_still_there_is_known_again() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let mut file = guest.open("/etc/passwd").await.unwrap();
    let mut process = guest.command("/bin/cat").start().await.unwrap();
    let mut content = Vec::new();
    for _ in 0..3 {
        disturb(&guest).await;
        content.push(file.read_u8().await.unwrap());
    }
    assert!(fs::read("/etc/passwd").unwrap().starts_with(&content));
    assert!(process.wait().await.unwrap().status.success());
    file.close().await.unwrap();
}

#[tokio::test]
async fn a_real_agent_that_was_started_anew_is_known_for_another() {
    for forgets in [false, true] {
        let Some((mut agent, guest)) = real::guest().await else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let (mine, strange) = (folder.path().join("mine"), folder.path().join("strange"));
        fs::write(&mine, "mine").unwrap();
        fs::write(&strange, "strange").unwrap();
        let mut file = guest.open(mine.display().to_string()).await.unwrap();
        let mut sleeper = guest.command("/bin/sleep");
        let mut process = sleeper.arg("600").start().await.unwrap();
        if forgets {
            // As after a reboot, since it is kept in memory.
            let state = agent.path().parent().unwrap().join("qga.state");
            fs::remove_file(state).unwrap();
        }
        let mut agent = tokio::task::spawn_blocking(move || {
            agent.restart().unwrap();
            agent
        })
        .await
        .unwrap();
        drop(guest.execute(Ping).await);
        for _ in 0..10 {
            let open = FileOpen::new(strange.display().to_string());
            guest.client().execute(open).await.unwrap();
        }
        let error = file.read_u8().await.unwrap_err();
        let kind = std::io::ErrorKind::StaleNetworkFileHandle;
        assert_eq!(error.kind(), kind, "{forgets}: {error}");
        assert!(process.kill().await.unwrap_err().is_agent_gone());
        if forgets {
            let read = FileRead::new(file.handle());
            let read = guest.client().execute(read).await.unwrap();
            assert_eq!(read.data.into_vec(), b"strange");
        }
        // The program lives on, since nothing has killed it but this test.
        let pid = process.pid().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-KILL", &pid])
            .status();
        assert!(killed.unwrap().success());
        drop(guest);
        tokio::task::spawn_blocking(move || agent.restart().unwrap())
            .await
            .unwrap();
    }
}
