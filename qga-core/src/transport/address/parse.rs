//! Addresses as text.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::{Address, SshAddress};

type Reason = Cow<'static, str>;

/// The schemes that this crate knows.
pub(crate) const SCHEMES: [&str; 7] = [
    "unix",
    "tcp",
    "serial",
    "vsock",
    "vsock-proxy",
    "exec",
    "ssh",
];

pub(super) fn address(text: &str) -> Result<Address, Reason> {
    if text.contains(char::is_control) {
        return Err(
            "it holds a line break or another control character; if it is meant, pass a `Path`"
                .into(),
        );
    }
    let Some((scheme, rest)) = text.split_once(':') else {
        return match text.parse::<IpAddr>() {
            Ok(_) => Err(format!("the port is missing; write tcp:{text}:PORT").into()),
            Err(_) => unix(text).map_err(Cow::from),
        };
    };
    match scheme {
        "unix" => unix(rest).map_err(Cow::from),
        "tcp" => match rest.strip_prefix("//") {
            Some(rest) => Err(format!("write tcp:{rest}, without the slashes").into()),
            None => tcp(rest).map_err(Cow::from),
        },
        "serial" => serial(rest),
        "vsock" => vsock(rest).map_err(Cow::from),
        "vsock-proxy" => vsock_proxy(rest).map_err(Cow::from),
        "exec" => exec(rest).map_err(Cow::from),
        "ssh" => ssh(rest),
        path if path.contains('/') => unix(text).map_err(Cow::from),
        _ => other(text, scheme, rest),
    }
}

/// Why a name cannot be that of a scheme.
pub(crate) fn scheme_problem(name: &str) -> Option<&'static str> {
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
    if SCHEMES.contains(&name) {
        Some("this crate knows a scheme of that name, which cannot be replaced")
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(is_name) {
        Some(
            "a scheme begins with a small letter and consists of small letters, digits, `+`, `.` and `-`",
        )
    } else {
        None
    }
}

fn unix(path: &str) -> Result<Address, &'static str> {
    match path {
        "" => Err("the path is empty"),
        path => Ok(Address::Unix(path.into())),
    }
}

fn tcp(text: &str) -> Result<Address, &'static str> {
    if text.parse::<u16>().is_ok() {
        return Err("the host is missing; write tcp:HOST:PORT");
    }
    let (host, port) = text
        .rsplit_once(':')
        .ok_or("the port is missing; write tcp:HOST:PORT")?;
    if host.is_empty() {
        return Err("the host is missing; write tcp:HOST:PORT");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address stands in brackets: tcp:[::1]:1234");
    }
    if host.contains(|c: char| c == '/' || c.is_whitespace()) {
        return Err("the host holds a character that is in no host's name");
    }
    tcp_port(port)?;
    Ok(Address::Tcp(text.to_owned()))
}

fn tcp_port(text: &str) -> Result<u16, &'static str> {
    match number(text) {
        None | Some(0) => Err("the port is not a number from 1 to 65535"),
        Some(port) => Ok(port),
    }
}

fn serial(path: &str) -> Result<Address, Reason> {
    match path {
        "" => Err("the device is missing; write serial:/dev/DEVICE".into()),
        path if path.starts_with('/') => Ok(Address::Serial(path.into())),
        path => Err(
            format!("the path of a device begins with a slash; write serial:/dev/{path}").into(),
        ),
    }
}

fn vsock(text: &str) -> Result<Address, &'static str> {
    if text.starts_with('/') {
        return Err("write vsock:CID:PORT, without slashes");
    }
    let (cid, port) = text
        .split_once(':')
        .ok_or("the port is missing; write vsock:CID:PORT")?;
    let cid = vsock_number(cid).ok_or("the CID is not a number from 0 to 4294967294")?;
    let port = vsock_number(port).ok_or(VSOCK_PORT)?;
    Ok(Address::Vsock { cid, port })
}

fn vsock_proxy(text: &str) -> Result<Address, &'static str> {
    let (path, port) = text
        .rsplit_once(':')
        .ok_or("the port is missing; write vsock-proxy:PATH:PORT")?;
    if path.is_empty() {
        return Err("the path of the proxy's socket is missing; write vsock-proxy:PATH:PORT");
    }
    Ok(Address::VsockProxy {
        path: path.into(),
        port: vsock_number(port).ok_or(VSOCK_PORT)?,
    })
}

const VSOCK_PORT: &str = "the port is not a number from 0 to 4294967294";

/// A CID or a port of vsock, of which the largest means any.
fn vsock_number(text: &str) -> Option<u32> {
    number(text).filter(|number| *number != u32::MAX)
}

