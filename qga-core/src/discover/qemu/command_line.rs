//! What a command line of QEMU says of agents' channels.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::options::Options;
use crate::discover::bounded;

/// How many devices and character devices are looked at.
const DEVICES: usize = 1000;
/// The longest text of a command line that is repeated in a sentence, in characters.
const QUOTED: usize = 108;

/// What a command line says.
#[derive(Debug, Default)]
pub(in crate::discover) struct CommandLine {
    /// The guest's name.
    pub(in crate::discover) name: Option<Vec<u8>>,
    /// The agent's channels.
    pub(in crate::discover) channels: Vec<Backend>,
    /// How many pseudoterminals there are in all.
    pub(super) terminals: usize,
    /// The machine's context identifiers for vsock.
    pub(super) cids: Vec<u32>,
    /// Whether there are options in another file.
    pub(super) reads_config: bool,
}

/// What a channel is on the host.
#[derive(Debug, PartialEq)]
pub(in crate::discover) enum Backend {
    /// A Unix socket on which QEMU listens.
    Unix(Vec<u8>),
    /// A socket that QEMU has from whoever started it.
    Descriptor(u32),
    /// A TCP port on which QEMU listens, one of these; 0 is any.
    Tcp(RangeInclusive<u16>),
    /// A pseudoterminal, and a link to it.
    Terminal(Option<Vec<u8>>),
    /// Nothing that an address leads to, and why.
    Unreachable(String),
}

impl CommandLine {
    pub(in crate::discover) fn parse(arguments: &[Vec<u8>]) -> Self {
        let mut line = Self::default();
        let mut backends = HashMap::new();
        let mut devices = Vec::new();
        for (option, value) in arguments.iter().zip(arguments.iter().skip(1)) {
            let Some(option) = option.strip_prefix(b"-") else {
                continue;
            };
            match option.strip_prefix(b"-").unwrap_or(option) {
                b"name" => {
                    let name = Options::parse(value, "guest");
                    line.name = name.get("guest").map(<[u8]>::to_vec);
                }
                b"chardev" if backends.len() < DEVICES => {
                    let options = Options::parse(value, "backend");
                    let id = options.get("id").unwrap_or_default().to_vec();
                    backends.insert(id, options);
                }
                b"device" if devices.len() < DEVICES => {
                    devices.push(Options::parse(value, "driver"));
                }
                b"serial" if devices.len() < DEVICES => {
                    devices.extend(value.strip_prefix(b"chardev:").map(serial_line));
                }
                b"readconfig" => line.reads_config = true,
                _ => {}
            }
        }
        line.terminals = backends.values().filter(|it| kind(it) == b"pty").count();
        for device in &devices {
            line.cids.extend(cid(device));
            if leads_to_agent(device) {
                let id = device.get("chardev").unwrap_or_default();
                line.channels.push(match backends.get(id) {
                    Some(options) => backend(options),
                    None => Backend::Unreachable(format!(
                        "its character device {} is not on the command line",
                        quoted(id)
                    )),
                });
            }
        }
        line
    }
}

/// What `-serial chardev:ID` is short for.
fn serial_line(id: &[u8]) -> Options {
    let text = [b"isa-serial,chardev=", id].concat();
    Options::parse(&text, "driver")
}

fn leads_to_agent(device: &Options) -> bool {
    match device.get("driver") {
        Some(b"virtserialport" | b"virtconsole") => {
            let name = device.get("name").unwrap_or_default();
            name.starts_with(b"org.qemu.guest_agent.")
        }
        // Nothing but somebody's choice of an id tells it from a console.
        Some(b"isa-serial" | b"pci-serial") => ["id", "chardev"].iter().any(|key| {
            let id = device.get(key).unwrap_or_default().to_ascii_lowercase();
            let id = String::from_utf8_lossy(&id);
            id.contains("qga") || id.contains("agent")
        }),
        _ => false,
    }
}

