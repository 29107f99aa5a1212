//! Machines that are reached over vsock.

use super::*;

fn proxy(path: &Path) -> Reach {
    Reach::VsockProxy {
        path: path.to_owned(),
    }
}

#[test]
fn of_firecracker_the_socket_that_is_not_its_api_is_a_proxy() {
    let mut host = FakeHost::new();
    let (api, path) = (host.path("api.sock"), host.path("v.sock"));
    let api_inode = host.listen(&api);
    let inode = host.listen(&path);
    let api = api.display().to_string();
    host.process(
        17,
        &[
            "/opt/firecracker-v1.7.0",
            "--id",
            "web01",
            "--api-sock",
            &api,
        ],
    );
    host.open(17, 3, &format!("socket:[{api_inode}]"));
    host.open(17, 4, &format!("socket:[{inode}]"));
    let found = host.only();
    assert_eq!(found.reach, proxy(&path));
    assert_eq!(found.reach.address(), None);
    let address = Address::VsockProxy { path, port: 1234 };
    assert_eq!(found.reach.at_port(1234), address);
    assert_eq!(found.guest.as_deref(), Some("web01"));
    assert_eq!(found.sources, [Source::OpenFile]);
    let shown = found.to_string();
    assert!(
        shown.contains("v.sock:PORT, where firecracker-v1.7.0 (process 17) listens"),
        "{shown}"
    );
}

#[test]
fn of_firecracker_whose_open_files_are_not_seen_the_configuration_is_read() {
    let mut host = FakeHost::new();
    let path = host.path("v.sock");
    host.listen(&path);
    let config = host.path("vm.json");
    fs::write(
        &config,
        r#"{"vsock": {"guest_cid": 3, "uds_path": "./v.sock"}}"#,
    )
    .unwrap();
    host.process(17, &["firecracker", "--config-file", "vm.json"]);
    symlink(host.folder.path(), host.proc("17/cwd")).unwrap();
    let found = host.only();
    assert_eq!(found.reach, proxy(&host.folder.path().join("./v.sock")));
    assert_eq!(found.sources, [Source::ConfigFile]);
    fs::write(&config, "").unwrap();
    assert!(host.nothing().ends_with("its configuration: it is empty"));
}

#[test]
fn of_cloud_hypervisor_and_vhost_device_vsock_the_proxies_are_found() {
    let mut host = FakeHost::new();
    let paths: Vec<_> = (0..4)
        .map(|number| host.path(&format!("{number}.sock")))
        .collect();
    for path in &paths {
        host.listen(path);
    }
    let config = host.path("vsock.yaml");
    let yaml = format!(
        "vms:\n  - guest_cid: 5\n    uds_path: {}\n",
        paths[2].display()
    );
    fs::write(&config, yaml).unwrap();
    let vsock = format!("cid=3,socket={}", paths[0].display());
    host.process(
        17,
        &["cloud-hypervisor", "--kernel", "k", "--vsock", &vsock],
    );
    let vm = format!("guest-cid=4,uds-path={},socket=/x", paths[1].display());
    let config = format!("--config={}", config.display());
    host.process(18, &["vhost-device-vsock", "--vm", &vm, &config]);
    let uds = format!("--uds-path={}", paths[3].display());
    host.process(19, &["vhost-device-vsock", "--guest-cid=3", &uds]);
    let found = host.discover();
    assert_eq!(found.unseen, []);
    let found: Vec<_> = found.agents.into_iter().map(|it| it.reach).collect();
    let expected: Vec<_> = paths.iter().map(|path| proxy(path)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_machine_that_was_set_up_over_an_api_is_told() {
    let mut host = FakeHost::new();
    host.process(17, &["cloud-hypervisor", "--api-socket", "/run/ch.sock"]);
    assert!(
        host.nothing()
            .ends_with("it is set up over an API, which is not asked")
    );
}

#[test]
fn of_a_machine_with_vsock_in_the_kernel_the_number_is_found() {
    let mut host = FakeHost::new();
    let device = r#"{"driver":"vhost-vsock-pci","guest-cid":7}"#;
    host.process(17, &["qemu-kvm", "-name", "a", "-device", device]);
    let found = host.only();
    assert_eq!(found.to_string(), "a: vsock:7:PORT");
    assert_eq!(found.reach.at_port(5), Address::Vsock { cid: 7, port: 5 });
}
