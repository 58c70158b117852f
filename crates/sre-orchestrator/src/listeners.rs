//! In-process callbacks after failures.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use sre_core::{OrderResult, OrderStatus};

type Listener = Arc<dyn Fn(&OrderResult) + Send + Sync>;

/// Functions to call with every result that is not `completed`.
#[derive(Default)]
pub(crate) struct FailureListeners(RwLock<Vec<Listener>>);

impl FailureListeners {
    pub(crate) fn register(&self, listener: Listener) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    pub(crate) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Calls every listener; one that panics is logged and the others are called all the same.
    pub(crate) fn notify(&self, result: &OrderResult) {
        if result.status == OrderStatus::Completed {
            return;
        }
        let listeners = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        for listener in listeners {
            if catch_unwind(AssertUnwindSafe(|| listener(result))).is_err() {
                tracing::error!("a failure callback panicked");
            }
        }
    }
}
