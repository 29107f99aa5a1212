//! Requests as the commands make them, against those that real agents have accepted.

use crate::common::facts::Facts;
use crate::common::recorded;
use qga_commands::GuestTime;
use qga_commands::commands::exec::{Exec, ExecStatus, GuestExecCaptureOutputMode};
use qga_commands::commands::file::{
    FileClose, FileFlush, FileOpen, FileRead, FileSeek, FileWrite, QgaSeek,
};
use qga_commands::commands::fs::{FsfreezeFreezeList, Fstrim};
use qga_commands::commands::memory::{GuestMemoryBlock, SetMemoryBlocks};
use qga_commands::commands::power::Shutdown;
use qga_commands::commands::ssh::{
    SshAddAuthorizedKeys, SshGetAuthorizedKeys, SshRemoveAuthorizedKeys,
};
use qga_commands::commands::time::SetTime;
use qga_commands::commands::user::SetUserPassword;
use qga_commands::commands::{agent, cpu};
use qga_core::QgaCommand;
use serde_json::{Value, json};

fn arguments<C: QgaCommand>(command: &C) -> Value {
    let arguments = command.arguments();
    arguments.map_or(Value::Null, |arguments| {
        serde_json::to_value(arguments).unwrap()
    })
}

/// That a real agent has accepted this very request, but for a number that it gave out itself.
#[track_caller]
fn accepted<C: QgaCommand>(command: &C) {
    let (name, mut ours) = (C::NAME, arguments(command));
    let unnumbered = |arguments: &mut Value| {
        for key in ["handle", "pid", "id"] {
            if let Some(number) = arguments.get_mut(key).filter(|value| value.is_i64()) {
                *number = json!(0);
            }
        }
    };
    unnumbered(&mut ours);
    let mut known: Vec<_> = recorded()
        .into_iter()
        .filter(|request| request.command == name)
        .map(|request| request.arguments)
        .collect();
    known.iter_mut().for_each(unnumbered);
    assert!(known.contains(&ours), "{name} {ours}\nknown: {known:#?}");
}

#[test]
fn requests_about_files_are_as_agents_accept_them() {
    accepted(&FileOpen::new("/tmp/qga-conf").mode("r"));
    accepted(&FileOpen::new("/tmp/qga-conf/f"));
    accepted(&FileClose::new(1000));
    accepted(&FileFlush::new(1000));
    accepted(&FileWrite::new(1000, *b"x"));
    accepted(&FileWrite::new(1000, *b"abcdef").count(3));
    accepted(&FileSeek::new(1000, 0, QgaSeek::Start));
    accepted(&FileSeek::new(1000, 1, 2));
}

#[test]
fn requests_about_programs_are_as_agents_accept_them() {
    accepted(&Exec::new("/bin/echo").arg(["hi"]));
    accepted(&Exec::new("/bin/echo").arg(["hi"]).capture_output(false));
    accepted(&Exec::new("/bin/true"));
    let script = ["-c", "echo out; echo err >&2; exit 3"];
    let merged = Exec::new("/bin/sh")
        .arg(script)
        .capture_output(GuestExecCaptureOutputMode::Merged);
    accepted(&merged);
    let none: [&str; 0] = [];
    let env = Exec::new("/usr/bin/env").arg(none);
    accepted(&env.clone().env(none).capture_output(true));
    accepted(&env.env(["A=1", "A=2"]).capture_output(true));
    accepted(&ExecStatus::new(1));
}

#[test]
fn requests_about_users_are_as_agents_accept_them() {
    accepted(&SetUserPassword::new("qgatest", "Secret-12", false));
    accepted(&SshAddAuthorizedKeys::new(
        "qgatest",
        ["ssh-ed25519 AAAA a"],
    ));
    let keys = ["ssh-ed25519 AAAA a", "ssh-rsa BBBB b"];
    accepted(&SshAddAuthorizedKeys::new("qgatest", keys).reset(true));
    accepted(&SshGetAuthorizedKeys::new("qgatest"));
    let gone = recorded()
        .into_iter()
        .find(|request| request.command.ends_with("remove-authorized-keys"));
    let keys = gone.unwrap().arguments["keys"].clone();
    let keys: Vec<String> = serde_json::from_value(keys).unwrap();
    accepted(&SshRemoveAuthorizedKeys::new("qgatest", keys));
}

#[test]
fn requests_about_the_machine_are_as_agents_accept_them() {
    accepted(&agent::Ping);
    accepted(&agent::Info);
    accepted(&agent::Sync::new(7));
    accepted(&qga_commands::commands::fs::FsfreezeStatus);
    accepted(&qga_commands::commands::fs::FsfreezeThaw);
    accepted(&qga_commands::commands::os::GetHostName);
    let processor = cpu::GuestLogicalProcessor::new(0, true);
    accepted(&cpu::SetVcpus::new([processor.clone()]));
    accepted(&cpu::SetVcpus::new([processor.can_offline(true)]));
}

#[test]
fn requests_that_nobody_dared_to_record_are_as_the_facts_say() {
    let time = GuestTime::from_nanos(5);
    let block = GuestMemoryBlock::new(3, false);
    assert_eq!(arguments(&SetTime::new()), json!({}));
    assert_eq!(arguments(&SetTime::new().time(time)), json!({"time": 5}));
    assert_eq!(
        arguments(&Shutdown::new().mode("halt")),
        json!({"mode": "halt"})
    );
    assert_eq!(
        arguments(&Fstrim::new().minimum(4096)),
        json!({"minimum": 4096})
    );
    let list = FsfreezeFreezeList::new().mountpoints(["/", "/home"]);
    assert_eq!(arguments(&list), json!({"mountpoints": ["/", "/home"]}));
    let blocks = json!({"mem-blks": [{"phys-index": 3, "online": false}]});
    assert_eq!(arguments(&SetMemoryBlocks::new([block])), blocks);
    assert_eq!(arguments(&agent::SyncDelimited::new(-1)), json!({"id": -1}));
    assert_eq!(
        arguments(&FileRead::new(1).count(9)),
        json!({"handle": 1, "count": 9})
    );
    let cat = Exec::new("cat").input_data("hi");
    assert_eq!(
        arguments(&cat),
        json!({"path": "cat", "input-data": "aGk="})
    );
}

#[test]
fn an_empty_list_of_arguments_is_not_null() {
    let facts = Facts::read();
    assert!(
        facts
            .commands()
            .iter()
            .any(|fact| fact["name"] == "guest-shutdown")
    );
    assert_eq!(arguments(&Shutdown::new()), json!({}));
    assert_eq!(arguments(&agent::Ping), Value::Null);
}