fn cid(device: &Options) -> Option<u32> {
    let is_vsock = device.get("driver")?.starts_with(b"vhost-vsock");
    is_vsock.then(|| device.number("guest-cid")).flatten()
}

fn kind(options: &Options) -> &[u8] {
    let kind = options.get("backend.type");
    kind.or_else(|| options.get("backend")).unwrap_or_default()
}

fn backend(options: &Options) -> Backend {
    match kind(options) {
        b"socket" => socket(options),
        b"pty" => Backend::Terminal(options.get("path").map(<[u8]>::to_vec)),
        b"serial" | b"tty" | b"parallel" => {
            let device = quoted(options.get("path").or(options.get("device")).unwrap_or(b""));
            Backend::Unreachable(format!(
                "QEMU itself has opened the device {device}; what is at its other end is not known"
            ))
        }
        other => Backend::Unreachable(format!(
            "it is behind a character device of the kind {}, to which nobody can connect",
            quoted(other)
        )),
    }
}

fn socket(options: &Options) -> Backend {
    let is_on = |name| options.is_on(name) == Some(true);
    if is_on("telnet")
        || is_on("tn3270")
        || is_on("websocket")
        || options.get("tls-creds").is_some()
    {
        let why = "it is behind telnet, WebSocket or TLS, which no address is for";
        return Backend::Unreachable(why.to_owned());
    }
    let fd = match options.get("addr.type") {
        Some(b"fd") => options.get("str"),
        _ => options.get("fd"),
    };
    if let Some(fd) = fd {
        let number = std::str::from_utf8(fd).ok().and_then(|fd| fd.parse().ok());
        let why = || format!("QEMU had its socket {} over the monitor", quoted(fd));
        return number.map_or_else(|| Backend::Unreachable(why()), Backend::Descriptor);
    }
    let path = options.get("path");
    let listens = options.is_on("server").unwrap_or(options.is_structured());
    if !listens {
        let to = path.or(options.get("host")).unwrap_or_default();
        return Backend::Unreachable(format!(
            "QEMU itself connects to {}, and the agent is for whoever listens there",
            quoted(to)
        ));
    }
    match path {
        Some(path) if is_on("abstract") => Backend::Unreachable(format!(
            "the socket {} is abstract, which no address is for",
            quoted(path)
        )),
        Some(path) => Backend::Unix(path.to_vec()),
        None => tcp(options),
    }
}

fn tcp(options: &Options) -> Backend {
    let Some(port) = options.number("port") else {
        let port = quoted(options.get("port").unwrap_or_default());
        return Backend::Unreachable(format!("its port {port} is not a number"));
    };
    Backend::Tcp(match port {
        0 => 1..=u16::MAX,
        port => port..=options.number("to").unwrap_or(port).max(port),
    })
}

