//! What may be shown of a guest's words, and of what must not be shown.

mod excerpt;
mod hidden;

pub use excerpt::Excerpt;
pub(crate) use excerpt::shortened;
pub use hidden::Hidden;
