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

fn socket_of(daemon: &Endpoint) -> &Path {
    match &daemon.location {
        Location::Here(socket) => socket,
        Location::Ssh(host) => panic!("{host}"),
    }
}

#[test]
fn an_address_may_say_which_daemon_and_which_socket() {
    let system = read("///system/vm1").daemon;
    assert_eq!(
        (system.driver().uri, socket_of(&system)),
        ("qemu:///system", Path::new("/none/libvirt-sock"))
    );
    let session = read("///session/vm1").daemon;
    let socket = Path::new("/run/user/7/libvirt/libvirt-sock");
    assert_eq!(
        (session.driver().uri, socket_of(&session)),
        ("qemu:///session", socket)
    );
    let other = read("///session/vm1?socket=/tmp/sock").daemon;
    assert_eq!(
        (other.driver().uri, socket_of(&other)),
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
            (daemon.driver().uri, socket_of(&daemon)),
            (expected, Path::new(socket)),
            "{uri}"
        );
    }
    let elsewhere = Target::read("vm1", &host("qemu+ssh://me@hv/system")).unwrap();
    assert_eq!(
        elsewhere.daemon.to_string(),
        "the system's libvirt daemon on me@hv"
    );
    for uri in [
        "",
        "xen:///system",
        "qemu+ssh://host/nonsense",
        "qemu+ssh://host/system/vm1",
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
            assert_eq!(socket_of(&daemon), socket);
        }
        daemon.instance
    };
    assert_eq!(instance(0, &[], 0o600), Instance::System);
    assert_eq!(instance(7, &[group], 0o660), Instance::System);
    assert_eq!(instance(7, &[group], 0o600), Instance::Session);
    assert_eq!(instance(7, &[group + 1], 0o666), Instance::Session);
}

#[test]
fn a_daemon_may_be_on_another_host() {
    for (rest, words, driver) in [
        (
            "//hv/system/vm1",
            "the system's libvirt daemon on hv",
            "qemu:///system",
        ),
        (
            "//root@hv:2222/session/vm1?socket=/x/y",
            "this user's libvirt daemon on root@hv:2222, at /x/y",
            "qemu:///session",
        ),
        (
            "//[::1]/system/vm1",
            "the system's libvirt daemon on ::1",
            "qemu:///system",
        ),
    ] {
        let target = Target::read_ssh(rest).unwrap();
        assert_eq!(target.domain, DomainKey::Name("vm1".into()));
        assert_eq!(target.daemon.to_string(), words);
        assert_eq!(target.daemon.driver().uri, driver);
    }
    for rest in [
        "hv/system/vm1",
        "///system/vm1",
        "//hv/vm1",
        "//hv/system",
        "//hv/system/",
        "//-oProxyCommand=x/system/vm1",
        "//hv/system/vm1?socket=x",
        "//hv/system/vm1?command=/bin/rm",
        "//hv/system/a/b",
    ] {
        let error = Target::read_ssh(rest).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{rest}: {error}");
    }
}

#[test]
fn the_address_of_a_domain_leads_back_to_it() {
    let host = root();
    for address in [
        "libvirt:///system/vm 1",
        "libvirt:///session/vm1?socket=/run/x.sock",
        "libvirt+ssh://me@[::1]:22/system/vm1",
        "libvirt+ssh://hv1/system/vm1?socket=/run/x.sock",
    ] {
        let target = Target::read_address(address, &host).unwrap();
        let again = target.daemon.address_of(&target.domain, &host);
        assert_eq!(again, address);
    }
}

#[test]
fn a_domain_whose_name_would_be_read_as_something_else_is_named_by_its_uuid() {
    let uuid = UUID.parse().unwrap();
    for name in [UUID, "a/b", "a?socket=/x", ""] {
        assert_eq!(DomainKey::of(name, uuid), DomainKey::Uuid(uuid), "{name}");
    }
    assert_eq!(DomainKey::of("vm1", uuid), DomainKey::Name("vm1".into()));
}
