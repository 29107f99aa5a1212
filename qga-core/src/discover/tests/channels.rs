//! The channels of QEMU's command lines.

use super::*;

#[test]
fn a_socket_of_a_command_line_is_found_with_its_guest_and_its_process() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let inode = host.listen(&path);
    host.qemu(17, "web01", &listening(&path));
    host.open(17, 3, &format!("socket:[{inode}]"));
    let found = host.only();
    let owner = std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
    assert_eq!(found.reach, unix(&path));
    assert_eq!(found.reach.address(), Some(&Address::Unix(path.clone())));
    assert_eq!(found.guest.as_deref(), Some("web01"));
    assert_eq!(found.listener, Some(process("qemu-system-x86_64", 17)));
    assert_eq!(found.holder, Holder::Nobody);
    assert_eq!(found.owner, Some(owner));
    assert_eq!(found.sources, [Source::CommandLine]);
    let shown = format!(
        "web01: unix:{}, where qemu-system-x86_64 (process 17) listens and nobody is connected",
        path.display()
    );
    assert_eq!(found.to_string(), shown);
}

#[test]
fn a_socket_in_a_folder_and_on_a_command_line_is_one_with_both_facts() {
    let mut host = FakeHost::new();
    let folder = host.path("qemu-server");
    let path = folder.join("100.qga");
    host.listen(&path);
    // The command line names it through a link, as `/var/run` is one.
    symlink(&folder, host.path("link")).unwrap();
    let named = host.path("link/100.qga");
    host.bind(&named.display().to_string(), true);
    host.qemu(17, "web01", &listening(&named));
    host.places = vec![Place::Proxmox(folder)];
    let found = host.only();
    assert_eq!(found.guest.as_deref(), Some("web01"));
    assert_eq!(found.listener, Some(process("qemu-system-x86_64", 17)));
    assert_eq!(found.sources, [Source::Folder, Source::CommandLine]);
}

#[test]
fn a_relative_path_is_taken_from_the_folder_of_its_process() {
    let mut host = FakeHost::new();
    let path = host.path("vm/qga.sock");
    host.socket_file(&path);
    host.bind("qga.sock", true);
    host.qemu(17, "a", "socket,id=c,path=qga.sock,server=on");
    symlink(host.path("vm"), host.proc("17/cwd")).unwrap();
    assert_eq!(host.only().reach, unix(&path));
}

#[test]
fn a_relative_path_whose_folder_is_not_known_any_more_is_told() {
    let mut host = FakeHost::new();
    host.bind("qga.sock", true);
    host.qemu(17, "a", "socket,id=c,path=qga.sock,server=on");
    symlink(host.path("elsewhere"), host.proc("17/cwd")).unwrap();
    let told = host.nothing();
    assert!(
        told.starts_with(
            "the agent of a in qemu-system-x86_64 (process 17): qga.sock: No such file"
        ),
        "{told}"
    );
}

#[test]
fn two_machines_with_the_same_relative_path_are_told_apart() {
    let mut host = FakeHost::new();
    for (pid, name) in [(17, "a"), (18, "b")] {
        let path = host.path(name).join("qga.sock");
        host.socket_file(&path);
        let inode = host.bind("qga.sock", true);
        host.qemu(pid, name, "socket,id=c,path=qga.sock,server=on");
        symlink(host.path(name), host.proc(&format!("{pid}/cwd"))).unwrap();
        host.open(pid, 3, &format!("socket:[{inode}]"));
    }
    let client = host.bind("qga.sock", false);
    host.open(18, 4, &format!("socket:[{client}]"));
    let found = host.discover().agents;
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.guest.as_deref(), &it.holder))
        .collect();
    assert_eq!(
        found,
        [(Some("a"), &Holder::Nobody), (Some("b"), &Holder::Somebody)]
    );
}

