//! The value of one of QEMU's options: `socket,id=qga0,path=/run/qga.sock` or JSON.

use serde_json::{Map, Value};

/// How many keys are kept, and how long they may be. QEMU knows no longer one.
const KEYS: usize = 1000;
const KEY: usize = 100;

/// Keys and their values, in order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Options(Vec<(Vec<u8>, Vec<u8>)>);

impl Options {
    /// Reads an option's value. What begins without a key belongs to `first`.
    pub(super) fn parse(text: &[u8], first: &str) -> Self {
        let mut options = Self::default();
        if text.first() == Some(&b'{') {
            if let Ok(Value::Object(members)) = serde_json::from_slice(text) {
                options.members("", &members);
            }
        } else {
            options.split(text, first);
        }
        options
    }

    fn split(&mut self, text: &[u8], first: &str) {
        let mut rest = text;
        let mut is_first = true;
        while !rest.is_empty() && self.0.len() < KEYS {
            let (part, left) = until_comma(rest);
            rest = left;
            match part.iter().position(|byte| *byte == b'=') {
                Some(at) => {
                    let (key, value) = part.split_at_checked(at).unwrap_or_default();
                    self.push(key, value.get(1..).unwrap_or_default());
                }
                None if is_first => self.push(first.as_bytes(), &part),
                // Such as `server`, which is short for `server=on`.
                None => self.push(&part, b"on"),
            }
            is_first = false;
        }
    }

    /// JSON's members under their own name and that of the object that they are in, such as `addr.type`.
    fn members(&mut self, parent: &str, members: &Map<String, Value>) {
        for (key, value) in members {
            if self.0.len() >= KEYS || parent.len() + key.len() > KEY {
                continue;
            }
            let number;
            let text = match value {
                Value::Object(members) => {
                    self.members(key, members);
                    continue;
                }
                Value::String(text) => text.as_str(),
                Value::Bool(true) => "on",
                Value::Bool(false) => "off",
                Value::Number(value) => {
                    number = value.to_string();
                    &number
                }
                Value::Array(_) | Value::Null => continue,
            };
            self.push(format!("{parent}.{key}").as_bytes(), text.as_bytes());
        }
    }

    fn push(&mut self, key: &[u8], value: &[u8]) {
        if key.len() <= KEY {
            self.0.push((key.to_vec(), value.to_vec()));
        }
    }

    /// The last value of a key, also where the key is one of several with dots between them, such as
    /// `backend.data.addr.data.path` for `path`.
    pub(super) fn get(&self, name: &str) -> Option<&[u8]> {
        let is_it = |key: &[u8]| match key.strip_suffix(name.as_bytes()) {
            Some(before) => before.is_empty() || before.ends_with(b"."),
            None => false,
        };
        let found = self.0.iter().rev().find(|(key, _)| is_it(key));
        found.map(|(_, value)| value.as_slice())
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        std::str::from_utf8(self.get(name)?).ok()?.parse().ok()
    }

    pub(super) fn is_on(&self, name: &str) -> Option<bool> {
        match self.get(name)? {
            b"on" | b"yes" | b"true" | b"y" => Some(true),
            _ => Some(false),
        }
    }

    /// Whether it is in the form of QMP, whose defaults are others.
    pub(super) fn is_structured(&self) -> bool {
        self.get("backend.type").is_some()
    }
}

/// What stands before the next comma, where two commas stand for one that ends nothing, and the rest behind it.
fn until_comma(text: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut part = Vec::new();
    let mut rest = text;
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte == b',' {
            match rest.split_first() {
                Some((b',', behind)) => rest = behind,
                _ => break,
            }
        }
        part.push(*byte);
    }
    (part, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> Options {
        Options::parse(text.as_bytes(), "backend")
    }

    #[test]
    fn keys_values_flags_and_escaped_commas_are_read() {
        let read = options("socket,id=a,path=/run/a,,b=c,server,wait=off,path=/run/d,,");
        assert_eq!(read.get("backend"), Some(&b"socket"[..]));
        assert_eq!(read.get("path"), Some(&b"/run/d,"[..]));
        assert_eq!(read.is_on("server"), Some(true));
        assert_eq!(read.is_on("wait"), Some(false));
        assert_eq!(read.is_on("reconnect"), None);
        let read = options("path=/run/a,,b=c");
        assert_eq!(read.get("path"), Some(&b"/run/a,b=c"[..]));
    }

    #[test]
    fn json_and_keys_with_dots_are_read_alike() {
        let json = r#"{"id": "a", "backend": {"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": "/run/a,b"}}, "server": true, "reconnect": 5}}}"#;
        let dotted = "id=a,backend.type=socket,backend.data.addr.type=unix,\
            backend.data.addr.data.path=/run/a,,b,backend.data.server=on,backend.data.reconnect=5";
        for read in [options(json), options(dotted)] {
            assert_eq!(read.get("backend.type"), Some(&b"socket"[..]));
            assert_eq!(read.get("addr.type"), Some(&b"unix"[..]));
            assert_eq!(read.get("path"), Some(&b"/run/a,b"[..]));
            assert_eq!(read.is_on("server"), Some(true));
            assert_eq!(read.number::<u32>("reconnect"), Some(5));
            assert!(read.is_structured());
        }
    }

    #[test]
    fn what_is_no_option_has_no_value() {
        for text in ["", ",", "{", "{}", "[]", "=", "=x", "{\"path\": [1]}"] {
            assert_eq!(options(text).get("path"), None, "{text}");
        }
        let deep = "{\"path\":".repeat(100_000);
        assert_eq!(options(&deep), Options::default());
        let many = "a=b,".repeat(100_000);
        assert_eq!(options(&many).0.len(), KEYS);
    }

    #[test]
    fn any_value_is_read_back_once_its_commas_are_doubled() {
        for value in ["", "a", ",", ",,", "a,b", "=", ",=,", "\u{e9},"] {
            let text = format!("socket,path={},id=x", value.replace(',', ",,"));
            let read = options(&text);
            assert_eq!(read.get("path"), Some(value.as_bytes()), "{text}");
            assert_eq!(read.get("id"), Some(&b"x"[..]), "{text}");
        }
    }
}
