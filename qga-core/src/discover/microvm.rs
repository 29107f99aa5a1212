//! Machines that are reached over vsock, whose port for an agent only the guest knows.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

use super::bounded;
use super::found::{Reach, Source};
use super::host::Host;
use super::process::Running;
use super::report::{Candidate, Report};
use super::socket_files::SocketFile;
use super::unseen::Unseen;

/// The longest configuration file that is read, in bytes, and how many sockets of one process are taken.
const CONFIG: u64 = 1 << 20;
const SOCKETS: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Firecracker,
    CloudHypervisor,
    VhostDeviceVsock,
}

impl Kind {
    pub(super) fn of(program: &[u8]) -> Option<Self> {
        let program = program.strip_prefix(b".").unwrap_or(program);
        let begins = |name: &[u8]| program.starts_with(name);
        if begins(b"firecracker") {
            Some(Self::Firecracker)
        } else if begins(b"cloud-hypervisor") {
            Some(Self::CloudHypervisor)
        } else if begins(b"vhost-device-vsock") || begins(b"vhost-user-vsock") {
            Some(Self::VhostDeviceVsock)
        } else {
            None
        }
    }

    pub(super) fn look(self, process: &Running, host: &mut Host<'_>, report: &mut Report) {
        let mut machine = Machine { process, report };
        match self {
            Self::Firecracker => machine.firecracker(host),
            Self::CloudHypervisor => machine.cloud_hypervisor(),
            Self::VhostDeviceVsock => machine.vhost_device_vsock(),
        }
    }
}

struct Machine<'a> {
    process: &'a Running,
    report: &'a mut Report,
}

impl Machine<'_> {
    /// It listens on two sockets: that of its API, and the proxy.
    fn firecracker(&mut self, host: &mut Host<'_>) {
        let arguments = &self.process.arguments;
        let name = values(arguments, "--id").last();
        let api = values(arguments, "--api-sock").last();
        let api = api.unwrap_or(b"/run/firecracker.socket");
        let open = self.process.open_files();
        let table = host.unix_table_of(self.process);
        match (open, table) {
            (Ok(open), Ok(table)) => {
                let its = table.sockets().iter().filter(|socket| {
                    socket.listens && socket.path != api && open.sockets.contains(&socket.inode)
                });
                for socket in its.take(SOCKETS) {
                    self.proxy(&socket.path, Source::OpenFile, name);
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                let config = values(arguments, "--config-file").last();
                match config.map(|path| self.config(path)) {
                    Some(Ok(config)) => {
                        if let Some(path) = firecracker_socket(&config) {
                            self.proxy(path.as_bytes(), Source::ConfigFile, name);
                        }
                    }
                    Some(Err(error)) => self.cannot("its configuration", &error),
                    None => self.cannot("its sockets", &error),
                }
            }
        }
    }

    fn cloud_hypervisor(&mut self) {
        let arguments = &self.process.arguments;
        for value in values(arguments, "--vsock").take(SOCKETS) {
            if let Some(path) = member(value, "socket") {
                self.proxy(path, Source::CommandLine, None);
            }
        }
        let has = |name| values(arguments, name).next().is_some();
        if !has("--kernel") && !has("--firmware") && !has("--vsock") {
            let what = format!("the machine of {}", self.process.process());
            let why = "it is set up over an API, which is not asked";
            self.report.unseen(Unseen::new(what, why));
        }
    }

    fn vhost_device_vsock(&mut self) {
        let arguments = &self.process.arguments;
        let of_machines = values(arguments, "--vm").filter_map(|vm| member(vm, "uds-path"));
        let paths = of_machines.chain(values(arguments, "--uds-path"));
        for path in paths.take(SOCKETS) {
            self.proxy(path, Source::CommandLine, None);
        }
        let Some(config) = values(arguments, "--config").last() else {
            return;
        };
        match self.config(config) {
            Ok(config) => {
                for path in vhost_sockets(&config).take(SOCKETS) {
                    self.proxy(path.as_bytes(), Source::ConfigFile, None);
                }
            }
            Err(error) => self.cannot("its configuration", &error),
        }
    }

    fn proxy(&mut self, path: &[u8], source: Source, name: Option<&[u8]>) {
        let found = self.process.absolute(path);
        let found = found.and_then(|path| SocketFile::of_process(&self.process.root(), &path));
        match found {
            Ok((path, file)) => self.report.add(
                Candidate::new(Reach::VsockProxy { path }, source)
                    .guest(name)
                    .file(file)
                    .listener(self.process.process()),
            ),
            Err(error) => self.cannot(&bounded::text(path, 108), &error),
        }
    }

    fn cannot(&mut self, what: &str, error: &io::Error) {
        let what = format!("vsock of {}: {what}", self.process.process());
        self.report.unseen(Unseen::failed(what, error));
    }

    /// Reads a file that its command line names.
    fn config(&self, path: &[u8]) -> io::Result<String> {
        let path = self.process.absolute(path)?;
        let below = |path: &PathBuf| {
            path.strip_prefix("/")
                .map(|path| self.process.root().join(path))
        };
        let path = below(&path)
            .ok()
            .filter(|below| below.exists())
            .unwrap_or(path);
        // What has no length is one of the kernel's files, and some of those are used up by reading.
        if path.metadata()?.len() == 0 {
            return Err(io::Error::other("it is empty"));
        }
        let (text, is_all) = bounded::read(&path, CONFIG)?;
        if !is_all {
            return Err(io::Error::other("it is longer than 1 MiB"));
        }
        String::from_utf8(text).map_err(|_| io::Error::other("it is not UTF-8"))
    }
}

