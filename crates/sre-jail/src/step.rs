//! Failures of the many small steps between an order and a guest, each told with the step's name.

use std::fmt::Display;
use std::io;

/// A step that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{step}: {why}")]
pub struct StepError {
    /// Which step.
    pub step: String,
    /// What the kernel said.
    pub why: String,
    /// Its error number, 0 if it was not the kernel.
    pub errno: i32,
}

impl StepError {
    /// A step that failed for a reason of our own.
    pub fn new(step: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            step: step.into(),
            why: why.into(),
            errno: 0,
        }
    }
}

/// Names the step that a result belongs to.
pub trait Step<T> {
    /// With the step's name.
    fn step(self, name: impl Display) -> Result<T, StepError>;
}

impl<T> Step<T> for io::Result<T> {
    fn step(self, name: impl Display) -> Result<T, StepError> {
        self.map_err(|error| StepError {
            step: name.to_string(),
            why: error.to_string(),
            errno: error.raw_os_error().unwrap_or(0),
        })
    }
}