fn quoted(text: &[u8]) -> String {
    format!("`{}`", bounded::text(text, QUOTED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> CommandLine {
        let arguments: Vec<_> = text.split(' ').map(|it| it.as_bytes().to_vec()).collect();
        CommandLine::parse(&arguments)
    }

    const PORT: &str = "-device virtserialport,chardev=c,name=org.qemu.guest_agent.0";

    fn channel(backend: &str) -> Backend {
        let mut line = parse(&format!("qemu -chardev {backend} {PORT}"));
        assert_eq!(line.channels.len(), 1, "{backend}");
        line.channels.remove(0)
    }

    #[test]
    fn a_socket_on_which_qemu_listens_is_a_channel() {
        let unix = || Backend::Unix(b"/run/a".to_vec());
        for text in [
            "socket,id=c,path=/run/a,server=on,wait=off",
            "socket,path=/run/a,server,nowait,id=c",
            "backend=socket,id=c,server=yes,path=/run/a",
            r#"{"id":"c","backend":{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/run/a"}}}}}"#,
            "id=c,backend.type=socket,backend.data.addr.type=unix,backend.data.addr.data.path=/run/a",
        ] {
            assert_eq!(channel(text), unix(), "{text}");
        }
        let tcp = "socket,id=c,host=127.0.0.1,port=4000,server=on";
        assert_eq!(channel(tcp), Backend::Tcp(4000..=4000));
        let range = "socket,id=c,host=127.0.0.1,port=4000,to=4010,server=on";
        assert_eq!(channel(range), Backend::Tcp(4000..=4010));
        let any = "socket,id=c,host=127.0.0.1,port=0,server=on";
        assert_eq!(channel(any), Backend::Tcp(1..=65535));
    }

    #[test]
    fn descriptors_and_terminals_are_channels() {
        assert_eq!(
            channel("socket,id=c,fd=22,server=on"),
            Backend::Descriptor(22)
        );
        let json = r#"{"id":"c","backend":{"type":"socket","data":{"addr":{"type":"fd","data":{"str":"22"}}}}}"#;
        assert_eq!(channel(json), Backend::Descriptor(22));
        assert_eq!(channel("pty,id=c"), Backend::Terminal(None));
        let link = Backend::Terminal(Some(b"/run/tty".to_vec()));
        assert_eq!(channel("pty,id=c,path=/run/tty"), link);
    }

    #[test]
    fn what_no_address_leads_to_says_why() {
        for (backend, why) in [
            (
                "socket,id=c,path=/run/a",
                "QEMU itself connects to `/run/a`",
            ),
            ("socket,id=c,path=/run/a,server=off", "QEMU itself connects"),
            ("socket,id=c,path=a,abstract=on,server=on", "is abstract"),
            ("socket,id=c,fd=agent,server=on", "over the monitor"),
            ("socket,id=c,host=x,port=y,server=on", "`y` is not a number"),
            ("socket,id=c,host=x,port=1,server=on,telnet=on", "telnet"),
            ("socket,id=c,host=x,port=1,server=on,tls-creds=t", "TLS"),
            ("serial,id=c,path=/dev/ttyS0", "the device `/dev/ttyS0`"),
            ("null,id=c", "of the kind `null`"),
            ("null,id=d", "`c` is not on the command line"),
        ] {
            let Backend::Unreachable(said) = channel(backend) else {
                panic!("{backend} can be reached");
            };
            assert!(said.contains(why), "{backend}: {said}");
        }
    }

    #[test]
    fn a_device_in_json_is_a_port_like_another() {
        let line = parse(
            r#"qemu -chardev pty,id=c -device {"driver":"virtserialport","chardev":"c","name":"org.qemu.guest_agent.0"}"#,
        );
        assert_eq!(line.channels, [Backend::Terminal(None)]);
    }

    #[test]
    fn a_serial_line_is_the_agents_if_an_id_says_so() {
        for (device, count) in [
            ("-device isa-serial,chardev=c", 0),
            ("-device isa-serial,chardev=c,id=qga0", 1),
            ("-device isa-serial,chardev=GuestAgent", 1),
            ("-serial chardev:c", 0),
            ("-serial chardev:qga", 1),
            ("-serial stdio", 0),
            (
                "-device virtserialport,chardev=agent,name=com.redhat.spice.0",
                0,
            ),
        ] {
            assert_eq!(
                parse(&format!("qemu {device}")).channels.len(),
                count,
                "{device}"
            );
        }
    }

    #[test]
    fn a_guests_name_is_read_in_all_its_forms() {
        for (text, name) in [
            ("qemu -name guest=web,debug-threads=on", Some("web")),
            ("qemu -name web,debug-threads=on", Some("web")),
            ("kvm --name a -name we,,b", Some("we,b")),
            ("qemu -name debug-threads=on", None),
            ("qemu -name", None),
            ("qemu", None),
        ] {
            assert_eq!(
                parse(text).name.as_deref(),
                name.map(str::as_bytes),
                "{text}"
            );
        }
    }

    #[test]
    fn vsock_and_files_of_options_are_noticed() {
        let line = parse("qemu -device vhost-vsock-pci,id=v,guest-cid=7 -readconfig /etc/vm");
        assert_eq!((line.cids, line.reads_config), (vec![7], true));
    }
}
