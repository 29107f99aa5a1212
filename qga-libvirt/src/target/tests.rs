use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::*;

const UUID: &str = "fbcafc8b-96f3-4d07-a236-3bc2dfea713f";

fn root() -> Host {
    Host::of_test(0, &[], Path::new("/none"), None)
}

fn read(rest: &str) -> Target {
    Target::read(rest, &root()).unwrap()
}

fn why(rest: &str, host: &Host) -> String {
    let error = Target::read(rest, host).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{rest}");
    error.to_string()
}

#[test]
fn a_domain_is_named_by_its_name_or_its_uuid() {
    for (rest, name) in [
        ("vm1", "vm1"),
        ("///system/vm 1", "vm 1"),
        ("///system/a?b", "a?b"),
        ("1", "1"),
    ] {
        assert_eq!(read(rest).domain, DomainKey::Name(name.into()), "{rest}");
    }
    let uuid = DomainKey::Uuid(UUID.parse().unwrap());
    assert_eq!(read(UUID).domain, uuid);
    assert_eq!(read(&format!("///session/{UUID}")).domain, uuid);
}

#[test]
fn an_address_may_say_which_daemon_and_which_socket() {
    let system = read("///system/vm1").daemon;
    assert_eq!(
        (system.driver().uri, &*system.socket),
        ("qemu:///system", Path::new("/none/libvirt-sock"))
    );
    let session = read("///session/vm1").daemon;
    let socket = Path::new("/run/user/7/libvirt/libvirt-sock");
    assert_eq!(
        (session.driver().uri, &*session.socket),
        ("qemu:///session", socket)
    );
    let other = read("///session/vm1?socket=/tmp/sock").daemon;
    assert_eq!(
        (other.driver().uri, &*other.socket),
        ("qemu:///session", Path::new("/tmp/sock"))
    );
}

#[test]
fn what_is_no_address_says_what_to_write() {
    for (rest, right) in [
        ("", "missing"),
        ("///system/", "missing"),
        ("a/b", "slashes"),
        ("a\nb", "control characters"),
        ("///system", "libvirt:///system/NAME"),
        ("///lxc/vm1", "libvirt:///system/NAME"),
        ("//host/system/vm1", "another host"),
        ("///system/vm1?socket=sock", "does not begin with a slash"),
        (&"x".repeat(256), "too long"),
    ] {
        let why = why(rest, &root());
        assert!(why.contains(right), "{rest}: {why}");
    }
}

#[test]
fn the_environment_names_the_daemon_where_the_address_does_not() {
    let host = |uri| Host::of_test(0, &[], Path::new("/none"), Some(uri));
    for (uri, expected, socket) in [
        ("qemu:///system", "qemu:///system", "/none/libvirt-sock"),
        (
            "qemu:///session",
            "qemu:///session",
            "/run/user/7/libvirt/libvirt-sock",
        ),
        ("qemu+unix:///system?socket=/a/b", "qemu:///system", "/a/b"),
        (
            "qemu+unix:///session?mode=direct&socket=/a/b",
            "qemu:///session",
            "/a/b",
        ),
    ] {
        let daemon = Target::read("vm1", &host(uri)).unwrap().daemon;
        assert_eq!(
            (daemon.driver().uri, &*daemon.socket),
            (expected, Path::new(socket)),
            "{uri}"
        );
    }
    for uri in [
        "",
        "xen:///system",
        "qemu+ssh://host/system",
        "qemu://host/system",
        "qemu:///system?pkipath=/x",
    ] {
        let why = why("vm1", &host(uri));
        assert!(why.contains("LIBVIRT_DEFAULT_URI"), "{uri}: {why}");
        // An address that says which daemon does not heed it.
        Target::read("///system/vm1", &host(uri)).unwrap();
    }
}

#[test]
fn without_a_word_root_and_the_sockets_group_mean_the_system_and_others_their_session() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("virtqemud-sock");
    std::fs::write(&socket, "").unwrap();
    let group = std::fs::metadata(&socket).unwrap().gid();
    let instance = |user, groups: &[u32], mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&socket, mode).unwrap();
        let host = Host::of_test(user, groups, folder.path(), None);
        let daemon = Target::read("vm1", &host).unwrap().daemon;
        if daemon.instance == Instance::System {
            assert_eq!(daemon.socket, socket);
        }
        daemon.instance
    };
    assert_eq!(instance(0, &[], 0o600), Instance::System);
    assert_eq!(instance(7, &[group], 0o660), Instance::System);
    assert_eq!(instance(7, &[group], 0o600), Instance::Session);
    assert_eq!(instance(7, &[group + 1], 0o666), Instance::Session);
}
