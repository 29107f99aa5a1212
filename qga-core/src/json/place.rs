//! The place in JSON that does not fit a type.

/// One level up from what does not fit.
pub(super) enum Step {
    /// Out of a list, counted from zero.
    Element(usize),
    /// Out of an object, with the place of the quote before the name.
    Member(usize),
}

/// A place in JSON, as somebody writes it who reads it, and what stands there.
pub(crate) struct Place<'a> {
    /// Such as `[3].ip-addresses[0].prefix`; `.` is the whole.
    pub(crate) path: String,
    /// What stands there.
    pub(crate) piece: &'a str,
}
