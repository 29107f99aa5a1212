//! `qga events`.

use qga_testserver::{LibvirtDaemon, TestMachine};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdout};

use crate::support::{guest, qga, run, signal};

/// A run that listens.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    notes: BufReader<ChildStderr>,
}

impl Listening {
    async fn start(args: &[&str]) -> Self {
        let mut child = qga(args).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut notes = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        notes.read_line(&mut first).await.unwrap();
        assert!(first.contains("listening"), "{first}");
        Self {
            child,
            lines,
            notes,
        }
    }

    async fn of(machine: &TestMachine, args: &[&str]) -> Self {
        let (agent, monitor) = (machine.agent().address(), machine.monitor_address());
        let words = ["events", &agent, "--monitor", &monitor];
        Self::start(&[&words, args].concat()).await
    }

    async fn line(&mut self) -> String {
        self.lines.next_line().await.unwrap().unwrap()
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await).unwrap()
    }

    /// Its exit code, the lines that were left, and what it said beside them.
    async fn end(mut self) -> (i32, Vec<String>, String) {
        let mut left = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            left.push(line);
        }
        let mut said = String::new();
        self.notes.read_to_string(&mut said).await.unwrap();
        let status = self.child.wait().await.unwrap();
        (status.code().unwrap(), left, said)
    }
}

/// The name of an event, and what it says.
fn told(line: &str) -> &str {
    let (time, told) = line.split_once(' ').unwrap();
    assert!(humantime::parse_rfc3339(time).is_ok(), "{line}");
    told
}

#[tokio::test]
async fn each_event_is_printed_as_it_comes_until_the_machine_ends() {
    let machine = TestMachine::start().await;
    let mut listening = Listening::of(&machine, &[]).await;
    machine.set_port_open(false);
    let line = listening.line().await;
    assert_eq!(told(&line), "VSERPORT_CHANGE id=ga0 open=false");
    machine.event("RTC_CHANGE", json!({"offset": 1}));
    assert_eq!(told(&listening.line().await), "RTC_CHANGE offset=1");
    machine.terminate();
    let (code, left, said) = listening.end().await;
    assert_eq!(code, 0, "{said}");
    let last = left.last().map(|line| told(line).to_owned());
    let last = last.unwrap();
    assert!(
        last.starts_with("SHUTDOWN") && last.contains("reason=host-signal"),
        "{left:?}"
    );
    assert!(said.contains("has ended"), "{said}");
    assert!(machine.agent().requests().is_empty());
}

#[tokio::test]
async fn a_machine_that_is_killed_is_an_end_too() {
    let machine = TestMachine::start().await;
    let listening = Listening::of(&machine, &[]).await;
    machine.kill().await;
    let (code, left, said) = listening.end().await;
    assert_eq!((code, left.len()), (0, 0), "{left:?}: {said}");
}

#[tokio::test]
async fn events_are_lines_of_json_where_that_was_said() {
    let machine = TestMachine::start().await;
    let mut listening = Listening::of(&machine, &["-o", "json", "-n", "2"]).await;
    let data = json!({"one": "a\u{1b}[31m\nb", "more": {"two": [1, null]}});
    machine.event("X_NEW", data.clone());
    let value = listening.json().await;
    assert_eq!(value["version"], 1);
    assert_eq!(value["event"]["name"], "X_NEW");
    assert_eq!(value["event"]["data"], data);
    assert!(value["event"]["at"].is_string());
    machine.fill_disk();
    let value = listening.json().await;
    assert_eq!(value["event"]["name"], "BLOCK_IO_ERROR");
    let (code, left, said) = listening.end().await;
    assert_eq!((code, left.len()), (0, 0), "{left:?}: {said}");
}

#[tokio::test]
async fn what_a_terminal_would_obey_is_escaped_and_a_time_of_no_age_is_shown() {
    let machine = TestMachine::start().await;
    let mut listening = Listening::of(&machine, &[]).await;
    machine.event(
        "X\u{1b}[31m",
        json!({"a\nb": "c\r\u{1b}[0m d", "e": "f g=h"}),
    );
    let line = listening.line().await;
    assert!(!line.contains(char::is_control), "{line:?}");
    assert!(line.contains(r#"e="f g=h""#), "{line}");
    let strange = json!({
        "event": "STOP",
        "timestamp": {"seconds": 9_000_000_000_000_u64, "microseconds": 0},
    });
    machine.send(format!("{strange}\r\n"));
    assert_eq!(listening.line().await, "@9000000000000 STOP");
}

#[tokio::test]
async fn a_connection_that_was_lost_is_told_in_its_place_and_what_follows_is_heard() {
    for format in ["text", "json"] {
        let machine = TestMachine::start().await;
        let mut listening = Listening::of(&machine, &["-o", format]).await;
        machine.cut_off();
        let line = listening.line().await;
        if format == "json" {
            let expected = json!({"version": 1, "missed": {"events": null}});
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        } else {
            assert!(told(&line).starts_with("missed: "), "{line}");
        }
        machine.event("RTC_CHANGE", json!({"offset": 1}));
        assert!(listening.line().await.contains("RTC_CHANGE"));
    }
}

#[tokio::test]
async fn a_listener_ends_by_its_time_and_by_a_signal() {
    let machine = TestMachine::start().await;
    let listening = Listening::of(&machine, &["--timeout", "200ms"]).await;
    let (code, _, said) = listening.end().await;
    assert_eq!(code, 124, "{said}");
    let listening = Listening::of(&machine, &[]).await;
    signal(&listening.child, rustix::process::Signal::INT);
    let (code, _, said) = listening.end().await;
    assert_eq!(code, 130, "{said}");
}

#[tokio::test]
async fn who_tells_nothing_is_no_success() {
    let (_agent, address) = guest().await;
    let ended = run(&["events", &address]).await;
    assert_eq!(ended.code, 125);
    assert!(ended.stderr.contains("--monitor"), "{}", ended.stderr);
    let machine = TestMachine::start().await;
    machine.set_hung(true);
    let monitor = machine.monitor_address();
    let words = ["events", &address, "--monitor", &monitor, "--timeout"];
    let ended = run(&[&words[..], &["300ms"]].concat()).await;
    assert_eq!(ended.code, 124, "{}", ended.stderr);
}

#[tokio::test]
async fn libvirt_tells_of_a_domain_and_of_no_other() {
    let (agent, _) = guest().await;
    let (other, _) = guest().await;
    let daemon = LibvirtDaemon::start();
    daemon.domain("vm1", &agent);
    daemon.domain("vm2", &other);
    let address = daemon.address("vm1");
    let mut listening = Listening::start(&["events", &address, "-o", "json"]).await;
    for address in [daemon.address("vm2"), address] {
        let off = run(&["shutdown", &address]).await;
        assert_eq!(off.code, 0, "{}", off.stderr);
    }
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "stopped") {
        let value = listening.json().await;
        names.push(value["event"]["name"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.iter().filter(|name| *name == "stopped").count(), 1);
    let (code, left, said) = listening.end().await;
    assert_eq!((code, left.len()), (0, 0), "{names:?} {left:?}: {said}");
}
