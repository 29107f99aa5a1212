//! What other crates keep with a channel: one value of each type.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex, PoisonError};

type Attachment = Arc<dyn Any + Send + Sync>;

/// They are few.
#[derive(Default)]
pub(crate) struct Attachments(Mutex<Vec<(TypeId, Attachment)>>);

impl Attachments {
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        // Nothing of a caller's runs under the lock but `default`, which leaves the list as it was.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this_type = kept.iter().find(|(of, _)| *of == TypeId::of::<T>());
        if let Some(Ok(value)) = of_this_type.map(|(_, value)| Arc::clone(value).downcast()) {
            return value;
        }
        let value = Arc::<T>::default();
        kept.push((TypeId::of::<T>(), Arc::clone(&value) as _));
        value
    }
}
