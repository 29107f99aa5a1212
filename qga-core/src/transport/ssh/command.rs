//! What is asked of ssh.

use std::io::{self, ErrorKind, Result};

use super::forward::Folder;
use super::greeting::{NO_PROGRAM, READY};
use crate::error::Reason;
use crate::transport::address::parse::login_problem;
use crate::transport::{Address, SshAddress};

/// Nobody is there to answer questions, and what somebody has configured for sessions of their own is not wanted.
const OPTIONS: [&str; 5] = ["-T", "-o", "BatchMode=yes", "-o", "RemoteCommand=none"];

/// A call of ssh for one socket.
pub(super) struct Ssh<'a> {
    program: &'a [String],
    user: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    target: Target<'a>,
    /// A program there that leads to the target by itself, and its arguments; none if empty.
    helper: &'a [&'a str],
}

enum Target<'a> {
    Unix(&'a str),
    Vsock {
        cid: u32,
        port: u32,
    },
    /// What only the helper can reach.
    Helpers,
}

impl<'a> Ssh<'a> {
    pub(super) fn new(
        address: &'a SshAddress,
        program: &'a [String],
        helper: &'a [&'a str],
    ) -> Result<Self> {
        if let Some(problem) = login_problem(address.user.as_deref(), &address.host) {
            return Err(Reason::error(ErrorKind::InvalidInput, problem));
        }
        let target = match &address.target {
            Address::Unix(path) => path.to_str().filter(|path| is_path(path)).map(Target::Unix),
            &Address::Vsock { cid, port } => Some(Target::Vsock { cid, port }),
            Address::Other { .. } if !helper.is_empty() => Some(Target::Helpers),
            _ => None,
        };
        let no_target =
            "only the absolute path of a Unix socket and a vsock port can be reached by ssh";
        Ok(Self {
            program,
            user: address.user.as_deref(),
            host: &address.host,
            port: address.port,
            target: target.ok_or_else(|| Reason::error(ErrorKind::InvalidInput, no_target))?,
            helper,
        })
    }

    /// Who logs in where, and for what.
    pub(super) fn login(&self) -> String {
        let helper = self.helper.first();
        format!("{:?} {} {:?} {helper:?}", self.user, self.host, self.port)
    }

    /// Runs a program there that connects to the socket.
    pub(super) fn dial(&self) -> Vec<String> {
        let (address, of_socat) = match &self.target {
            Target::Unix(path) => (
                format!("unix:{path}"),
                format!("UNIX-CONNECT:{}", escaped(path)),
            ),
            Target::Vsock { cid, port } => (
                format!("vsock:{cid}:{port}"),
                format!("VSOCK-CONNECT:{cid}:{port}"),
            ),
            Target::Helpers => return self.dial_helper("", &[]),
        };
        let script = format!(
            "if command -v qga >/dev/null 2>&1; then echo {READY}; exec qga dial-stdio \"$1\"; fi; \
             if command -v socat >/dev/null 2>&1; then echo {READY}; exec socat - \"$2\"; fi; \
             echo {NO_PROGRAM}"
        );
        self.dial_helper(&script, &[&address, &of_socat])
    }

    /// Runs the helper if there is one, and else the rest of a script with its arguments.
    fn dial_helper(&self, rest: &str, arguments: &[&str]) -> Vec<String> {
        let mut script = "echo; ".to_owned();
        if let Some(program) = self.helper.first() {
            let program = crate::transport::quoted([*program]);
            let helper = crate::transport::quoted(self.helper.iter().copied());
            script = format!(
                "{script}if command -v {program} >/dev/null 2>&1; then echo {READY}; exec {helper}; fi; "
            );
        }
        if rest.is_empty() {
            script = format!("{script}echo {NO_PROGRAM}");
        }
        script.push_str(rest);
        let words = ["sh", "-c", &script, "sh"];
        let words = words.into_iter().chain(arguments.iter().copied());
        self.call(
            &["-o", "ClearAllForwardings=yes"],
            &crate::transport::quoted(words),
        )
    }

    /// Has ssh forward the socket, for as long as the input of a program there is open.
    pub(super) fn forward(&self, folder: &Folder) -> Result<Vec<String>> {
        let from = folder.socket();
        let from = from.to_str().filter(|from| !from.contains("${"));
        let (Target::Unix(path), Some(from)) = (&self.target, from) else {
            return Err(no_forwarding());
        };
        self.check_forwarding()?;
        let forward = format!("{}:{}", escaped_for_ssh(from), escaped_for_ssh(path));
        let options = [
            "-o",
            "ControlMaster=no",
            "-o",
            "ControlPath=none",
            "-L",
            &forward,
        ];
        Ok(self.call(&options, &format!("echo; echo {READY}; exec cat")))
    }

    /// Whether ssh can forward the socket.
    pub(super) fn check_forwarding(&self) -> Result<()> {
        match &self.target {
            // What is left would stand for a variable of the environment.
            Target::Unix(path) if !path.contains("${") => Ok(()),
            Target::Helpers => Err(self.no_helper()),
            _ => Err(no_forwarding()),
        }
    }

    fn no_helper(&self) -> io::Error {
        let helper = self.helper.first().copied().unwrap_or_default();
        let words = format!("`{helper}` was not found on that host, and nothing else leads there");
        Reason::error(ErrorKind::Unsupported, words)
    }

    fn call(&self, options: &[&str], command: &str) -> Vec<String> {
        let port = self.port.map(|port| port.to_string());
        let mut words = self.program.to_vec();
        let mut add = |more: &[&str]| words.extend(more.iter().map(|word| (*word).to_owned()));
        add(&OPTIONS);
        add(options);
        if let Some(port) = &port {
            add(&["-p", port]);
        }
        if let Some(user) = self.user {
            add(&["-l", user]);
        }
        add(&["--", self.host, command]);
        words
    }
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && !path.contains(char::is_control)
}

/// A path in an address of socat, where many characters mean something.
fn escaped(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c) || !c.is_ascii();
    path.chars().fold(String::new(), |mut text, c| {
        if !plain(c) {
            text.push('\\');
        }
        text.push(c);
        text
    })
}

/// A path in an option of ssh, where a colon ends it and a percent sign begins a name.
fn escaped_for_ssh(path: &str) -> String {
    path.replace('\\', "\\\\")
        .replace(':', "\\:")
        .replace('%', "%%")
}

fn no_forwarding() -> io::Error {
    Reason::error(
        ErrorKind::Unsupported,
        "neither `qga` nor `socat` was found on that host, and ssh cannot forward such an address itself; \
         install `socat` there",
    )
}
