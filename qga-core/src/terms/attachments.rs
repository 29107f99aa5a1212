//! What other crates keep with a channel: one value of each type.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Default)]
pub(crate) struct Attachments(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Attachments {
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        // Nothing of a caller's runs under the lock but `default`, which leaves the map as it was.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this_type = kept.get(&TypeId::of::<T>()).cloned();
        if let Some(Ok(value)) = of_this_type.map(Arc::downcast) {
            return value;
        }
        let value = Arc::<T>::default();
        kept.insert(TypeId::of::<T>(), Arc::clone(&value) as _);
        value
    }
}