#[test]
fn a_socket_that_was_passed_as_a_descriptor_is_found_by_its_number() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let inode = host.listen(&path);
    host.qemu(17, "a", "socket,id=c,fd=22,server=on,wait=off");
    host.open(17, 22, &format!("socket:[{inode}]"));
    let found = host.only();
    assert_eq!(
        (found.reach, found.sources),
        (unix(&path), vec![Source::OpenFile])
    );
}

#[test]
fn a_descriptor_that_leads_to_no_socket_of_its_own_is_told() {
    for (link, why) in [
        ("/dev/null", "it is not a socket"),
        ("socket:[1]", "a socket without a path"),
        ("socket:[1001]", "it is a connection"),
    ] {
        let mut host = FakeHost::new();
        host.bind("/run/qga.sock", false);
        host.qemu(17, "a", "socket,id=c,fd=22,server=on");
        host.open(17, 22, link);
        let told = host.nothing();
        assert!(told.contains(why), "{link}: {told}");
    }
}

#[test]
fn a_tcp_port_is_found_where_it_is_open_with_its_client() {
    for port in ["port=4000", "port=4000,to=4009", "port=0"] {
        let mut host = FakeHost::new();
        let inode = host.tcp(4000, 0, 10);
        host.tcp(4001, 0, 10);
        host.tcp(4000, 5000, 1);
        let client = host.tcp(5000, 4000, 1);
        host.qemu(
            17,
            "a",
            &format!("socket,id=c,host=localhost,{port},server=on"),
        );
        host.open(17, 3, &format!("socket:[{inode}]"));
        host.process(18, &["qga", "console"]);
        host.open(18, 3, &format!("socket:[{client}]"));
        let found = host.only();
        assert_eq!(found.reach.to_string(), "tcp:127.0.0.1:4000", "{port}");
        assert_eq!(found.holder, Holder::Process(process("qga", 18)));
    }
}

#[test]
fn a_tcp_port_without_a_client_is_held_by_nobody() {
    let mut host = FakeHost::new();
    let inode = host.tcp(4000, 0, 10);
    host.qemu(17, "a", "socket,id=c,host=localhost,port=4000,server=on");
    host.open(17, 3, &format!("socket:[{inode}]"));
    assert_eq!(host.only().holder, Holder::Nobody);
}

#[test]
fn a_tcp_port_that_is_elsewhere_or_one_of_several_is_told() {
    let mut host = FakeHost::new();
    host.tcp(4000, 0, 10);
    host.qemu(17, "a", "socket,id=c,host=localhost,port=4000,server=on");
    host.open(17, 9, "socket:[1]");
    let told = host.nothing();
    assert!(
        told.ends_with("not open in the network namespace of this program"),
        "{told}"
    );
    for number in 3..5 {
        let inode = host.tcp(4000 + number, 0, 10);
        host.open(17, u32::from(number), &format!("socket:[{inode}]"));
    }
    host.qemu(17, "a", "socket,id=c,host=localhost,port=0,server=on");
    let told = host.nothing();
    assert!(
        told.ends_with("it has the ports 4003, 4004, and nothing says which"),
        "{told}"
    );
}

#[test]
fn a_pseudoterminal_is_found_by_its_number_with_who_has_it_open() {
    let mut host = FakeHost::new();
    host.qemu(17, "a", "pty,id=c");
    host.open(17, 9, "/dev/ptmx");
    fs::write(host.proc("17/fdinfo/9"), "pos:\t0\ntty-index:\t4711\n").unwrap();
    let serial = || Reach::Address(Address::Serial("/dev/pts/4711".into()));
    let found = host.only();
    assert_eq!((found.reach, found.holder), (serial(), Holder::Nobody));
    host.process(18, &["/usr/bin/screen"]);
    host.open(18, 3, "/dev/pts/4711");
    let found = host.only();
    assert_eq!(found.reach, serial());
    assert_eq!(found.holder, Holder::Process(process("screen", 18)));
}

