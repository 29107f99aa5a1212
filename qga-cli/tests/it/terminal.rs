//! What people see on a terminal.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use qga_testserver::Fault;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use tokio::process::Child;

use crate::support::{guest, qga, signal};

/// A terminal with the program in it.
struct Terminal {
    child: Child,
    keyboard: File,
    /// The other side, which keeps what is set.
    line: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    fn run(args: &[&str]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new())
            .unwrap()
            .into_string()
            .unwrap();
        let keyboard = File::from(keyboard);
        let size = Winsize {
            ws_row: 24,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&keyboard, size).unwrap();
        let line = || {
            OpenOptions::new()
                .read(true)
                .write(true)
                .open(&name)
                .unwrap()
        };
        let mut command = qga(args);
        command
            .stdin(Stdio::from(line()))
            .stdout(Stdio::from(line()))
            .stderr(Stdio::from(line()));
        let child = command
            .env("TERM", "xterm")
            .env("NO_COLOR", "1")
            .spawn()
            .unwrap();
        let (sender, screen) = channel();
        let mut shown = keyboard.try_clone().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = shown.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keyboard,
            line: line(),
            screen,
            seen: String::new(),
        }
    }

    /// Waits until this is to be seen.
    fn wait_for(&mut self, words: &str) {
        while !self.seen.contains(words) {
            let next = self.screen.recv_timeout(Duration::from_secs(60));
            let Ok(next) = next else {
                panic!("{words:?} is not to be seen in {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&next));
        }
    }

    fn is_echoing(&self) -> bool {
        tcgetattr(&self.line)
            .unwrap()
            .local_modes
            .contains(LocalModes::ECHO)
    }

    fn write(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).unwrap();
    }

    /// Its exit code and all that was to be seen.
    async fn end(mut self) -> (i32, String) {
        let status = self.child.wait().await.unwrap();
        drop(self.line);
        while let Ok(next) = self.screen.recv_timeout(Duration::from_secs(60)) {
            self.seen.push_str(&String::from_utf8_lossy(&next));
        }
        (status.code().unwrap(), self.seen)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_shows_how_far_it_is_and_leaves_nothing_of_that() {
    let (agent, address) = guest().await;
    agent.file("/srv/remote", vec![2; 2 << 20]);
    agent
        .on("guest-file-read")
        .fault(Fault::delay(Duration::from_millis(150)));
    let folder = tempfile::tempdir().unwrap();
    let remote = format!("{address}:/srv/remote");
    let mut terminal = Terminal::run(&["cp", &remote, folder.path().to_str().unwrap()]);
    terminal.wait_for("of 2.00 MiB");
    terminal.wait_for("/s, ");
    let (code, seen) = terminal.end().await;
    assert_eq!(code, 0, "{seen:?}");
    let (_, last) = seen.rsplit_once('\r').unwrap();
    assert!(!last.contains("MiB"), "{seen:?}");
    let quiet = Terminal::run(&["-q", "cp", &remote, folder.path().to_str().unwrap()]);
    assert_eq!(quiet.end().await, (0, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_has_a_heading_and_names_cannot_command_the_terminal() {
    let (agent, address) = guest().await;
    agent.file("/srv/a\u{1b}[31m\u{202e}b", "x");
    let (code, seen) = Terminal::run(&["ls", "-l", &address, "/srv"]).end().await;
    assert_eq!(code, 0, "{seen:?}");
    assert!(seen.starts_with("mode"), "{seen:?}");
    assert!(seen.contains("a\\u{1b}[31m\\u{202e}b"), "{seen:?}");
    let escapes = seen.matches('\u{1b}').count();
    assert_eq!(escapes, 0, "{seen:?}");
    // What the agent says in an error is shown in the same way.
    agent
        .on("guest-ping")
        .error("GenericError", "wrong\u{1b}]0;title\u{7}");
    let (code, seen) = Terminal::run(&["ping", &address]).end().await;
    assert_eq!(code, 125, "{seen:?}");
    assert!(
        seen.contains("wrong") && !seen.contains('\u{7}') && !seen.contains("\u{1b}]"),
        "{seen:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_and_not_to_be_seen() {
    let (agent, address) = guest().await;
    let mut terminal = Terminal::run(&["passwd", &address, "root"]);
    terminal.wait_for("New password of root: ");
    assert!(!terminal.is_echoing());
    terminal.write("hunter2\n");
    let (code, seen) = terminal.end().await;
    assert_eq!(code, 0, "{seen:?}");
    assert!(!seen.contains("hunter2"), "{seen:?}");
    let set = agent.requests_of("guest-set-user-password");
    assert_eq!(set[0].arguments["password"], "aHVudGVyMg==");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_an_interrupt_at_the_password_the_terminal_shows_again_what_is_typed() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (agent, address) = guest().await;
        let mut terminal = Terminal::run(&["passwd", &address, "root"]);
        terminal.wait_for("New password of root: ");
        signal(&terminal.child, sent);
        terminal.wait_for("interrupted");
        assert!(terminal.is_echoing());
        let (ended, seen) = terminal.end().await;
        assert_eq!(ended, code, "{seen:?}");
        assert!(agent.requests_of("guest-set-user-password").is_empty());
    }
}
