//! The knobs of a pool of workers.

use std::collections::HashMap;
use std::time::Duration;

use sre_core::Backend;

/// How a pool of workers behaves.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Orders of each backend that are worked on at once. Most of their time they wait for the
    /// disk, so this is more than the sandbox has slots. Default 64 for Wasm.
    pub concurrency: HashMap<Backend, usize>,
    /// Open orders beyond which new ones are refused. Default 10,000.
    pub queue_limit_orders: usize,
    /// How long an order may wait for its first attempt. Default 1 h.
    pub queue_time_limit: Option<Duration>,
    /// How often the journal is read without being woken. Default 500 ms.
    pub poll_period: Duration,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            concurrency: HashMap::from([(Backend::Wasm, 64)]),
            queue_limit_orders: 10_000,
            queue_time_limit: Some(Duration::from_secs(3600)),
            poll_period: Duration::from_millis(500),
        }
    }
}