fn exec(text: &str) -> Result<Address, &'static str> {
    let words =
        shlex::split(text).ok_or("a quote is not closed, or nothing follows the last backslash")?;
    match words.first().map(String::as_str) {
        None | Some("") => Err("the program is missing; write exec:PROGRAM ARGUMENTS"),
        Some(_) => Ok(Address::Exec(words)),
    }
}

fn ssh(text: &str) -> Result<Address, Reason> {
    let form = "write ssh://USER@HOST:PORT/PATH";
    let text = text
        .strip_prefix("//")
        .ok_or_else(|| format!("the slashes are missing; {form}"))?;
    let (login, rest) = text
        .find('/')
        .map(|slash| text.split_at(slash))
        .ok_or_else(|| format!("the path of the socket on that host is missing; {form}"))?;
    let (user, host) = match login.rsplit_once('@') {
        Some((user, host)) => (Some(user.to_owned()), host),
        None => (None, login),
    };
    let (host, port) = host_and_port(host)?;
    if let Some(problem) = login_problem(user.as_deref(), host) {
        return Err(problem.into());
    }
    let address = SshAddress {
        user,
        host: host.to_owned(),
        port,
        target: ssh_target(rest)?,
    };
    Ok(address.into())
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, port) = text.split_once(']').ok_or("the bracket is not closed")?;
            match port.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if port.is_empty() => (host, None),
                None => return Err("after the bracket comes a colon and the port, or nothing"),
            }
        }
        None => match text.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets: ssh://[::1]:22/PATH");
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    Ok((host, port.map(tcp_port).transpose()?))
}

/// What is said of a user with a password, which must not be quoted.
pub(super) const PASSWORD: &str =
    "ssh takes no password from an address; give it a key, or an agent that has one";

/// Why OpenSSH would not be given such a user and host: it would take one that begins with `-` for an option.
pub(crate) fn login_problem(user: Option<&str>, host: &str) -> Option<&'static str> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "@/'\"`\\$;&<>|(){}*?#!".contains(c);
    if host.is_empty() {
        Some("the host is missing")
    } else if host.starts_with('-') {
        Some("the host begins with `-`, so that ssh would take it for an option")
    } else if host.contains(odd) {
        Some("the host holds a character that is in no host's name")
    } else if user.is_some_and(str::is_empty) {
        Some("the user is missing before the `@`")
    } else if user.is_some_and(|user| user.starts_with('-')) {
        Some("the user begins with `-`, so that ssh would take it for an option")
    } else if user.is_some_and(|user| user.contains(':')) {
        Some(PASSWORD)
    } else if user.is_some_and(|user| user.contains(odd)) {
        Some("the user holds a character that is in no user's name")
    } else {
        None
    }
}

/// What to reach on another host; the text begins with a slash.
fn ssh_target(text: &str) -> Result<Address, Reason> {
    let inner = text.trim_start_matches('/');
    match inner.split_once(':') {
        _ if inner.is_empty() => Err("the path of the socket on that host is empty".into()),
        Some(("vsock", rest)) => Ok(vsock(rest)?),
        Some(("unix", path)) if path.starts_with('/') => {
            Err(format!("write the path alone, as in ssh://HOST{path}").into())
        }
        _ => Ok(Address::Unix(text.into())),
    }
}

/// What to write in place of a text whose first colon is not that of a scheme.
const FORMS: &str = "it begins with no scheme; write tcp:HOST:PORT for a host and a port, unix:PATH for a path with \
                     a colon";

/// What to write in place of a text that has no scheme, if it has a host and a port.
pub(crate) fn no_scheme(text: &str) -> Option<Reason> {
    let is_tcp = tcp(text).is_ok();
    is_tcp.then(|| format!("the scheme is missing; write tcp:{text}").into())
}

/// An address of a scheme that is not ours, unless it looks like something else.
fn other(text: &str, scheme: &str, rest: &str) -> Result<Address, Reason> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("the scheme and the port are missing; write tcp:[{text}]:PORT").into());
    }
    let plain = scheme.trim().to_ascii_lowercase();
    if SCHEMES.contains(&plain.as_str()) {
        return Err(format!("the scheme is in small letters; write {plain}:{rest}").into());
    }
    if scheme_problem(scheme).is_some() {
        return Err(no_scheme(text).unwrap_or_else(|| FORMS.into()));
    }
    Ok(Address::Other {
        scheme: scheme.to_owned(),
        rest: rest.to_owned(),
    })
}

fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
