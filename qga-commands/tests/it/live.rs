//! Every command that changes nothing, on a real agent where one is installed.
#![cfg(unix)]

use std::io::{ErrorKind, Write as _};
use std::time::Duration;

use qga_commands::GuestTime;
use qga_commands::capabilities::Capabilities;
use qga_commands::commands::exec::{Exec, ExecStatus};
use qga_commands::commands::file::{FileClose, FileFlush, FileOpen, FileRead, FileSeek, QgaSeek};
use qga_commands::commands::fs::{FsfreezeStatus, GetFsInfo, GuestFsfreezeStatus};
use qga_commands::commands::time::{GetTime, GetTimezone};
use qga_commands::commands::{agent, cpu, disk, memory, net, os, ssh, user};
use qga_commands::schema::{COMMANDS, Platform};
use qga_core::{Client, QgaCommand};
use qga_testserver::real_agent::RealAgent;
use std::time::SystemTime;

/// An agent that refuses whatever could do harm, should a test have a mistake.
async fn agent() -> Option<(RealAgent, Client)> {
    let harmful: Vec<_> = COMMANDS
        .iter()
        .map(|command| command.name.trim_start_matches("guest-"))
        .filter(|name| {
            let harmful = [
                "shutdown",
                "suspend-",
                "set-",
                "fsfreeze-freeze",
                "fstrim",
                "ssh-add",
                "ssh-remove",
            ];
            harmful.iter().any(|start| name.starts_with(start))
        })
        .map(|name| format!("guest-{name}"))
        .collect();
    match RealAgent::start_with(&["-b", &harmful.join(",")]).await {
        Ok(agent) => {
            let client = Client::connect(&agent.address()).await.unwrap();
            Some((agent, client))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let ci = std::env::var_os("CI").is_some_and(|ci| !ci.is_empty());
            assert!(!ci, "CI needs a real agent");
            // Not `eprintln!`, which the harness keeps to itself while a test passes.
            let _ = writeln!(std::io::stderr(), "a test is left out: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a command that the agent may lack, or that the machine may not be able to serve.
async fn decodes<C: QgaCommand>(client: &Client, command: C) {
    if let Err(error) = client.execute(command).await {
        assert!(error.agent_error().is_some(), "{}: {error}", C::NAME);
    }
}

#[tokio::test]
async fn guest_info_is_as_the_table_says() {
    let Some((agent, client)) = agent().await else {
        return;
    };
    let capabilities = Capabilities::ask(&client).await.unwrap();
    assert_eq!(capabilities.version(), agent.version());
    for known in capabilities.commands() {
        let command = qga_commands::schema::find(&known.name);
        let command = command.unwrap_or_else(|| panic!("{} is not in the table", known.name));
        let always = command.reply == qga_core::Reply::Always;
        assert_eq!(known.success_response, always, "{}", known.name);
    }
    for command in COMMANDS
        .iter()
        .filter(|command| command.platforms.contains(&Platform::Linux))
    {
        let number = |version: &str| {
            version
                .split('.')
                .map(str::parse)
                .collect::<Result<Vec<u32>, _>>()
                .unwrap()
        };
        let expected = number(command.since) <= number(agent.version());
        if cfg!(target_os = "linux") {
            assert_eq!(
                capabilities.knows(command.name),
                expected,
                "{}",
                command.name
            );
        }
    }
}

#[tokio::test]
async fn every_command_that_asks_is_answered() {
    let Some((_agent, client)) = agent().await else {
        return;
    };
    client.execute(agent::Ping).await.unwrap();
    assert_eq!(client.execute(agent::Sync::new(-7)).await.unwrap(), -7);
    let delimited = agent::SyncDelimited::new(i64::MIN);
    assert_eq!(client.execute(delimited).await.unwrap(), i64::MIN);
    let status = client.execute(FsfreezeStatus).await.unwrap();
    assert_eq!(status, GuestFsfreezeStatus::Thawed);
    let name = client.execute(os::GetHostName).await.unwrap();
    assert!(!name.host_name.is_empty());
    assert!(
        client
            .execute(os::GetOsInfo)
            .await
            .unwrap()
            .kernel_release
            .is_some()
    );
    client.execute(GetTimezone).await.unwrap();
    let interfaces = client.execute(net::NetworkGetInterfaces).await.unwrap();
    assert!(interfaces.iter().any(|interface| interface.name == "lo"));
    decodes(&client, GetFsInfo).await;
    decodes(&client, net::NetworkGetRoute).await;
    decodes(&client, cpu::GetVcpus).await;
    decodes(&client, cpu::GetCpuStats).await;
    decodes(&client, cpu::GetLoad).await;
    decodes(&client, disk::GetDisks).await;
    decodes(&client, disk::GetDiskStats).await;
    decodes(&client, memory::GetMemoryBlocks).await;
    decodes(&client, memory::GetMemoryBlockInfo).await;
    decodes(&client, user::GetUsers).await;
    decodes(&client, qga_commands::commands::device::GetDevices).await;
    decodes(&client, ssh::SshGetAuthorizedKeys::new("nobody")).await;
}

#[tokio::test]
async fn the_guests_clock_is_this_systems() {
    let Some((_agent, client)) = agent().await else {
        return;
    };
    let guest: GuestTime = client.execute(GetTime).await.unwrap();
    let ours = SystemTime::now();
    let guest = guest.to_system_time().unwrap();
    let apart = ours
        .duration_since(guest)
        .unwrap_or_else(|error| error.duration());
    assert!(apart < Duration::from_secs(60), "{apart:?}");
}

#[tokio::test]
async fn a_file_is_read_from_where_it_was_sought() {
    let Some((_agent, client)) = agent().await else {
        return;
    };
    let expected = std::fs::read("/etc/hostname").unwrap();
    let handle = client
        .execute(FileOpen::new("/etc/hostname"))
        .await
        .unwrap();
    let seek = FileSeek::new(handle, 1, QgaSeek::Start);
    assert_eq!(client.execute(seek).await.unwrap().position, 1);
    let read = client.execute(FileRead::new(handle)).await.unwrap();
    assert_eq!(&*read.data, &expected[1..]);
    assert!(read.eof);
    client.execute(FileFlush::new(handle)).await.unwrap();
    client.execute(FileClose::new(handle)).await.unwrap();
}

#[tokio::test]
async fn a_program_runs_to_its_end() {
    let Some((_agent, client)) = agent().await else {
        return;
    };
    let process = client
        .execute(Exec::new("/bin/true").capture_output(true))
        .await
        .unwrap();
    let ended = loop {
        let status = client.execute(ExecStatus::new(process.pid)).await.unwrap();
        if status.exited {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!((ended.exit_code, ended.out_data), (Some(0), None));
}
