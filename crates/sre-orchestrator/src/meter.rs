//! What is measured while orders go by.

use std::time::Duration;

use sre_core::{Backend, OrderStatus};

/// Is told how long things took and how they ended. Calls must not block.
pub trait Meter: Send + Sync {
    /// An order left a stage.
    fn stage_ended(&self, backend: Backend, stage: MeteredStage, took: Duration, failed: bool);
    /// An order ended.
    fn order_ended(&self, backend: Backend, status: OrderStatus, took: Duration);
    /// A delivery of a callback ended.
    fn callback_ended(&self, outcome: &'static str, took: Duration);
}

/// What is measured separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MeteredStage {
    /// Waiting for a worker.
    Queue,
    /// Waiting for a slot of the sandbox.
    Slot,
    /// Executing and committing.
    Commit,
    /// Fetching, recomputing and replaying.
    Verify,
    /// Writing the result.
    Finish,
}

impl MeteredStage {
    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Slot => "slot",
            Self::Commit => "commit",
            Self::Verify => "verify",
            Self::Finish => "finish",
        }
    }
}

/// Measures nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMeter;

impl Meter for NoMeter {
    fn stage_ended(&self, _: Backend, _: MeteredStage, _: Duration, _: bool) {}
    fn order_ended(&self, _: Backend, _: OrderStatus, _: Duration) {}
    fn callback_ended(&self, _: &'static str, _: Duration) {}
}
