use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use crate::Request;
use crate::lock::lock;
use crate::wire::reply::Failure;

/// What is wrong with a test itself.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<Vec<String>>);

/// How many complaints are kept at most; the first ones matter most.
const LIMIT: usize = 20;

impl Complaints {
    pub(crate) fn all(&self) -> Vec<String> {
        lock(&self.0).clone()
    }

    pub(crate) fn forget(&self) {
        lock(&self.0).clear();
    }

    /// Runs code that may call closures of the test. If one of them panics, the command fails and so does the test.
    pub(crate) fn guard<T>(
        &self,
        request: &Request,
        run: impl FnOnce() -> T,
    ) -> Result<T, Failure> {
        catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            let text = text.unwrap_or_else(|| "for a reason that is no text".into());
            self.add(format!("{request}: a closure of the test panicked: {text}"));
            Failure::generic(format!("a closure of the test panicked: {text}"))
        })
    }

    fn add(&self, complaint: String) {
        let mut complaints = lock(&self.0);
        if complaints.len() < LIMIT {
            complaints.push(complaint);
        }
    }
}
