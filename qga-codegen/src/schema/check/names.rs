//! Names: well formed, and there once.

use std::collections::HashSet;

use super::Check;
use crate::problem::Name;
use crate::schema::builtin;

impl Check<'_> {
    pub(super) fn names(&mut self) {
        let schema = self.schema;
        let types: Vec<_> = schema.types.iter().map(|ty| &ty.name).collect();
        let commands: Vec<_> = schema
            .commands
            .iter()
            .map(|command| &command.name)
            .collect();
        let events: Vec<_> = schema.events.iter().map(|event| &event.name).collect();
        for (names, what) in [(types, "type"), (commands, "command"), (events, "event")] {
            for name in &names {
                self.name(name, what);
            }
            self.unique(names.into_iter(), what);
        }
    }

    fn name(&mut self, name: &Name, what: &str) {
        if !is_name(&name.text) {
            self.report(name, format!("`{name}` is no valid {what} name"));
        } else if what == "type" && builtin(&name.text).is_some() {
            self.report(name, format!("`{name}` is a type of the language itself"));
        }
    }

    pub(super) fn member_name(&mut self, name: &Name) {
        if !is_name(&name.text) {
            self.report(name, format!("`{name}` is no valid member name"));
        }
    }

    /// Reports each name that was there before.
    pub(super) fn unique<'n>(&mut self, names: impl Iterator<Item = &'n Name>, what: &str) {
        let mut seen = HashSet::new();
        for name in names {
            if !seen.insert(name.text.as_str()) {
                self.report(name, format!("the {what} `{name}` is there twice"));
            }
        }
    }
}

/// Letters, digits, `-` and `_` after a letter, perhaps with `__domain_` in front, as a vendor
/// writes it.
fn is_name(text: &str) -> bool {
    let own = match text.strip_prefix("__") {
        Some(vendor) => match vendor.split_once('_') {
            Some((domain, own)) if is_domain(domain) => own,
            _ => return false,
        },
        None => text,
    };
    own.starts_with(|first: char| first.is_ascii_alphabetic())
        && own
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}
