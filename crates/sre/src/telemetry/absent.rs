//! What telemetry is in a program that was built without the feature `otel`: an error where the
//! settings ask for it.

use sre_core::ErrorCode;
use sre_orchestrator::Tracing;

use crate::config;
use crate::failure::Failure;

/// A build without traces.
pub struct Telemetry;

impl Telemetry {
    /// Starts nothing.
    ///
    /// # Errors
    /// Settings that name a collector.
    pub fn start(settings: &config::Telemetry) -> Result<Self, Failure> {
        if settings.traces_endpoint.is_empty() {
            return Ok(Self);
        }
        let detail = "telemetry.traces_endpoint: this program was built without the feature otel and sends no traces";
        Err(Failure::new(ErrorCode::ConfigInvalid, detail))
    }

    /// Records nothing.
    pub fn tracing(&self) -> Tracing {
        Tracing::default()
    }

    /// There is nothing that waits.
    pub async fn shutdown(self) {
        std::future::ready(()).await;
    }
}
