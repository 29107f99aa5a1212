//! What documentation says of versions and platforms.

use super::planner::Planner;
use crate::config::PartEntry;
use crate::schema::Condition;

impl Planner<'_> {
    /// The documentation of a part; `around` is the condition on what it is a part of.
    pub(super) fn part_doc(
        &self,
        part: &PartEntry,
        condition: Option<&Condition>,
        around: Option<&Condition>,
    ) -> String {
        let mut doc = part.doc.trim().to_owned();
        if let Some(since) = &part.since {
            let since = self.since(since);
            doc = format!("{doc} Since {since}.");
        }
        if condition.is_some() {
            let there = self.platform_names(condition);
            if there != self.platform_names(around) {
                doc = format!("{doc} Only on {}.", listed(&there).unwrap_or_default());
            }
        }
        doc
    }

    /// `QEMU 9.1`.
    pub(super) fn since(&self, version: &str) -> String {
        format!("{} {version}", self.config.data.schema.product)
    }

    /// `, on Linux and Windows`.
    pub(super) fn on(&self, condition: Option<&Condition>) -> String {
        let names = self.platform_names(condition);
        listed(&names).map_or_else(String::new, |names| format!(", on {names}"))
    }

    fn platform_names(&self, condition: Option<&Condition>) -> Vec<&str> {
        let platforms = self.platforms_of(condition);
        platforms.map(|platform| platform.name.as_str()).collect()
    }
}

/// `A, B and C`; `None` if there is nothing.
fn listed(names: &[&str]) -> Option<String> {
    Some(match names.split_last()? {
        (only, []) => (*only).to_owned(),
        (last, rest) => format!("{} and {last}", rest.join(", ")),
    })
}
