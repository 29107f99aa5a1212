//! One channel that is asked for by its address.

use super::*;

#[test]
fn a_socket_that_is_nowhere_in_particular_is_seen_with_both_of_its_ends() {
    let mut host = FakeHost::new();
    let path = host.path("deep/agent");
    let listener = host.listen(&path);
    let served = host.bind(&path.display().to_string(), false);
    host.unix_peers.insert(served, 4711);
    host.process(21, &["/usr/bin/socat", "-"]);
    host.open(21, 5, &format!("socket:[{listener}]"));
    host.process(22, &["/usr/bin/qga", "exec"]);
    host.open(22, 9, "socket:[4711]");
    symlink(&path, host.path("link")).unwrap();
    for path in [path.clone(), host.path("link")] {
        let found = host.look_at(&format!("unix:{}", path.display())).unwrap();
        assert_eq!(found.listener, Some(process("socat", 21)));
        assert_eq!(found.holder, Holder::Process(process("qga", 22)));
        assert_eq!(found.sources, [Source::Asked]);
    }
}

#[test]
fn what_is_known_of_a_machine_is_told_of_its_channel() {
    let mut host = FakeHost::new();
    let path = host.path("web.sock");
    host.listen(&path);
    let backend = format!("socket,id=c,path={},server=on", path.display());
    host.qemu(30, "web", &backend);
    let found = host.look_at(&path.display().to_string()).unwrap();
    assert_eq!(found.guest.as_deref(), Some("web"));
    assert_eq!(found.listener, Some(process("qemu-system-x86_64", 30)));
    assert_eq!(found.sources, [Source::CommandLine, Source::Asked]);
}

#[test]
fn a_tcp_port_of_this_host_is_seen_and_one_of_another_is_not() {
    let mut host = FakeHost::new();
    let listener = host.tcp(4444, 0, 10);
    host.tcp(4444, 50000, 1);
    let client = host.tcp(50000, 4444, 1);
    host.process(21, &["socat"]);
    host.open(21, 5, &format!("socket:[{listener}]"));
    host.process(22, &["qga"]);
    host.open(22, 5, &format!("socket:[{client}]"));
    let found = host.look_at("tcp:127.0.0.1:4444").unwrap();
    assert_eq!(found.listener, Some(process("socat", 21)));
    assert_eq!(found.holder, Holder::Process(process("qga", 22)));
    for elsewhere in ["tcp:127.0.0.1:4445", "tcp:192.0.2.7:4444", "tcp:[::1]:4444"] {
        assert_eq!(host.look_at(elsewhere), None, "{elsewhere}");
    }
}

#[test]
fn who_has_a_device_open_holds_it() {
    let mut host = FakeHost::new();
    host.process(21, &["minicom"]);
    host.open(21, 5, "/dev/null");
    let found = host.look_at("serial:/dev/null").unwrap();
    assert_eq!(found.holder, Holder::Process(process("minicom", 21)));
}

#[test]
fn where_nobody_listens_and_what_is_no_channel_of_this_host_nothing_is_seen() {
    let mut host = FakeHost::new();
    let stale = host.path("stale");
    host.socket_file(&stale);
    fs::write(host.path("file"), "").unwrap();
    for address in [
        stale.display().to_string(),
        host.path("missing").display().to_string(),
        host.path("file").display().to_string(),
        format!("serial:{}", host.path("file").display()),
        format!("vsock-proxy:{}:3", stale.display()),
        "ssh://host/run/qga.sock".to_owned(),
        "vsock:3:4".to_owned(),
        "exec:true".to_owned(),
        "libvirt:vm1".to_owned(),
        "tcp:localhost:4".to_owned(),
    ] {
        assert_eq!(host.look_at(&address), None, "{address}");
    }
}
