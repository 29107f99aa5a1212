//! Hosts on which somebody means harm.

use super::*;

#[test]
fn names_and_paths_that_control_a_terminal_are_shown_escaped() {
    let mut host = FakeHost::new();
    let path = host.path("a\x1b[2Jb.sock");
    host.listen(&path);
    host.qemu(17, "web\x1b[31m\n\u{202e}01", &listening(&path));
    host.qemu(
        18,
        "x\u{202e}\x07",
        "socket,id=c,path=/no\x1b[2J\u{202e},server=on",
    );
    let found = host.discover();
    assert_eq!(
        found.agents[0].guest.as_deref(),
        Some("web\x1b[31m\n\u{202e}01")
    );
    for shown in [found.to_string(), format!("{found:?}")] {
        let is_harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!shown.contains(is_harmful), "{shown}");
    }
    assert_eq!(found.to_string().lines().count(), 2);
}

#[test]
fn of_a_name_without_end_255_characters_are_kept() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.listen(&path);
    host.qemu(17, &"\u{e9}".repeat(100_000), &listening(&path));
    let guest = host.only().guest.unwrap();
    assert_eq!(guest, "\u{e9}".repeat(255));
}

#[test]
fn a_command_line_without_end_is_cut_and_told() {
    let mut host = FakeHost::new();
    let long = "x".repeat(2 << 20);
    host.process(17, &["qemu-system-x86_64", "-name", &long]);
    let told = host.nothing();
    assert!(told.ends_with("it is longer than 1 MiB"), "{told}");
}

#[test]
fn what_is_in_place_of_files_and_folders_is_neither_waited_for_nor_followed() {
    let mut host = FakeHost::new();
    let fifo = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    // A command line, a configuration and a channel that are pipes.
    fs::create_dir_all(host.proc("16")).unwrap();
    fifo(&host.proc("16/cmdline"));
    fifo(&host.path("pipe"));
    let pipe = host.path("pipe").display().to_string();
    host.process(17, &["vhost-device-vsock", "--config", &pipe]);
    host.qemu(18, "a", &listening(&host.path("pipe")));
    // Links that lead around in a circle, and out of a folder.
    let folder = host.path("libvirt");
    fs::create_dir_all(&folder).unwrap();
    symlink(&folder, folder.join("1-loop")).unwrap();
    symlink("self", folder.join("self")).unwrap();
    let outside = host.path("out/org.qemu.guest_agent.0");
    host.listen(&outside);
    symlink(host.path("out"), folder.join("2-out")).unwrap();
    fs::create_dir(folder.join("3-in")).unwrap();
    symlink(&outside, folder.join("3-in/org.qemu.guest_agent.0")).unwrap();
    host.places = vec![Place::Libvirt(folder), Place::Socket(host.path("pipe"))];
    let told = host.nothing();
    assert!(
        told.contains("the command line of process 16: it is not a regular file"),
        "{told}"
    );
    assert!(told.contains("its configuration: it is"), "{told}");
    assert!(told.contains("/pipe: it is not a socket"), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
}

#[test]
fn a_process_that_ends_meanwhile_is_passed_over() {
    let mut host = FakeHost::new();
    fs::create_dir_all(host.proc("16")).unwrap();
    fs::create_dir_all(host.proc("17")).unwrap();
    fs::write(host.proc("17/cmdline"), "").unwrap();
    assert_eq!(host.nothing(), "");
    // And one that ends between its command line and its open files.
    host.qemu(18, "a", "pty,id=c");
    assert!(host.nothing().contains("its pseudoterminal: No such file"));
}

#[test]
fn no_more_than_10_000_channels_and_1_000_sentences_are_kept() {
    let mut host = FakeHost::new();
    let devices = |pid: u32, count: u32, device: &dyn Fn(u32) -> String| {
        let mut arguments = vec!["qemu-kvm".to_owned()];
        for number in 0..count {
            arguments.extend(["-device".to_owned(), device(number)]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        host.process(pid, &arguments);
    };
    for pid in 1..=12 {
        let cid = |number| format!("vhost-vsock-pci,guest-cid={}", pid * 1000 + number);
        devices(pid, 1000, &cid);
    }
    for pid in 13..=14 {
        let port = |_| "virtserialport,name=org.qemu.guest_agent.0".to_owned();
        devices(pid, 600, &port);
    }
    let found = host.discover();
    assert_eq!((found.agents.len(), found.unseen.len()), (10_000, 1000));
    let last: Vec<_> = found.unseen[998..]
        .iter()
        .map(ToString::to_string)
        .collect();
    let why = "there are too many to keep";
    assert_eq!(last[0], format!("202 more entries of this kind: {why}"));
    assert_eq!(last[1], format!("2000 more channels: {why}"));
}

#[test]
fn the_order_is_the_same_each_time() {
    let mut host = FakeHost::new();
    for (pid, name) in [(17, "b"), (18, "a"), (19, "a"), (20, "")] {
        let path = host.path(&format!("{pid}.sock"));
        host.listen(&path);
        host.qemu(pid, name, &listening(&path));
    }
    let found = host.discover();
    let pids: Vec<_> = found
        .agents
        .iter()
        .map(|it| it.listener.as_ref().unwrap().pid)
        .collect();
    assert_eq!(pids, [18, 19, 17, 20]);
    assert_eq!(host.discover(), found);
}

#[test]
fn tables_that_make_no_sense_say_nothing() {
    let mut host = FakeHost::new();
    let path = host.path("qga.sock");
    host.listen(&path);
    host.qemu(17, "a", &listening(&path));
    host.unix += &"x".repeat(100_000);
    host.tcp += "\u{fffd}: : :\n";
    fs::write(host.proc("locks"), [0xFF; 10_000]).unwrap();
    host.process(18, &[]);
    for name in ["0x1", "-1", "99999999999", "self"] {
        fs::create_dir_all(host.proc(name)).unwrap();
    }
    assert_eq!(host.only().holder, Holder::Nobody);
}
