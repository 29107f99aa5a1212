use super::*;

#[test]
fn a_path_may_stand_bare_or_behind_unix() {
    for text in ["/run/qga.sock", "unix:/run/qga.sock"] {
        assert_eq!(text.parse(), Ok(Address::Unix("/run/qga.sock".into())));
    }
    assert_eq!("qga.sock".parse(), Ok(Address::Unix("qga.sock".into())));
    assert_eq!("./a:b".parse(), Ok(Address::Unix("./a:b".into())));
    assert_eq!("unix:a:b".parse(), Ok(Address::Unix("a:b".into())));
}

#[test]
fn a_tcp_address_has_a_host_and_a_port() {
    for text in ["tcp:localhost:1", "tcp:10.0.0.1:65535", "tcp:[::1]:1234"] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
    }
}

#[test]
fn an_address_of_a_socket_is_a_tcp_address() {
    for text in ["10.0.0.1:80", "[::1]:80"] {
        let address = Address::from(text.parse::<SocketAddr>().unwrap());
        assert_eq!(address, format!("tcp:{text}").parse().unwrap());
    }
}

#[test]
fn an_address_is_a_string_in_a_file() {
    for text in ["unix:/run/qga.sock", "tcp:localhost:80"] {
        let json = format!("\"{text}\"");
        let address: Address = serde_json::from_str(&json).unwrap();
        assert_eq!(address, text.parse().unwrap());
        assert_eq!(serde_json::to_string(&address).unwrap(), json);
    }
    let error = serde_json::from_str::<Address>("\"10.0.0.1:80\"").unwrap_err();
    assert!(
        error.to_string().contains("write tcp:10.0.0.1:80"),
        "{error}"
    );
    let escaped: Address = serde_json::from_str("\"unix:\\u002frun\"").unwrap();
    assert_eq!(escaped, Address::Unix("/run".into()));
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_not_written_as_another() {
    use std::os::unix::ffi::OsStrExt;
    let path = Path::new(std::ffi::OsStr::from_bytes(b"/run/\xFF.sock"));
    assert!(serde_json::to_string(&Address::from(path)).is_err());
}

#[test]
fn what_cannot_be_read_again_is_not_written() {
    let path = |path: &str| Address::Unix(path.into());
    let port_0 = Address::from(SocketAddr::from(([127, 0, 0, 1], 0)));
    for address in [
        path(""),
        path("/run/a\nb"),
        port_0,
        Address::Tcp("vm".into()),
    ] {
        assert!(serde_json::to_string(&address).is_err(), "{address:?}");
    }
    for address in [
        path("a:b"),
        path("tcp:vm:80"),
        path("unix:x"),
        path("/a\"b"),
    ] {
        let json = serde_json::to_string(&address).unwrap();
        assert_eq!(serde_json::from_str::<Address>(&json).unwrap(), address);
    }
}

#[test]
fn each_kind_of_channel_has_an_address() {
    let ssh = |user: Option<&str>, host: &str, port, target| {
        let mut address = SshAddress::new(host, target);
        address.user = user.map(str::to_owned);
        address.port = port;
        Address::from(address)
    };
    let unix = |path: &str| Address::Unix(path.into());
    let words = |words: &[&str]| Address::Exec(words.iter().map(|word| (*word).into()).collect());
    let other = |scheme: &str, rest: &str| Address::Other {
        scheme: scheme.into(),
        rest: rest.into(),
    };
    let cases = [
        ("serial:/dev/pts/3", Address::Serial("/dev/pts/3".into())),
        ("vsock:3:1024", Address::Vsock { cid: 3, port: 1024 }),
        (
            "vsock:4294967294:4294967294",
            Address::Vsock {
                cid: u32::MAX - 1,
                port: u32::MAX - 1,
            },
        ),
        (
            "vsock-proxy:/run/a:b.sock:52",
            Address::VsockProxy {
                path: "/run/a:b.sock".into(),
                port: 52,
            },
        ),
        ("exec:cat", words(&["cat"])),
        (
            "exec:sh -c 'a | b' '' 'x'",
            words(&["sh", "-c", "a | b", "", "x"]),
        ),
        ("exec:a\\ b \"c 'd'\"", words(&["a b", "c 'd'"])),
        (
            "ssh://vm1/run/qga.sock",
            ssh(None, "vm1", None, unix("/run/qga.sock")),
        ),
        (
            "ssh://me@[fe80::1%eth0]:2222/vsock:3:1234",
            ssh(
                Some("me"),
                "fe80::1%eth0",
                Some(2222),
                Address::Vsock { cid: 3, port: 1234 },
            ),
        ),
        (
            "ssh://vm1//run/a b:c,d'e.sock",
            ssh(None, "vm1", None, unix("//run/a b:c,d'e.sock")),
        ),
        ("fake:", other("fake", "")),
        ("fake:guest.toml", other("fake", "guest.toml")),
        (
            "libvirt:qemu:///system?name=vm1",
            other("libvirt", "qemu:///system?name=vm1"),
        ),
        ("vm:101", other("vm", "101")),
        ("http://localhost:80", other("http", "//localhost:80")),
    ];
    for (text, address) in cases {
        assert_eq!(text.parse(), Ok(address.clone()), "{text}");
        assert_eq!(address.to_string().parse(), Ok(address), "{text}");
    }
}

#[test]
fn each_mistake_in_an_address_has_its_own_message() {
    let cases = [
        ("", "the path is empty"),
        ("unix:", "the path is empty"),
        ("a\0b", "another control character"),
        ("/run/qga.sock\n", "a line break"),
        ("exec:cat\nrm", "a line break"),
        ("tcp:localhost", "the port is missing; write tcp:HOST:PORT"),
        ("tcp::1234", "the host is missing"),
        ("tcp:1234", "the host is missing"),
        ("tcp:localhost:0", "1 to 65535"),
        ("tcp:localhost:65536", "1 to 65535"),
        ("tcp:localhost:+80", "1 to 65535"),
        ("tcp:localhost:http", "1 to 65535"),
        ("tcp:::1:1234", "brackets"),
        ("tcp:local host:80", "the host holds a character"),
        ("serial:", "serial:/dev/DEVICE"),
        ("serial:ttyS0", "write serial:/dev/ttyS0"),
        ("vsock:3", "the port is missing; write vsock:CID:PORT"),
        ("vsock:x:1", "the CID is not a number"),
        ("vsock:-1:1", "the CID is not a number"),
        ("vsock:4294967295:1", "the CID is not a number"),
        ("vsock:3:", "the port is not a number"),
        ("vsock:3:4294967296", "the port is not a number"),
        ("vsock-proxy:/run/v.sock", "the port is missing"),
        ("vsock-proxy:5000", "the port is missing"),
        (
            "vsock-proxy::5000",
            "the path of the proxy's socket is missing",
        ),
        ("vsock-proxy:/run/v.sock:x", "the port is not a number"),
        ("exec:", "the program is missing"),
        ("exec:  ", "the program is missing"),
        ("exec:'' a", "the program is missing"),
        ("exec:cat 'a", "a quote is not closed"),
        ("ssh:vm1/run/qga.sock", "the slashes are missing"),
        (
            "ssh://vm1",
            "the path of the socket on that host is missing",
        ),
        ("ssh://vm1/", "is empty"),
        ("ssh:///run/qga.sock", "the host is missing"),
        ("ssh://@vm1/run", "the user is missing"),
        ("ssh://-oProxyCommand=x/run", "begins with `-`"),
        ("ssh://-x@vm1/run", "begins with `-`"),
        ("ssh://vm 1/run", "in no host's name"),
        ("ssh://vm$(x)/run", "in no host's name"),
        ("ssh://a;b@vm1/run", "in no user's name"),
        ("ssh://root:secret@vm1/run", "ssh takes no password"),
        ("vsock://3:1024", "without slashes"),
        ("ssh://vm1:0/run", "1 to 65535"),
        ("ssh://::1/run", "brackets"),
        ("ssh://[::1/run", "the bracket is not closed"),
        ("ssh://[::1]x/run", "after the bracket"),
        ("ssh://vm1/vsock:3", "the port is missing"),
        ("ssh://vm1/unix:/run", "ssh://HOST/run"),
    ];
    for (text, reason) in cases {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(reason), "{text:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn an_address_that_is_nearly_right_is_answered_with_the_right_one() {
    let cases = [
        ("192.168.0.1:80", "tcp:192.168.0.1:80"),
        ("[::1]:80", "tcp:[::1]:80"),
        ("::1", "tcp:[::1]:PORT"),
        ("fe80::1", "tcp:[fe80::1]:PORT"),
        ("192.168.0.1", "tcp:192.168.0.1:PORT"),
        (":80", "tcp:HOST:PORT"),
        ("tcp://localhost:80", "tcp:localhost:80"),
        ("TCP:localhost:80", "tcp:localhost:80"),
        ("Unix:/run/qga.sock", "unix:/run/qga.sock"),
        (" unix:/run/qga.sock", "unix:/run/qga.sock"),
    ];
    for (text, right) in cases {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(right), "{text:?}: {error}");
    }
}

#[test]
fn the_message_of_a_mistake_is_safe_to_show() {
    let text = format!("\u{1b}[2J:{}", "x".repeat(10_000));
    let error = text.parse::<Address>().unwrap_err().to_string();
    assert!(
        error.len() < 3000 && !error.contains(char::is_control),
        "{error}"
    );
}
