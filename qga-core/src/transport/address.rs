//! Where an agent listens.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::error::AddressError;

/// Where an agent listens: a Unix socket or a TCP port.
///
/// As text it is `unix:PATH`, `tcp:HOST:PORT`, or a bare path without a colon before its first slash. A
/// [`Path`] and a [`SocketAddr`] are one too, and with serde it is a string.
///
/// ```
/// use qga_core::Address;
///
/// let address: Address = "/run/vm1/qga.sock".parse()?;
/// assert_eq!(address.to_string(), "unix:/run/vm1/qga.sock");
/// let error = "localhost:1234".parse::<Address>().unwrap_err();
/// assert!(error.to_string().ends_with("write tcp:localhost:1234"));
/// # Ok::<(), qga_core::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// The path of a Unix socket.
    Unix(PathBuf),
    /// A host and a port, as in `localhost:1234` or `[::1]:1234`.
    Tcp(String),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        parse(text).map_err(|reason| AddressError::new(text, reason))
    }
}

fn parse(text: &str) -> Result<Address, Cow<'static, str>> {
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
        path if path.contains('/') => unix(text).map_err(Cow::from),
        _ => Err(no_scheme(text, scheme, rest)),
    }
}

fn unix(path: &str) -> Result<Address, &'static str> {
    match path {
        "" => Err("the path is empty"),
        path if path.contains('\0') => Err("the path holds a NUL character"),
        path if path.contains(char::is_control) => Err(
            "the path holds a line break or another control character; if it is meant, pass a `Path`",
        ),
        path => Ok(Address::Unix(path.into())),
    }
}

fn tcp(text: &str) -> Result<Address, &'static str> {
    if text.parse::<u16>().is_ok() {
        return Err("the host is missing; write tcp:HOST:PORT");
    }
    let (host, port) = text.rsplit_once(':').ok_or("the port is missing")?;
    if host.is_empty() {
        return Err("the host is missing; write tcp:HOST:PORT");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err("an IPv6 address stands in brackets: tcp:[::1]:1234");
    }
    if host.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) {
        return Err("the host holds a character that is in no host's name");
    }
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err("the port is not a number from 1 to 65535"),
        Ok(_) => Ok(Address::Tcp(text.to_owned())),
    }
}

/// What to write in place of a text that begins with neither scheme.
fn no_scheme(text: &str, scheme: &str, rest: &str) -> Cow<'static, str> {
    let plain = scheme.trim().to_ascii_lowercase();
    if tcp(text).is_ok() {
        return format!("the scheme is missing; write tcp:{text}").into();
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return format!("the scheme and the port are missing; write tcp:[{text}]:PORT").into();
    }
    if let Some(known) = ["unix", "tcp"].into_iter().find(|known| plain == *known) {
        return format!("the scheme is in small letters; write {known}:{rest}").into();
    }
    if let Some(known) = ["unix", "tcp"].into_iter().find(|k| is_slip(&plain, k)) {
        return format!("there is no scheme `{scheme}`; did you mean {known}:{rest}?").into();
    }
    "the scheme is neither `unix` nor `tcp`; write tcp:HOST:PORT for a host and a port, \
     unix:PATH for a path with a colon"
        .into()
}

/// Whether one letter too many, too few, wrong, or in the place of its neighbour parts the two.
fn is_slip(written: &str, word: &str) -> bool {
    let (mut written, mut word) = (written.as_bytes(), word.as_bytes());
    while let ([a, more @ ..], [b, rest @ ..]) = (written, word)
        && a == b
    {
        (written, word) = (more, rest);
    }
    while let ([more @ .., a], [rest @ .., b]) = (written, word)
        && a == b
    {
        (written, word) = (more, rest);
    }
    match (written, word) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = AddressError;

    fn try_from(text: &String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Unix(path.to_owned())
    }
}

impl From<&PathBuf> for Address {
    fn from(path: &PathBuf) -> Self {
        Self::Unix(path.clone())
    }
}

impl From<&Self> for Address {
    fn from(address: &Self) -> Self {
        address.clone()
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address.to_string())
    }
}

/// What would not be read as the same address cannot be written, such as a path that is not UTF-8 or holds a
/// line break.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_string();
        match text.parse::<Self>() {
            Ok(read) if read == *self => serializer.serialize_str(&text),
            Ok(_) => Err(ser::Error::custom("the path of the socket is not UTF-8")),
            Err(error) => Err(ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(host_and_port) => write!(f, "tcp:{host_and_port}"),
        }
    }
}

#[cfg(test)]
mod tests {
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
        let error = serde_json::from_str::<Address>("\"localhost:80\"").unwrap_err();
        assert!(
            error.to_string().contains("write tcp:localhost:80"),
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
    fn each_mistake_in_an_address_has_its_own_message() {
        let cases = [
            ("", "the path is empty"),
            ("unix:", "the path is empty"),
            ("a\0b", "NUL"),
            ("/run/qga.sock\n", "a line break"),
            ("vsock:3:1024", "neither `unix` nor `tcp`"),
            ("http://localhost:80", "neither `unix` nor `tcp`"),
            ("a.sock:b", "unix:PATH"),
            ("tcp:localhost", "the port is missing"),
            ("tcp::1234", "the host is missing"),
            ("tcp:1234", "the host is missing"),
            ("tcp:localhost:0", "1 to 65535"),
            ("tcp:localhost:65536", "1 to 65535"),
            ("tcp:localhost:http", "1 to 65535"),
            ("tcp:::1:1234", "brackets"),
            ("tcp:local host:80", "the host holds a character"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_address_that_is_nearly_right_is_answered_with_the_right_one() {
        let cases = [
            ("localhost:80", "tcp:localhost:80"),
            ("192.168.0.1:80", "tcp:192.168.0.1:80"),
            ("vm1.example.org:1234", "tcp:vm1.example.org:1234"),
            ("[::1]:80", "tcp:[::1]:80"),
            ("::1", "tcp:[::1]:PORT"),
            ("192.168.0.1", "tcp:192.168.0.1:PORT"),
            ("localhost:", "tcp:HOST:PORT"),
            ("localhost:99999", "tcp:HOST:PORT"),
            ("localhost:http", "tcp:HOST:PORT"),
            (":80", "tcp:HOST:PORT"),
            ("tcp://localhost:80", "tcp:localhost:80"),
            ("TCP:localhost:80", "tcp:localhost:80"),
            ("Unix:/run/qga.sock", "unix:/run/qga.sock"),
            (" unix:/run/qga.sock", "unix:/run/qga.sock"),
            ("unx:/run/qga.sock", "unix:/run/qga.sock"),
            ("uinx:/run/qga.sock", "unix:/run/qga.sock"),
            ("unixx:/run/qga.sock", "unix:/run/qga.sock"),
            ("tpc:localhost:80", "tcp:localhost:80"),
            ("tcp4:localhost:80", "tcp:localhost:80"),
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
}
