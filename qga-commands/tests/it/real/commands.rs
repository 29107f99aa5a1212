//! Every command that changes nothing, on a real agent where one is installed.

#![cfg(unix)]

use std::time::{Duration, SystemTime};

use qga_commands::capabilities::Capabilities;
use qga_commands::commands::device::GetDevices;
use qga_commands::commands::exec::{Exec, ExecStatus};
use qga_commands::commands::file::{FileClose, FileFlush, FileOpen, FileRead, FileSeek, QgaSeek};
use qga_commands::commands::fs::{FsfreezeStatus, GetFsInfo, GuestFsfreezeStatus};
use qga_commands::commands::time::{GetTime, GetTimezone};
use qga_commands::commands::{agent, cpu, disk, memory, net, os, ssh, user};
use qga_commands::schema::{COMMANDS, Platform};
use qga_commands::{Guest, GuestTime};
use qga_core::QgaCommand;

use crate::real;

/// Runs a command that the machine may not be able to serve, but that the agent has.
async fn decodes<C: QgaCommand>(guest: &Guest, command: C) {
    if let Err(error) = guest.client().execute(command).await {
        let refused = error.agent_error().is_some() && !error.is_command_not_found();
        assert!(refused, "{}: {error}", C::NAME);
    }
}

/// Runs a command that came later than others.
async fn decodes_where_it_is<C: QgaCommand>(command: C) {
    if let Some((_agent, guest)) = real::guest_with(C::NAME).await {
        decodes(&guest, command).await;
    }
}

#[tokio::test]
async fn guest_info_is_as_the_table_says() {
    let Some((agent, guest)) = real::guest().await else {
        return;
    };
    let capabilities = Capabilities::ask(guest.client()).await.unwrap();
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
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let client = guest.client();
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
    decodes(&guest, GetFsInfo).await;
    decodes(&guest, cpu::GetVcpus).await;
    decodes(&guest, disk::GetDisks).await;
    decodes(&guest, memory::GetMemoryBlocks).await;
    decodes(&guest, memory::GetMemoryBlockInfo).await;
    decodes(&guest, user::GetUsers).await;
    decodes(&guest, ssh::SshGetAuthorizedKeys::new("nobody")).await;
    let error = guest.client().execute(GetDevices).await.unwrap_err();
    assert!(
        error.is_command_not_found(),
        "Windows has it alone: {error}"
    );
}

#[tokio::test]
async fn routes_are_answered() {
    decodes_where_it_is(net::NetworkGetRoute).await;
}

#[tokio::test]
async fn the_load_is_answered() {
    decodes_where_it_is(cpu::GetLoad).await;
}

#[tokio::test]
async fn statistics_of_processors_are_answered() {
    decodes_where_it_is(cpu::GetCpuStats).await;
}

#[tokio::test]
async fn statistics_of_disks_are_answered() {
    decodes_where_it_is(disk::GetDiskStats).await;
}

#[tokio::test]
async fn the_guests_clock_is_this_systems() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let client = guest.client();
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
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let client = guest.client();
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
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let client = guest.client();
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
