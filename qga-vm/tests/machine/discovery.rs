//! Machines that are found on this host.

use qga_commands::commands::agent::Ping;
use qga_core::discover::{Found, Holder, Reach};
use qga_core::{Address, Client, discover};
use qga_vm::{Channel, Vm, VmBuilder};
use tokio::net::UnixStream;

use crate::case::{BUSYBOX, On, cases};

cases![
    a_machine_is_discovered_with_its_socket_its_process_and_its_client on BUSYBOX,
    a_machine_on_a_serial_line_or_a_tcp_port_is_discovered on BUSYBOX,
    a_machine_on_a_pseudoterminal_is_discovered on BUSYBOX,
];

fn named(on: On, name: &str) -> VmBuilder {
    let option = format!("guest={name}-{},debug-threads=on", std::process::id());
    Vm::of(on.image()).qemu("-name").qemu(&option)
}

/// What is found of the machine with this name, of which there is one.
async fn found(name: &str) -> Vec<Found> {
    let name = format!("{name}-{}", std::process::id());
    let found = tokio::task::spawn_blocking(discover).await.unwrap();
    let is_it = |found: &Found| found.guest.as_ref() == Some(&name);
    found.agents.into_iter().filter(is_it).collect()
}

async fn only(name: &str) -> Found {
    let mut all = found(name).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn a_machine_is_discovered_with_its_socket_its_process_and_its_client(on: On) {
    let vm = named(on, "by-socket").boot().await.unwrap();
    let machine = only("by-socket").await;
    assert_eq!(machine.reach, Reach::Address(Address::Unix(vm.socket())));
    assert_eq!(machine.holder, Holder::Nobody);

    let stream = UnixStream::connect(vm.socket()).await.unwrap();
    let pid = stream.peer_cred().unwrap().pid().unwrap();
    // Whose connection it is can be seen only once the machine has taken it.
    let client = Client::new(stream);
    client.execute(Ping).await.unwrap();
    let machine = only("by-socket").await;
    let listener = machine.listener.unwrap();
    assert_eq!(listener.pid, u32::try_from(pid).unwrap());
    assert_eq!(listener.program, "qemu-system-x86_64");
    let Holder::Process(holder) = machine.holder else {
        panic!("{:?} is connected", machine.holder);
    };
    assert_eq!(holder.pid, std::process::id());
}

async fn a_machine_on_a_serial_line_or_a_tcp_port_is_discovered(on: On) {
    for (channel, name) in [
        (Channel::IsaSerial, "by-serial"),
        (Channel::VirtioTcp, "by-tcp"),
    ] {
        let vm = named(on, name).channel(channel).boot().await.unwrap();
        let machine = only(name).await;
        assert_eq!(machine.reach.to_string(), vm.address());
        assert_eq!(machine.holder, Holder::Nobody);
    }
}

async fn a_machine_on_a_pseudoterminal_is_discovered(on: On) {
    let port = "virtserialport,chardev=pty,name=org.qemu.guest_agent.1";
    let vm = named(on, "by-pty").qemu("-chardev").qemu("pty,id=pty");
    let vm = vm.qemu("-device").qemu(port).boot().await.unwrap();
    let told = vm.monitor().command("query-chardev", None).await.unwrap();
    let mut ports = told.as_array().unwrap().iter();
    let port = ports.find(|port| port["label"] == "pty").unwrap();
    let path = port["filename"].as_str().unwrap();
    let path = path.strip_prefix("pty:").unwrap();

    let reaches: Vec<_> = found("by-pty")
        .await
        .into_iter()
        .map(|it| it.reach)
        .collect();
    let expected = [Address::Serial(path.into()), Address::Unix(vm.socket())];
    assert_eq!(reaches, expected.map(Reach::Address));
}
