//! In-process callbacks at the end of orders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};

use sre_core::{OrderResult, OrderStatus};

type Listener = Arc<dyn Fn(&OrderResult) + Send + Sync>;

/// Functions to call with results: some with those that are `completed`, some with all others.
#[derive(Default)]
pub(crate) struct Listeners {
    success: Registered,
    failure: Registered,
}

/// Functions in the order of their registration.
#[derive(Default)]
pub(crate) struct Registered(RwLock<Vec<Listener>>);

impl Registered {
    pub(crate) fn register(&self, listener: Listener) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(listener);
    }

    pub(crate) fn clear(&self) {
        self.0
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Listeners {
    pub(crate) fn success(&self) -> &Registered {
        &self.success
    }

    pub(crate) fn failure(&self) -> &Registered {
        &self.failure
    }

    /// Calls every listener that waits for such a result; one that panics is logged and the others
    /// are called all the same.
    pub(crate) fn notify(&self, result: &OrderResult) {
        let (kind, registered) = match result.status {
            OrderStatus::Completed => ("success", &self.success),
            OrderStatus::Failed | OrderStatus::Timeout => ("failure", &self.failure),
        };
        let listeners = registered
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for listener in listeners {
            if catch_unwind(AssertUnwindSafe(|| listener(result))).is_err() {
                tracing::error!("a {kind} callback panicked");
            }
        }
    }
}
