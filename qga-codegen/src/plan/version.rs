//! Versions, which compare number by number.

/// `9.1` as numbers; `None` if it is no version.
pub(super) fn parse(text: &str) -> Option<Vec<u32>> {
    text.split('.').map(|number| number.parse().ok()).collect()
}