#[test]
fn which_of_several_pseudoterminals_is_the_agents_is_not_guessed() {
    let mut host = FakeHost::new();
    host.qemu(17, "a", "pty,id=c");
    for (file, number) in [(9, 4711), (10, 4712)] {
        host.open(17, file, "/dev/ptmx");
        let info = host.proc(&format!("17/fdinfo/{file}"));
        fs::write(info, format!("tty-index:\t{number}\n")).unwrap();
    }
    let told = host.nothing();
    assert!(
        told.ends_with("it has /dev/pts/4711, /dev/pts/4712, and nothing says which"),
        "{told}"
    );
    let link = host.path("tty");
    symlink("/dev/pts/4712", &link).unwrap();
    host.qemu(17, "a", &format!("pty,id=c,path={}", link.display()));
    assert_eq!(host.only().reach.to_string(), "serial:/dev/pts/4712");
}

#[test]
fn a_socket_of_a_process_with_another_root_is_reached_through_it() {
    let mut host = FakeHost::new();
    // One name, and another socket behind it here and there.
    let name = host.path("qga.sock");
    host.listen(&name);
    host.qemu(17, "a", &listening(&name));
    let root = host.path("container");
    let inner = root.join(name.strip_prefix("/").unwrap());
    // Too long for a socket's address, so it is bound elsewhere and moved.
    let short = host.path("s");
    host.socket_file(&short);
    fs::create_dir_all(inner.parent().unwrap()).unwrap();
    fs::rename(short, &inner).unwrap();
    symlink(&root, host.proc("17/root")).unwrap();
    let through = host.proc("17/root").join(name.strip_prefix("/").unwrap());
    assert_eq!(host.only().reach, unix(&through));
}

#[test]
fn of_a_channel_that_qemu_opens_itself_and_of_options_in_files_it_is_told() {
    let mut host = FakeHost::new();
    host.qemu(17, "a", "socket,id=c,path=/run/other.sock");
    host.process(18, &["kvm", "-readconfig", "/etc/vm.cfg"]);
    let told = host.nothing();
    assert!(
        told.contains("QEMU itself connects to `/run/other.sock`"),
        "{told}"
    );
    assert!(
        told.contains("options of kvm (process 18): it reads them from a file"),
        "{told}"
    );
}

#[test]
fn a_socket_on_which_nobody_listens_any_more_is_told_and_not_found() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.socket_file(&path);
    host.qemu(17, "a", &listening(&path));
    let told = host.nothing();
    assert!(told.ends_with("nobody listens there"), "{told}");
}

#[test]
fn who_has_the_lock_of_a_channel_holds_it() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.listen(&path);
    host.qemu(17, "a", &listening(&path));
    host.process(18, &["/usr/local/bin/qga"]);
    let lock = host.path("qga.sock.lock");
    // A file that was left behind says nothing.
    fs::write(&lock, "18\n").unwrap();
    assert_eq!(host.only().holder, Holder::Nobody);
    let file = std::os::unix::fs::MetadataExt::ino(&lock.metadata().unwrap());
    let device = std::os::unix::fs::MetadataExt::dev(&lock.metadata().unwrap());
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let line = format!("1: FLOCK  ADVISORY  WRITE 18 {major:02x}:{minor:02x}:{file} 0 EOF\n");
    fs::write(host.proc("locks"), line).unwrap();
    assert_eq!(host.only().holder, Holder::Process(process("qga", 18)));
}

#[test]
fn a_lock_is_also_seen_where_the_filesystem_has_another_number_for_its_device() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.listen(&path);
    host.qemu(17, "a", &listening(&path));
    let lock = host.path("qga.sock.lock");
    let file = |signed: &str| {
        fs::write(&lock, signed).unwrap();
        std::os::unix::fs::MetadataExt::ino(&lock.metadata().unwrap())
    };
    let line = format!("1: FLOCK  ADVISORY  WRITE 18 fff:ff:{} 0 EOF\n", file(""));
    fs::write(host.proc("locks"), line).unwrap();
    assert_eq!(host.only().holder, Holder::Nobody);
    file("18\n");
    assert_eq!(
        host.only().holder,
        Holder::Process(process("a program", 18))
    );
}
