//! What changes nothing, on a real agent where one is installed. Its guest is this very machine.
//!
//! SSH keys are left out: the keys of a real user are not a test's to list.

#![cfg(unix)]

use std::time::Duration;

use qga_commands::capabilities::Capabilities;
use qga_commands::commands::fs::GuestFilesystemInfo;
use qga_commands::commands::os::GetHostName;
use qga_commands::{Guest, GuestError, Usable};
use qga_testserver::real_agent::RealAgent;

use crate::real;

/// A machine may lack what is asked for, such as blocks of memory; the agent has the command.
fn told<T>(result: Result<Vec<T>, GuestError>) -> Vec<T> {
    result.unwrap_or_else(|error| {
        let refused = error
            .command_error()
            .is_some_and(|error| error.agent_error().is_some() && !error.is_command_not_found());
        assert!(refused, "{error:?}");
        Vec::new()
    })
}

#[tokio::test]
async fn a_real_agents_lists_are_in_order() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let vcpus = told(guest.vcpus().await);
    assert!(vcpus.is_sorted_by_key(|vcpu| vcpu.logical_id));
    let blocks = told(guest.memory_blocks().await);
    assert!(blocks.is_sorted_by_key(|block| block.phys_index));
    if !blocks.is_empty() {
        assert!(guest.memory_block_size().await.unwrap() > 0);
    }
    let filesystems = told(guest.filesystems().await);
    assert!(filesystems.is_sorted_by_key(|filesystem| &filesystem.mountpoint));
    for usage in filesystems.iter().filter_map(GuestFilesystemInfo::usage) {
        assert!((0.0..=1.0).contains(&usage), "{usage}");
    }
    assert!(told(guest.disk_usage().await).len() <= filesystems.len());
    assert!(told(guest.disks().await).is_sorted_by_key(|disk| &disk.name));
    assert!(told(guest.users().await).is_sorted_by_key(|user| &user.user));
}

#[tokio::test]
async fn a_real_agents_network_is_this_machines() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let all = Usable::new().with_loopback().with_link_local();
    let addresses = guest.addresses(&all).await.unwrap();
    assert!(addresses.iter().any(|address| address.ip.is_loopback()));
}

#[tokio::test]
async fn a_real_agents_routes_name_their_interfaces() {
    let Some((_agent, guest)) = real::guest_with("guest-network-get-route").await else {
        return;
    };
    for route in told(guest.routes().await) {
        assert!(!route.interface.is_empty());
    }
}

#[tokio::test]
async fn what_is_kept_for_root_is_part_of_a_real_filesystem() {
    let Some((agent, guest)) = real::guest().await else {
        return;
    };
    let filesystems = told(guest.filesystems().await);
    let with_sizes = filesystems
        .iter()
        .filter_map(|filesystem| Some((filesystem.total_bytes?, filesystem)));
    for (total, filesystem) in with_sizes {
        let privileged = filesystem.total_bytes_privileged;
        let member = "total-bytes-privileged of guest-get-fsinfo";
        if !real_agents::has(&agent, member, privileged.is_some()) {
            return;
        }
        assert!(privileged >= Some(total), "{filesystem:?}");
    }
}

#[tokio::test]
async fn a_real_agent_that_allows_some_commands_refuses_the_others() {
    let Some((agent, _)) = real::guest().await else {
        return;
    };
    let allowed = ["--allow-rpcs", "guest-ping,guest-info,guest-sync-delimited"];
    let picky = RealAgent::start_with(&allowed).await;
    if !real_agents::has(&agent, "--allow-rpcs", picky.is_ok()) {
        return;
    }
    let picky = picky.unwrap();
    let guest = Guest::connect(picky.address()).await.unwrap();
    let error = guest.client().execute(GetHostName).await.unwrap_err();
    assert!(error.is_disabled(), "{error:?}");
    let capabilities = Capabilities::ask(guest.client()).await.unwrap();
    assert!(capabilities.is_enabled("guest-ping"));
    assert!(capabilities.knows("guest-exec") && !capabilities.is_enabled("guest-exec"));
}

#[tokio::test]
async fn a_real_agents_clock_is_this_machines() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    let offset = guest.clock_offset().await.unwrap();
    let apart = offset.apart().saturating_sub(offset.uncertainty());
    assert!(apart < Duration::from_secs(10), "{offset}");
}

#[tokio::test]
async fn a_real_agent_that_blocks_a_change_is_understood() {
    let Some((_agent, guest)) = real::guest().await else {
        return;
    };
    for error in [
        guest.fstrim().await.map(drop).unwrap_err(),
        guest.set_time_from_hardware().await.unwrap_err(),
        guest.set_password("no such user", "x").await.unwrap_err(),
    ] {
        assert!(error.command_error().unwrap().is_disabled(), "{error:?}");
    }
}
