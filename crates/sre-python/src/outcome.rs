//! How a future ended, and how that becomes a Python value or exception.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use serde_json::Value;

use crate::failure::Failure;
use crate::json::to_python;

/// What a future gives Python.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A JSON value.
    Json(Value),
    /// Bytes.
    Bytes(std::sync::Arc<[u8]>),
}

/// How a future ended.
#[derive(Debug)]
pub(crate) struct Outcome(pub(crate) Result<Answer, Failure>);

impl Outcome {
    pub(crate) fn and_then_python(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self.0 {
            Ok(Answer::Json(value)) => Ok(to_python(py, &value)?.unbind()),
            Ok(Answer::Bytes(bytes)) => Ok(PyBytes::new(py, &bytes).into_any().unbind()),
            Err(failure) => Err(failure.into_exception(py)),
        }
    }

    /// The future that waits for it, and what it gets.
    pub(crate) fn settle(self, py: Python<'_>, future: Py<PyAny>) -> Settled {
        match self.and_then_python(py) {
            Ok(value) => (future, value, false),
            Err(error) => (future, error.into_value(py).into_any(), true),
        }
    }
}

/// A future of Python's, its value or exception, and whether it is an exception.
pub(crate) type Settled = (Py<PyAny>, Py<PyAny>, bool);
