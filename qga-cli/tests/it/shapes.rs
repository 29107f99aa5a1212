//! What each subcommand prints, as text and as JSON: all of it is in `shapes.txt`. A change that is meant:
//! `QGA_SHAPES=overwrite cargo test -p qga-cli --test it shapes`, and read the difference.

use std::fmt::Write as _;
use std::io::{Seek as _, Write as _};

use qga_testserver::TestAgent;
use serde_json::Value;

use crate::support::{Run, config, guest, qga, run};

/// In place of a guest's address and of what was left running in it; `NUMBERS` at the end of a line says that they are
/// different each time.
const LINES: &[&str] = &[
    "ping GUEST",
    "info GUEST",
    "ip GUEST",
    "ip --all GUEST",
    "df GUEST",
    "net GUEST",
    "disks GUEST",
    "users GUEST",
    "time GUEST NUMBERS",
    "commands GUEST",
    "doctor GUEST NUMBERS",
    "wait GUEST",
    "exec GUEST -- both",
    "exec GUEST -- bytes",
    "exec GUEST -- killed",
    "exec GUEST -- missing",
    "exec --detach GUEST -- both",
    "attach GUEST TOKEN",
    "mkdir GUEST /tmp/a/b",
    "cp - GUEST:/tmp/a/b/file",
    "cp GUEST:/tmp/a/b/file GUEST:/tmp/a/b/copy",
    "cat GUEST /tmp/a/b/copy",
    "ls GUEST /tmp/a/b NUMBERS",
    "ls --long GUEST /tmp/a/b NUMBERS",
    "rm GUEST /tmp/a/b/copy",
    "freeze GUEST -- echo done NUMBERS",
    "thaw GUEST",
    "fstrim GUEST",
    "passwd GUEST root",
    "ssh-key add GUEST root",
    "ssh-key ls GUEST root",
    "ssh-key rm GUEST root",
    "cpu set GUEST 1",
    "cpu ls GUEST",
    "mem set GUEST",
    "mem ls GUEST",
    "raw GUEST guest-get-host-name",
    "each GUEST -- ip",
    "each GUEST -- exec -- both",
];

/// What is no more the same guest afterwards.
const LAST_LINES: &[&str] = &["reboot GUEST", "shutdown GUEST", "suspend --no-wait GUEST"];

/// What has no shape of its own, and why.
const OTHERS: &[(&str, &str)] = &[
    ("demo", "the README's tests have it"),
    ("list", "looks at this host, and has tests of its own"),
    ("snapshot", "needs a monitor, and has tests of its own"),
    ("dial-stdio", "carries the agent's bytes"),
    ("events", "needs a monitor, and has tests of its own"),
    ("completions", "is a program for a shell"),
    ("man", "is a manual page"),
    ("help", "is no subcommand of ours"),
];

/// A key, which is also what is copied and a password.
const INPUT: &[u8] =
    b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me\n";

/// Every run of digits is one `0`, and no unit of time matters.
fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    let mut was_digit = false;
    for character in text.chars() {
        let is_digit = character.is_ascii_digit();
        if !is_digit {
            shown.push(character);
        } else if !was_digit {
            shown.push('0');
        }
        was_digit = is_digit;
    }
    for (unit, same) in [
        ("0.0", "0"),
        ("0s ", "0ms "),
        ("0µs", "0ms"),
        ("0ns", "0ms"),
        (":-0", ":0"),
    ] {
        shown = shown.replace(unit, same);
    }
    shown
}

struct Recorder {
    _agent: TestAgent,
    /// In front of each line.
    options: &'static str,
    config: String,
    address: String,
    token: String,
    text: String,
}

impl Recorder {
    async fn new(options: &'static str, config: &str) -> Self {
        let (agent, address) = guest().await;
        agent
            .program("both")
            .stdout("out\n")
            .stderr("wrong\n")
            .exit(3);
        agent.program("bytes").stdout([b'a', 0xFF, b'\n']).exit(0);
        agent.program("killed").stdout("begun\n").signal(9);
        Self {
            _agent: agent,
            options,
            config: config.to_owned(),
            address,
            token: String::new(),
            text: String::new(),
        }
    }

    async fn record(&mut self, line: &str) {
        let numbers = line.strip_suffix(" NUMBERS");
        let line = format!("{}{}", self.options, numbers.unwrap_or(line));
        let mut args = vec!["--config".to_owned(), self.config.clone()];
        args.extend(line.split(' ').map(|word| {
            let word = word.replace("GUEST", &self.address);
            word.replace("TOKEN", &self.token)
        }));
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let run = run_lossy(&args).await;
        if line.contains("--detach") {
            self.token = token(&run.stdout);
        }
        let shown = shown(&run).replace(&self.address, "GUEST");
        let shown = match &*self.token {
            "" => shown,
            token => shown.replace(token, "TOKEN"),
        };
        let shown = if numbers.is_some() {
            without_numbers(&shown.replace(&own_name(), "TEST"))
        } else {
            shown
        };
        write!(self.text, "$ qga {line}\n{shown}").unwrap();
    }
}

/// What `exec --detach` has printed.
fn token(stdout: &str) -> String {
    let json: Option<Value> = serde_json::from_str(stdout).ok();
    let token = json.and_then(|json| Some(json["process"]["token"].as_str()?.to_owned()));
    token.unwrap_or_else(|| stdout.trim().to_owned())
}

/// The name of this test's program.
fn own_name() -> String {
    let program = std::env::current_exe().unwrap();
    program.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Runs it with something to read. What it prints need not be text.
async fn run_lossy(args: &[&str]) -> Run {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(INPUT).unwrap();
    input.rewind().unwrap();
    let output = qga(args).stdin(input).output().await.unwrap();
    Run {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn shown(run: &Run) -> String {
    let mut shown = run.stdout.clone();
    for line in run.stderr.lines() {
        writeln!(shown, "2> {line}").unwrap();
    }
    if run.code != 0 {
        writeln!(shown, "exit code {}", run.code).unwrap();
    }
    shown
}

#[tokio::test]
async fn what_each_subcommand_prints_is_as_recorded() {
    // What is in this host's folders is no matter of a test.
    let (_folder, config) = config("");
    let mut text = String::new();
    for options in ["", "-o json "] {
        let mut recorder = Recorder::new(options, &config).await;
        for line in LINES {
            recorder.record(line).await;
        }
        text.push_str(&recorder.text);
        for line in LAST_LINES {
            let mut recorder = Recorder::new(options, &config).await;
            recorder.record(line).await;
            text.push_str(&recorder.text);
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/shapes.txt");
    if std::env::var_os("QGA_SHAPES").is_some_and(|it| it == "overwrite") {
        std::fs::write(path, &text).unwrap();
    }
    let recorded = std::fs::read_to_string(path).unwrap();
    for (now, then) in text.lines().zip(recorded.lines()) {
        assert_eq!(now, then);
    }
    assert_eq!(text.lines().count(), recorded.lines().count());
}

#[tokio::test]
async fn each_subcommand_has_its_shape_recorded() {
    let help = run(&["--help"]).await.stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in commands.take_while(|line| !line.is_empty()) {
        let Some(name) = line
            .strip_prefix("  ")
            .and_then(|line| line.split(' ').next())
        else {
            continue;
        };
        let is_recorded = LINES
            .iter()
            .chain(LAST_LINES)
            .any(|line| line.split(' ').next() == Some(name));
        let is_other = OTHERS.iter().any(|(other, _)| *other == name);
        assert!(name.is_empty() || is_recorded || is_other, "{name}");
    }
}
