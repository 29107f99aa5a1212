//! Ports of domains, beside that of libvirt's agent.

use std::io;

use super::{DomainKey, Endpoint, Host, wrong};
use crate::wire::agent_port::AGENT;

/// Names of ports are shorter than file names.
const LONGEST_PORT: usize = 255;

const FORMS: &str = "write libvirt-channel:NAME/PORT or libvirt-channel:///system/NAME/PORT, where PORT is a name \
                     such as org.qemu.guest_agent.1";

/// A port of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelTarget {
    pub(crate) daemon: Endpoint,
    pub(crate) domain: DomainKey,
    pub(crate) port: String,
    /// Whether it is taken away from who has it.
    pub(crate) is_forced: bool,
}

impl ChannelTarget {
    /// Reads what stands behind the colon of `libvirt-channel:`.
    pub(crate) fn read(rest: &str, host: &Host) -> io::Result<Self> {
        let (rest, is_forced) = without_force(rest);
        let (daemon, path) = match rest.strip_prefix("//") {
            None => (Endpoint::default_of(host)?, Some(&*rest)),
            Some(url) if url.starts_with('/') => Endpoint::read_url(url, host, FORMS)?,
            Some(_) => Endpoint::read_ssh_url(&rest)?,
        };
        let (domain, port) = path.and_then(|path| path.split_once('/')).ok_or_else(|| {
            let why = "the port's name is missing, and the first port may be libvirt's own";
            wrong(format!("{why}; {FORMS}"))
        })?;
        Ok(Self {
            daemon,
            domain: DomainKey::read(domain)?,
            port: read_port(port)?,
            is_forced,
        })
    }
}

fn read_port(port: &str) -> io::Result<String> {
    let is_odd = |c: char| matches!(c, '/' | '?') || c.is_control();
    match port {
        "" => Err(wrong(format!("the port's name is missing; {FORMS}"))),
        AGENT => Err(wrong(format!(
            "the port {AGENT} is libvirt's own, which would lose the agent if somebody else opened it; write \
             libvirt:NAME to reach that agent, or add a port to the domain for another one"
        ))),
        _ if port.len() > LONGEST_PORT => Err(wrong("the port's name is too long")),
        _ if port.contains(is_odd) => Err(wrong(format!(
            "the port's name {port:?} holds a slash, a question mark or a control character; {FORMS}"
        ))),
        port => Ok(port.to_owned()),
    }
}

/// The address without `force` among what stands behind its question mark, and whether it was there.
fn without_force(rest: &str) -> (String, bool) {
    let Some((path, query)) = rest.rsplit_once('?') else {
        return (rest.to_owned(), false);
    };
    let all = query.split('&');
    let others: Vec<_> = all.filter(|parameter| *parameter != "force").collect();
    let others = others.join("&");
    match (others.len() == query.len(), &*others) {
        (true, _) => (rest.to_owned(), false),
        (false, "") => (path.to_owned(), true),
        (false, others) => (format!("{path}?{others}"), true),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::target::{Instance, Location};

    fn try_read(rest: &str) -> io::Result<ChannelTarget> {
        let host = Host::of_test(0, &[], Path::new("/none"), None);
        ChannelTarget::read(rest, &host)
    }

    fn read(rest: &str) -> ChannelTarget {
        try_read(rest).unwrap()
    }

    #[test]
    fn an_address_names_a_domain_and_a_port() {
        for rest in [
            "vm1/org.example.0",
            "///system/vm1/org.example.0",
            "///system/vm1/org.example.0?socket=/none/libvirt-sock",
            "//hypervisor7/system/vm1/org.example.0",
        ] {
            let target = read(rest);
            assert_eq!(target.daemon.instance, Instance::System, "{rest}");
            assert_eq!(target.domain, DomainKey::Name("vm1".into()), "{rest}");
            assert_eq!(target.port, "org.example.0", "{rest}");
            let is_far = matches!(target.daemon.location, Location::Ssh(_));
            assert_eq!(is_far, rest.starts_with("//h"), "{rest}");
            assert!(!target.is_forced, "{rest}");
        }
        assert_eq!(read("a?b/p").domain, DomainKey::Name("a?b".into()));
    }

    #[test]
    fn force_is_asked_for_by_its_word_alone() {
        for rest in [
            "vm1/p?force",
            "///session/vm1/p?force",
            "//me@host:22/session/vm1/p?force",
        ] {
            assert!(read(rest).is_forced, "{rest}");
        }
        for rest in [
            "///system/vm1/p?force&socket=/s",
            "///system/vm1/p?socket=/s&force",
        ] {
            let target = read(rest);
            assert_eq!(target.daemon.location, Location::Here(PathBuf::from("/s")));
            assert_eq!((&*target.port, target.is_forced), ("p", true), "{rest}");
        }
        assert!(!read("force/force").is_forced);
        for rest in ["vm1/p?forced", "vm1/p?force=1", "vm1/p?socket=/s", "vm1/p?"] {
            assert!(try_read(rest).is_err(), "{rest}");
        }
    }

    #[test]
    fn the_port_of_libvirts_agent_and_a_missing_one_are_refused() {
        for (rest, right) in [
            ("vm1/org.qemu.guest_agent.0", "libvirt:NAME"),
            ("///system/vm1/org.qemu.guest_agent.0?force", "libvirt:NAME"),
            ("vm1", "libvirt-channel:NAME/PORT"),
            ("vm1/", "libvirt-channel:NAME/PORT"),
            ("///system/vm1", "the first port may be libvirt's own"),
            ("//host/system/vm1", "the first port may be libvirt's own"),
            ("/p", "the domain's name is missing"),
            ("vm1/a/b", "slash"),
            ("vm1/a\nb", "control character"),
            (&format!("vm1/{}", "x".repeat(256)), "too long"),
        ] {
            let error = try_read(rest).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{rest}");
            assert!(error.to_string().contains(right), "{rest}: {error}");
        }
    }
}
