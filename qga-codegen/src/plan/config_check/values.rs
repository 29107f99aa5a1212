//! Whether what the data file says about an entry can be.

use toml::Spanned;

use super::{ConfigCheck, version};
use crate::config::CommandEntry;
use crate::names::is_identifier;
use crate::schema::Command;

impl ConfigCheck<'_> {
    pub(super) fn oldest(&mut self) {
        let oldest = self.config.data.schema.oldest.as_ref();
        if let Some(oldest) = oldest.filter(|oldest| version::parse(oldest.get_ref()).is_none()) {
            let message = format!("`{}` is no version, such as 9.1", oldest.get_ref());
            self.report(oldest, message);
        }
    }

    /// The types that the generated code is made with.
    pub(super) fn roots(&mut self) {
        let data = &self.config.data;
        let paths = [
            ("schema.protocol", data.schema.protocol.as_deref()),
            ("paths.raw_event", data.paths.raw_event.as_deref()),
            ("paths.out_of_band", data.paths.out_of_band.as_deref()),
        ];
        for (key, path) in paths {
            if let Some(path) = path.filter(|path| !is_path(path)) {
                let message = format!("`{key}` is `{path}`, which is no plain path to a type");
                self.problems.push(self.config.problem_at_start(message));
            }
        }
    }

    pub(super) fn since(&mut self, key: &Spanned<String>, since: &str) {
        if version::parse(since).is_none() {
            let message = format!(
                "the `since` of `{}` is no version, such as 9.1",
                key.get_ref()
            );
            self.report(key, message);
        }
    }

    pub(super) fn doc(&mut self, key: &Spanned<String>, doc: &str) {
        let doc = doc.trim();
        if !doc.ends_with('.') || !doc.starts_with(|first: char| !first.is_ascii_lowercase()) {
            let message = format!(
                "the `doc` of `{}` is no sentence, with a capital letter first and a full stop last",
                key.get_ref()
            );
            self.report(key, message);
        }
    }

    pub(super) fn returns(
        &mut self,
        key: &Spanned<String>,
        command: &Command,
        entry: &CommandEntry,
    ) {
        self.path(key, entry.returns.as_deref());
        if entry.returns.is_some() && command.returns.is_none() {
            let message = format!("`{}` returns nothing, so `returns` is stale", command.name);
            self.report(key, message);
        }
    }

    /// Generics and the like are for an alias by hand: the path is imported, its end is the name.
    pub(super) fn path(&mut self, key: &Spanned<String>, path: Option<&str>) {
        if let Some(path) = path.filter(|path| !is_path(path)) {
            self.report(key, format!("`{path}` is no plain path to a type"));
        }
    }
}

/// Names joined with `::`, the first ones perhaps `crate` or `super`.
fn is_path(path: &str) -> bool {
    let mut segments = path.split("::").peekable();
    if segments
        .next_if(|first| ["crate", "self"].contains(first))
        .is_none()
    {
        while segments.next_if_eq(&"super").is_some() {}
    }
    segments.peek().is_some() && segments.all(is_identifier)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_names_with_colons_between_them() {
        for path in ["u16", "crate::Id", "super::super::Id", "std::net::IpAddr"] {
            assert!(is_path(path), "{path}");
        }
        for path in [
            "",
            "::a::B",
            "a::",
            "Vec<u8>",
            "a:B",
            "&str",
            "crate",
            "a::crate::B",
            "a b",
        ] {
            assert!(!is_path(path), "{path}");
        }
    }
}
