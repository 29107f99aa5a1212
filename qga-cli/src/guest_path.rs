//! Words that may name a file of a guest.

use crate::connect::is_scheme;

/// What a word of `qga cp` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard input or standard output.
    Standard,
    /// A path of this host.
    Host(String),
    /// A path of a guest.
    Guest { address: String, path: String },
}

impl Place {
    /// A word is a guest's path if it has a name or an address before its last `:/`. What begins with `.` or `/` is of
    /// this host. `vm1:C:/x` is the path `C:/x`.
    pub(crate) fn of(word: &str) -> Self {
        if word == "-" {
            return Self::Standard;
        }
        Self::of_guest(word).unwrap_or_else(|| Self::Host(word.to_owned()))
    }

    fn of_guest(word: &str) -> Option<Self> {
        if word.starts_with(['.', '/']) {
            return None;
        }
        let (before, path) = word.rsplit_once(":/")?;
        let (address, path) = match before.rsplit_once(':') {
            Some((address, drive)) if is_drive(drive) => (address, format!("{drive}:/{path}")),
            _ => (before, format!("/{path}")),
        };
        let is_address = !address.is_empty() && !is_scheme(address);
        is_address.then(|| Self::Guest {
            address: address.to_owned(),
            path,
        })
    }
}

fn is_drive(word: &str) -> bool {
    word.len() == 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_a_file_of_a_guest_if_something_stands_before_its_last_colon_and_slash() {
        for (word, address, path) in [
            ("web1:/etc/hosts", "web1", "/etc/hosts"),
            (
                "unix:/run/vm.sock:/etc/hosts",
                "unix:/run/vm.sock",
                "/etc/hosts",
            ),
            (
                "ssh://hv1/run/vm.sock:/a:b",
                "ssh://hv1/run/vm.sock",
                "/a:b",
            ),
            ("libvirt:vm1:/", "libvirt:vm1", "/"),
            ("fake:/etc/motd", "fake", "/etc/motd"),
            ("win:C:/Users", "win", "C:/Users"),
            ("tcp:host:123:/x", "tcp:host:123", "/x"),
        ] {
            let place = Place::Guest {
                address: address.to_owned(),
                path: path.to_owned(),
            };
            assert_eq!(Place::of(word), place, "{word}");
        }
        for word in [
            "file",
            "./web1:/etc",
            "/a:/b",
            "unix:/run/vm.sock",
            "ssh://hv/run/x.sock",
            "serial:/dev/pts/3",
            "vsock-proxy:/run/v.sock:1024",
            "libvirt:///system/vm1",
            "libvirt+ssh://hv/system/vm1",
            "libvirt-channel:///system/vm1",
            ":/x",
            "a:b",
        ] {
            assert_eq!(Place::of(word), Place::Host(word.to_owned()));
        }
        assert_eq!(Place::of("-"), Place::Standard);
    }
}
