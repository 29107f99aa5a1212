//! The folders where sockets usually are.

use super::*;

#[test]
fn sockets_of_libvirt_and_proxmox_are_found_with_their_guests_names() {
    let mut host = FakeHost::new();
    let (new, old) = (host.path("run"), host.path("target"));
    let (sessions, proxmox) = (host.path("user"), host.path("pve"));
    for path in [
        new.join("3-web/org.qemu.guest_agent.0"),
        new.join("3-web/com.redhat.spice.0"),
        old.join("domain-4-db/org.qemu.guest_agent.0"),
        old.join("mail.org.qemu.guest_agent.0"),
        old.join("news.agent"),
        old.join("monitor.sock"),
        sessions
            .join("1000")
            .join(SESSION)
            .join("1-own/org.qemu.guest_agent.0"),
        proxmox.join("100.qga"),
        proxmox.join("100.qmp"),
        host.path("qga.sock"),
    ] {
        host.listen(&path);
    }
    host.places = vec![
        Place::Libvirt(new),
        Place::Libvirt(old),
        Place::LibvirtSessions(sessions),
        Place::Proxmox(proxmox),
        Place::Socket(host.path("qga.sock")),
        Place::Libvirt(host.path("missing")),
        Place::Socket(host.path("missing")),
    ];
    let found = host.discover();
    let names: Vec<_> = found.agents.iter().map(|it| it.guest.as_deref()).collect();
    let expected = ["100", "db", "mail", "news", "own", "web"].map(Some);
    assert_eq!(names, [&expected[..], &[None]].concat());
    assert_eq!(found.unseen, []);
}

#[test]
fn who_listens_on_a_socket_in_a_folder_is_found_among_open_files() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let inode = host.listen(&path);
    host.bind(&path.display().to_string(), false);
    host.process(21, &["/usr/bin/socat", "-"]);
    host.open(21, 5, &format!("socket:[{inode}]"));
    host.places = vec![Place::Socket(path)];
    let found = host.only();
    assert_eq!(found.listener, Some(process("socat", 21)));
    assert_eq!(found.holder, Holder::Somebody);
}

#[test]
fn who_is_connected_to_a_socket_is_found_by_the_other_end_of_the_connection() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let bound = path.display().to_string();
    host.listen(&path);
    let served = host.bind(&bound, false);
    let client = 4711;
    host.unix_peers.insert(served, client);
    host.process(21, &["/usr/bin/qga", "ping"]);
    host.open(21, 5, &format!("socket:[{client}]"));
    host.places = vec![Place::Socket(path)];
    assert_eq!(host.only().holder, Holder::Process(process("qga", 21)));
}

#[test]
fn a_client_that_has_left_holds_nothing_though_its_connection_is_still_open_on_the_other_side() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let bound = path.display().to_string();
    host.listen(&path);
    let left = host.bind(&bound, false);
    host.unix_peers.insert(left, 0);
    host.places = vec![Place::Socket(path.clone())];
    assert_eq!(host.only().holder, Holder::Nobody);
    // Of another one nothing is known.
    host.bind(&bound, false);
    host.places = vec![Place::Socket(path)];
    assert_eq!(host.only().holder, Holder::Somebody);
}

#[test]
fn who_waits_to_be_accepted_is_not_who_is_connected() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    let bound = path.display().to_string();
    host.listen(&path);
    writeln!(host.unix, "0: 2 0 00000000 0001 02 0 {bound}").unwrap();
    let served = host.bind(&bound, false);
    host.unix_peers.insert(served, 4711);
    host.unix_peers.insert(0, 4712);
    for (pid, socket) in [(21, 4711), (22, 4712)] {
        host.process(pid, &["qga"]);
        host.open(pid, 5, &format!("socket:[{socket}]"));
    }
    host.places = vec![Place::Socket(path)];
    assert_eq!(host.only().holder, Holder::Process(process("qga", 21)));
}

#[test]
fn a_socket_that_is_bound_by_another_name_of_its_folder_is_the_same() {
    let mut host = FakeHost::new();
    let path = host.path("run/qga.sock");
    host.socket_file(&path);
    symlink(host.path("run"), host.path("var")).unwrap();
    let bound = host.path("var/qga.sock");
    host.bind(&bound.display().to_string(), true);
    host.places = vec![Place::Socket(path)];
    assert_eq!(host.only().holder, Holder::Nobody);
}

#[test]
fn a_stale_socket_in_a_folder_is_told_and_not_found() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.socket_file(&path);
    host.places = vec![Place::Socket(path)];
    let told = host.nothing();
    assert!(told.contains("nobody listens there"), "{told}");
}

#[test]
fn without_a_table_of_sockets_what_is_in_folders_is_found_and_no_more_is_known() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.socket_file(&path);
    let roots = Roots {
        proc: host.path("proc"),
        places: vec![Place::Socket(path)],
    };
    let found = linux::discover(&roots, &HashMap::new).agents.remove(0);
    assert_eq!((found.listener, found.holder), (None, Holder::Unknown));
}

#[test]
fn what_is_hidden_from_this_user_is_told() {
    let mut host = FakeHost::new();
    let folder = host.path("a file is no folder");
    fs::write(&folder, "").unwrap();
    host.places = vec![Place::Libvirt(folder)];
    fs::create_dir(host.proc("self")).unwrap();
    let mounts = "22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw,hidepid=invisible\n";
    fs::write(host.proc("self/mountinfo"), mounts).unwrap();
    let found = host.discover();
    let lines: Vec<_> = found.unseen.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines[0],
        "processes of other users: /proc is mounted with hidepid"
    );
    assert!(found.unseen[0].is_permission_denied());
    assert!(lines[1].contains("a file is no folder"), "{lines:?}");
    host.process(1, &["/sbin/init"]);
    assert_eq!(host.nothing(), "");
}

#[test]
fn a_host_without_proc_says_so() {
    let mut host = FakeHost::new();
    fs::remove_dir_all(host.path("proc")).unwrap();
    let proc = host.path("proc");
    let roots = Roots {
        proc,
        places: std::mem::take(&mut host.places),
    };
    let found = linux::discover(&roots, &HashMap::new);
    assert!(found.to_string().starts_with("not seen: processes in /"));
}

#[test]
fn where_the_open_files_of_a_process_are_not_seen_it_is_told_that_they_may_matter() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.listen(&path);
    host.process(17, &["/usr/bin/socat"]);
    // In place of a folder that this user must not read, which root may.
    fs::write(host.proc("17/fd"), "").unwrap();
    assert_eq!(host.nothing(), "");
    host.places = vec![Place::Socket(path)];
    let found = host.discover();
    assert_eq!(found.agents.len(), 1);
    assert!(found.unseen[0].is_permission_denied());
    let told = found.unseen[0].to_string();
    assert!(
        told.starts_with("the open files of 1 of the processes"),
        "{told}"
    );
}
