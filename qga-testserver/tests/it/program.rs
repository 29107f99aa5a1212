//! The stand-alone program, as a test in another language uses it.

use std::io::{BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::served::{PROGRAM, Served, line};

const PING: &str = "{\"execute\":\"guest-ping\"}";

/// A client of an agent or of a control socket.
struct Line(BufReader<UnixStream>);

impl Line {
    fn connect(address: &str) -> Self {
        let stream = UnixStream::connect(address.strip_prefix("unix:").unwrap()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, request: &str) -> String {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        self.0.get_mut().write_all(b"\n").unwrap();
        line(&mut self.0)
    }

    fn order(&mut self, order: &Value) -> Value {
        serde_json::from_str(&self.ask(&order.to_string())).unwrap()
    }
}

/// What the program complains of when it does not start.
fn complaint(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn it_serves_at_its_address_and_removes_its_socket_on_either_signal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    for signal in ["-TERM", "-INT"] {
        let served = Served::at(&path, &["--profile", "7.2"]);
        assert_eq!(served.address, format!("unix:{}", path.display()));
        let mut client = Line::connect(&served.address);
        assert_eq!(client.ask(PING), "{\"return\": {}}");
        assert!(
            client
                .ask("{\"execute\":\"guest-info\"}")
                .contains("\"7.2.22\"")
        );
        assert_eq!(served.stop(signal), Some(0));
        assert!(!path.exists());
    }
}

#[test]
fn a_signal_right_after_its_address_ends_it_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    for signal in ["-TERM", "-INT"].repeat(10) {
        assert_eq!(Served::at(&path, &[]).stop(signal), Some(0));
        assert!(!path.exists());
    }
}

#[test]
fn the_machine_has_a_monitor_if_it_is_to_have_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("unix:{}", folder.path().join(name).display());
    let mut served = Served::at(
        &folder.path().join("qga.sock"),
        &["--control", &at("control"), "--monitor", &at("qmp")],
    );
    assert_eq!(line(&mut served.out), format!("control {}", at("control")));
    assert_eq!(line(&mut served.out), format!("monitor {}", at("qmp")));
    let mut monitor = Line::connect(&at("qmp"));
    assert!(monitor.ask("").starts_with("{\"QMP\": "));
    let negotiated = monitor.ask("{\"execute\":\"qmp_capabilities\"}");
    assert_eq!(negotiated.trim_end(), "{\"return\": {}}");
    let mut control = Line::connect(&at("control"));
    let told = control.order(&json!({"do": "machine", "event": "fill-disk"}));
    assert_eq!(told, json!({"ok": true}));
    assert!(monitor.ask("").contains("BLOCK_IO_ERROR"));
    let told = control.order(&json!({"do": "machine", "event": "kill"}));
    assert_eq!(told, json!({"ok": true}));
    let told = control.order(&json!({"do": "machine", "event": "power-on"}));
    assert_eq!(told, json!({"ok": true}));
    assert!(Line::connect(&at("qmp")).ask("").starts_with("{\"QMP\": "));

    let mut served = Served::at(
        &folder.path().join("other.sock"),
        &["--control", &at("other")],
    );
    line(&mut served.out);
    let told = Line::connect(&at("other")).order(&json!({"do": "machine", "event": "panic"}));
    assert!(
        told["error"].as_str().unwrap().contains("--monitor"),
        "{told}"
    );
}

#[test]
fn it_prints_the_port_that_it_was_given() {
    let served = Served::start(&["--listen", "tcp:127.0.0.1:0"]);
    let address = served.address.strip_prefix("tcp:").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(PING.as_bytes()).unwrap();
    assert_eq!(line(&mut BufReader::new(stream)), "{\"return\": {}}");
}