/// The values of an option, as `--option value` or `--option=value`.
fn values<'a>(arguments: &'a [Vec<u8>], option: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let next = arguments.iter().skip(1).map(Some).chain([None]);
    arguments
        .iter()
        .zip(next)
        .filter_map(
            move |(argument, next)| match argument.strip_prefix(option.as_bytes())? {
                [] => next.map(Vec::as_slice),
                [b'=', value @ ..] => Some(value),
                _ => None,
            },
        )
}

/// The value of a key in `key=value,key=value`.
fn member<'a>(text: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut members = text.split(|byte| *byte == b',');
    members.find_map(|member| member.strip_prefix(key.as_bytes())?.strip_prefix(b"="))
}

fn firecracker_socket(config: &str) -> Option<String> {
    let config: Value = serde_json::from_str(config).ok()?;
    Some(config.get("vsock")?.get("uds_path")?.as_str()?.to_owned())
}

/// The values of `uds_path` in a file of YAML, each on a line of its own.
fn vhost_sockets(config: &str) -> impl Iterator<Item = &str> {
    config.lines().filter_map(|line| {
        let line = line.trim_start_matches([' ', '\t', '-']);
        let value = line.strip_prefix("uds_path:")?.trim();
        match value.split_at_checked(1)? {
            (quote @ ("\"" | "'"), rest) => Some(rest.split(quote).next().unwrap_or(rest)),
            _ => Some(value.split(" #").next().unwrap_or(value).trim_end()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_their_value_behind_a_space_or_an_equals_sign() {
        let arguments = ["fc", "--id", "a", "--id=b", "--idx", "c", "--id"];
        let arguments = arguments.map(|it| it.as_bytes().to_vec());
        let read: Vec<_> = values(&arguments, "--id").collect();
        assert_eq!(read, [b"a", b"b"]);
    }

    #[test]
    fn paths_are_read_from_lines_of_yaml() {
        let config = "vms:\n    - guest_cid: 3\n      socket: /tmp/s\n      uds_path: /tmp/a # one\n\
            \x20   - uds_path: \"/tmp/b c\" # two\n    - uds_path: '/tmp/d'\n  uds_path:\nuds_path: '\n";
        let read: Vec<_> = vhost_sockets(config).collect();
        assert_eq!(read, ["/tmp/a", "/tmp/b c", "/tmp/d", ""]);
    }
}
