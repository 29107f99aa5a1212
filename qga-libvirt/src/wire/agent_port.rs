//! What a domain's XML says of the port of its guest agent, and of others of its kind.

/// The name of the port that libvirt uses itself.
pub(crate) const AGENT: &str = "org.qemu.guest_agent.0";

/// The elements around the one that names a port.
const PLACE: [&str; 3] = ["domain", "devices", "channel"];

/// The deepest nesting that is followed.
const DEEPEST: usize = 64;

/// The port of a domain's agent, or another one by which host and guest speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentPort {
    /// The domain has none.
    Missing,
    /// The guest has it open, as far as the daemon knows.
    Open,
    /// The guest does not have it open, or the domain is off.
    Closed,
}

impl AgentPort {
    /// Looks for that of libvirt's agent in a domain's XML.
    pub(crate) fn of(xml: &str) -> Self {
        Self::named(xml, AGENT)
    }

    /// Looks for the one of this name in a domain's XML.
    pub(crate) fn named(xml: &str, name: &str) -> Self {
        let wanted = escaped(name);
        let mut open: Vec<&str> = Vec::new();
        for tag in Tags(xml) {
            let (element, rest) = tag.split_at(name_end(tag));
            if tag.starts_with('/') {
                open.pop();
                continue;
            }
            let is_place = element == "target" && open == PLACE;
            if is_place && attribute(rest, "name") == Some(wanted.as_str()) {
                return match attribute(rest, "state") {
                    Some("connected") => Self::Open,
                    _ => Self::Closed,
                };
            }
            if !tag.ends_with('/') {
                if open.len() == DEEPEST {
                    break;
                }
                open.push(element);
            }
        }
        Self::Missing
    }
}

/// A text as libvirt writes it into an attribute.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let text = text.replace('>', "&gt;").replace('"', "&quot;");
    text.replace('\'', "&apos;")
}

fn name_end(tag: &str) -> usize {
    let end = tag.find(|c: char| c.is_ascii_whitespace() || c == '/');
    end.unwrap_or(tag.len())
}

/// The tags of an XML document, without their angle brackets. Comments and the like are passed over.
struct Tags<'a>(&'a str);

impl<'a> Iterator for Tags<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            let (_, tag) = self.0.split_once('<')?;
            let passed_over = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")];
            if let Some((start, end)) = passed_over.iter().find(|(start, _)| tag.starts_with(start))
            {
                let (_, rest) = tag.get(start.len()..)?.split_once(end)?;
                self.0 = rest;
                continue;
            }
            let end = tag_end(tag)?;
            self.0 = tag.get(end + 1..)?;
            return tag.get(..end);
        }
    }
}

/// Where the bracket is that ends a tag; brackets in quotes do not.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.bytes().position(|byte| match (quote, byte) {
        (None, b'>') => true,
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), byte) if open == byte => {
            quote = None;
            false
        }
        _ => false,
    })
}

/// The value of an attribute, as it is written.
fn attribute<'a>(mut rest: &'a str, wanted: &str) -> Option<&'a str> {
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_ascii_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, next) = after.get(1..)?.split_once(quote)?;
        if name.trim_ascii() == wanted {
            return Some(value);
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(devices: &str) -> String {
        format!(
            "<domain type='qemu' id='1'>\n<name>vm1</name><devices>{devices}</devices></domain>"
        )
    }

    fn channel(target: &str) -> String {
        format!("<channel type='unix'><source mode='bind' path='/x'/><target {target}/></channel>")
    }

    #[test]
    fn the_state_of_the_agents_port_is_found() {
        for (target, port) in [
            (
                "type='virtio' name='org.qemu.guest_agent.0' state='connected'",
                AgentPort::Open,
            ),
            (
                "type=\"virtio\" name=\"org.qemu.guest_agent.0\" state=\"connected\"",
                AgentPort::Open,
            ),
            (
                "type='virtio' name='org.qemu.guest_agent.0' state='disconnected'",
                AgentPort::Closed,
            ),
            (
                "type='virtio' name='org.qemu.guest_agent.0'",
                AgentPort::Closed,
            ),
            (
                "type='virtio' name='org.qemu.guest_agent.1' state='connected'",
                AgentPort::Missing,
            ),
        ] {
            let other = channel("type='virtio' name='com.redhat.spice.0' state='connected'");
            let xml = domain(&(other + &channel(target)));
            assert_eq!(AgentPort::of(&xml), port, "{target}");
        }
    }

    #[test]
    fn another_port_is_found_by_its_name() {
        let xml = domain(&(channel("name='org.qemu.guest_agent.0'") + &channel("name='a&amp;b'")));
        assert_eq!(AgentPort::named(&xml, "a&b"), AgentPort::Closed);
        for name in ["a&amp;b", "a", "", "channel0"] {
            assert_eq!(AgentPort::named(&xml, name), AgentPort::Missing, "{name}");
        }
    }

    #[test]
    fn what_only_looks_like_the_port_is_not_it() {
        let port = channel("name='org.qemu.guest_agent.0' state='connected'");
        for elsewhere in [
            domain(&format!("<!-- {port} -->")),
            domain(&format!("<![CDATA[{port}]]>")),
            domain(&format!("<a text='{}'/>", port.replace('\'', "\""))),
            domain(&format!("<hostdev>{port}</hostdev>")),
            format!("<domain><metadata>{port}</metadata></domain>"),
            port,
        ] {
            assert_eq!(AgentPort::of(&elsewhere), AgentPort::Missing, "{elsewhere}");
        }
    }

    #[test]
    fn xml_that_is_torn_anywhere_is_read_without_a_panic() {
        let xml = domain(&channel(
            "name='org.qemu.guest_agent.0' é='ü' state='connected'",
        ));
        let ends = (0..xml.len()).filter(|end| xml.is_char_boundary(*end));
        for end in ends {
            let _ = AgentPort::of(&xml[..end]);
        }
        assert_eq!(AgentPort::of(&"<a>".repeat(1000)), AgentPort::Missing);
        assert_eq!(AgentPort::of(&"</a>".repeat(1000)), AgentPort::Missing);
    }
}