#[test]
fn a_socket_in_use_is_refused_and_a_dead_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qga.sock");
    let listen = format!("unix:{}", path.display());
    let live = UnixListener::bind(&path).unwrap();
    let refused = complaint(&["--listen", &listen]);
    assert!(
        refused.contains("another server listens there already"),
        "{refused}"
    );
    drop(live);
    let served = Served::at(&path, &[]);
    assert_eq!(Line::connect(&served.address).ask(PING), "{\"return\": {}}");
    drop(served);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let refused = complaint(&["--listen", &listen]);
    assert!(refused.contains("not a socket"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_guest_file_and_faults_shape_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("guest.toml");
    let text = "[guest]\nhost-name = \"db1\"\n[files]\n\"/etc/motd\" = \"hi\"\n\
                [[programs]]\nname = \"uname\"\nstdout = \"Linux\"\nexit = 3\n";
    std::fs::write(&guest, text).unwrap();
    let guest = guest.display().to_string();
    let path = folder.path().join("qga.sock");
    let served = Served::at(&path, &["--guest", &guest, "--fault", "garbage=x\\n@2"]);
    let mut client = Line::connect(&served.address);
    let host = client.ask("{\"execute\":\"guest-get-host-name\"}");
    assert_eq!(host, "{\"return\": {\"host-name\": \"db1\"}}");
    assert_eq!(client.ask(PING), "x");
    let open = "{\"execute\":\"guest-file-open\",\"arguments\":{\"path\":\"/etc/motd\"}}";
    assert_eq!(client.ask(open), "{\"return\": 1000}");
    std::fs::write(folder.path().join("guest.toml"), "[guest]\nvcpus = 3\n").unwrap();
    let wrong = complaint(&["--listen", "unix:/x", "--guest", &guest]);
    assert!(wrong.contains("guest.toml:2: vcpus: "), "{wrong}");
}

#[test]
fn a_test_in_another_language_stubs_and_looks_over_the_control_socket() {
    let folder = tempfile::tempdir().unwrap();
    let control = format!("unix:{}/control", folder.path().display());
    let path = folder.path().join("qga.sock");
    let mut served = Served::at(&path, &["--control", &control]);
    assert_eq!(line(&mut served.out), format!("control {control}"));
    let mut test = Line::connect(&control);
    let mut client = Line::connect(&served.address);
    let stub = json!({
        "do": "stub", "command": "guest-x", "arguments": {"a": 1}, "reply": 7, "expect": 1,
    });
    assert_eq!(test.order(&stub), json!({"ok": true}));
    let unmet = test.order(&json!({"do": "verify"}));
    assert!(
        unmet["error"]
            .as_str()
            .unwrap()
            .contains("guest-x with {\"a\":1}: expected 1 request, got 0")
    );
    let reply = client.ask("{\"execute\":\"guest-x\",\"arguments\":{\"a\":1,\"b\":2}}");
    assert_eq!(reply, "{\"return\": 7}");
    assert_eq!(test.order(&json!({"do": "verify"})), json!({"ok": true}));
    let seen = test.order(&json!({"do": "requests", "command": "guest-x"}));
    assert_eq!(seen["requests"][0]["arguments"], json!({"a": 1, "b": 2}));
    let waited = test.order(&json!({"do": "wait", "command": "guest-x", "count": 1}));
    assert_eq!(waited["ok"], true);
    test.order(&json!({"do": "fault", "fault": "twice"}));
    assert_eq!(client.ask(PING), "{\"return\": {}}");
    assert_eq!(line(&mut client.0), "{\"return\": {}}");
    let wrong = test.order(&json!({"do": "nonsense"}));
    assert_eq!(wrong["ok"], false);
    test.order(&json!({"do": "reset"}));
    assert_eq!(
        test.order(&json!({"do": "requests"}))["requests"],
        json!([])
    );
    assert_eq!(served.stop("-TERM"), Some(0));
}

#[test]
fn a_fleet_has_a_socket_for_each_agent() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("fleet").display().to_string();
    let served = Served::start(&["--agents", "20", "--dir", &dir]);
    assert_eq!(served.address, format!("unix:{dir}/agent-{{0..19}}.sock"));
    for number in [0, 19] {
        let mut client = Line::connect(&format!("unix:{dir}/agent-{number}.sock"));
        assert_eq!(client.ask(PING), "{\"return\": {}}");
    }
    assert_eq!(served.stop("-TERM"), Some(0));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}

