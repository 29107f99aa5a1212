//! What stands in the place of a value that must not be shown.

use std::fmt;

/// Stands in `Debug` for a value that must not be shown, and tells at most how long it is.
///
/// The derive of [`QgaCommand`](crate::QgaCommand) writes no `Debug`, and the one of the standard
/// library shows everything. A command that carries what does not belong into a log has one by hand:
///
/// ```
/// use std::fmt;
///
/// use qga_core::{Hidden, QgaCommand};
///
/// #[derive(QgaCommand)]
/// #[qga(name = "acme-store-key")]
/// struct StoreKey {
///     slot: u8,
///     key: Vec<u8>,
///     notes: Option<Vec<String>>,
/// }
///
/// impl fmt::Debug for StoreKey {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.debug_struct("StoreKey")
///             .field("slot", &self.slot)
///             .field("key", &Hidden::bytes(&self.key))
///             .field("notes", &self.notes.as_deref().map(Hidden::items))
///             .finish()
///     }
/// }
///
/// let store = StoreKey { slot: 7, key: vec![1, 2, 3], notes: Some(vec!["spare".to_owned()]) };
/// assert_eq!(
///     format!("{store:?}"),
///     "StoreKey { slot: 7, key: <3 bytes>, notes: Some(<1 item>) }",
/// );
/// ```
#[derive(Clone, Copy)]
pub struct Hidden(Option<(usize, &'static str)>);

impl Hidden {
    /// Any value. Not even its length is told.
    pub const VALUE: Self = Self(None);

    /// Bytes or text, of which the number of bytes is told.
    pub fn bytes(value: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        Self(Some((value.as_ref().len(), "byte")))
    }

    /// A list, of which the number of items is told.
    #[must_use]
    pub const fn items<T>(list: &[T]) -> Self {
        Self(Some((list.len(), "item")))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("<hidden>"),
            Some((1, what)) => write!(f, "<1 {what}>"),
            Some((count, what)) => write!(f, "<{count} {what}s>"),
        }
    }
}