#[test]
fn what_was_recorded_is_replayed_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let tape = folder.path().join("tape.jsonl").display().to_string();
    let listen = format!("unix:{}/proxy", folder.path().display());
    let talk = [
        PING.to_owned(),
        json!({"execute": "guest-get-host-name"}).to_string(),
        json!({"execute": "guest-set-user-password", "arguments":
               {"username": "test", "password": "c2VjcmV0", "crypted": false}})
        .to_string(),
        json!({"execute": "guest-no-such"}).to_string(),
    ];
    let agent = Served::at(&folder.path().join("qga.sock"), &[]);
    let record = [
        "--upstream",
        &agent.address,
        "--listen",
        &listen,
        "--cassette",
        &tape,
    ];
    let proxy = Served::start(&[&["record"], &record[..]].concat());
    let mut client = Line::connect(&proxy.address);
    let replies: Vec<_> = talk.iter().map(|request| client.ask(request)).collect();
    assert_eq!(proxy.stop("-TERM"), Some(0));
    let written = std::fs::read_to_string(&tape).unwrap();
    assert!(!written.contains("c2VjcmV0"), "{written}");
    assert_eq!(written.lines().count(), 5);

    let replay = ["replay", "--cassette", &tape, "--listen", &listen];
    let player = Served::start(&replay);
    let mut client = Line::connect(&player.address);
    let again: Vec<_> = talk.iter().map(|request| client.ask(request)).collect();
    assert_eq!(again, replies);
    assert_eq!(player.stop("-TERM"), Some(0));

    let player = Served::start(&[&replay[..], &["--matching"]].concat());
    let mut client = Line::connect(&player.address);
    assert_eq!(client.ask(&talk[3]), replies[3]);
    assert_eq!(client.ask(&talk[0]), replies[0]);
}

#[test]
fn wrong_options_are_explained() {
    let fault = complaint(&["--listen", "unix:/x", "--fault", "tron=1"]);
    assert!(fault.contains("there is no fault `tron`"), "{fault}");
    let profile = complaint(&["--listen", "unix:/x", "--profile", "5"]);
    assert!(profile.contains("there is no profile `5`"), "{profile}");
    let address = complaint(&["--listen", "/x"]);
    assert!(
        address.contains("an address is unix:PATH or tcp:HOST:PORT"),
        "{address}"
    );
    let tape = complaint(&["replay", "--cassette", "/no/tape", "--listen", "unix:/x"]);
    assert!(tape.contains("/no/tape: "), "{tape}");
}

#[test]
fn a_client_that_sends_anything_leaves_the_agent_alive() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::at(&folder.path().join("qga.sock"), &[]);
    let mut client = Line::connect(&served.address);
    let mut garbage = vec![0xFF, 0x00, b'{', b'"', 0xC3];
    garbage.extend(std::iter::repeat_n(b'[', 200_000));
    client.0.get_mut().write_all(&garbage).unwrap();
    client
        .0
        .get_mut()
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    client.0.read_to_end(&mut Vec::new()).unwrap();
    let mut next = Line::connect(&served.address);
    next.0.get_mut().write_all(b"\xff\n").unwrap();
    while next.ask(PING) != "{\"return\": {}}" {}
}

#[test]
fn it_does_what_scripts_that_say_their_name_are_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let served = Served::at(&folder.path().join("qga.sock"), &[]);
    let mut client = Line::connect(&served.address);
    let script = ": qga-make-directory 1\nexec mkdir -p \"$1\"\n";
    let words = json!(["-c", script, "first", "/srv/a/b"]);
    let call = json!({"execute": "guest-exec", "arguments": {"path": "sh", "arg": words}});
    let started: Value = serde_json::from_str(&client.ask(&call.to_string())).unwrap();
    let status = json!({"execute": "guest-exec-status", "arguments": started["return"]});
    let ended = "{\"return\": {\"exitcode\": 0, \"exited\": true}}";
    assert_eq!(client.ask(&status.to_string()), ended);
    let file = json!({"path": "/srv/a/b/c", "mode": "w"});
    let open = json!({"execute": "guest-file-open", "arguments": file});
    assert_eq!(client.ask(&open.to_string()), "{\"return\": 1000}");
}
