//! The service: its parts, and what each caller may hold of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sre_core::ErrorCode;
use sre_da::Store;
use sre_journal::Journal;
use sre_orchestrator::{Acceptance, AddressPolicy, Registrar, SkillCache, Tracing, Workers};
use tokio::sync::watch;

use crate::audits::Audits;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::rate::RateLimit;
use crate::sandbox_test::SandboxTest;
use crate::shares::Shares;

/// The service.
pub struct Service {
    pub(crate) workers: Workers,
    pub(crate) acceptance: Acceptance,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) callback_policy: AddressPolicy,
    pub(crate) data_folder: PathBuf,
    pub(crate) limits: ServiceLimits,
    pub(crate) streams: Shares,
    pub(crate) verifications: Shares,
    pub(crate) uploads: Shares,
    pub(crate) sandbox_test: SandboxTest,
    audits: Arc<Audits>,
    rate: RateLimit,
    stop: watch::Sender<bool>,
}

/// The parts of a [`Service`].
pub struct ServiceParts {
    /// Run orders.
    pub workers: Workers,
    /// Says which orders are accepted.
    pub acceptance: Acceptance,
    /// Signs receipts and takes verdicts of others.
    pub registrar: Arc<Registrar>,
    /// The blobs.
    pub store: Arc<dyn Store>,
    /// Where callbacks may go.
    pub callback_policy: AddressPolicy,
    /// The folder whose disk must have space.
    pub data_folder: PathBuf,
    /// How much callers may ask for.
    pub limits: ServiceLimits,
}

/// How much callers may ask for.
#[derive(Debug, Clone)]
pub struct ServiceLimits {
    /// Longest time a caller may wait for an order. Default 60 s.
    pub wait_limit: Duration,
    /// Requests per second of one caller, on average. Default 10,000.
    pub rate_limit_per_second: f64,
    /// Event streams at once. Default 512.
    pub streams_limit: usize,
    /// Verifications at once, each of which runs a skill. Default 8.
    pub verifications_limit: usize,
    /// Longest blob that may be uploaded, in bytes. Default 256 MiB.
    pub blob_limit_bytes: u64,
    /// Uploads of blobs at once. Default 32.
    pub uploads_limit: usize,
    /// Free disk space below which the service is not ready, in bytes. Default 256 MiB.
    pub free_disk_bytes: u64,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            wait_limit: Duration::from_secs(60),
            rate_limit_per_second: 10_000.0,
            streams_limit: 512,
            verifications_limit: 8,
            blob_limit_bytes: 256 << 20,
            uploads_limit: 32,
            free_disk_bytes: 256 << 20,
        }
    }
}

impl Service {
    /// A service of these parts.
    #[must_use]
    pub fn new(parts: ServiceParts) -> Self {
        let ServiceParts {
            workers,
            acceptance,
            registrar,
            store,
            callback_policy,
            data_folder,
            limits,
        } = parts;
        Self {
            rate: RateLimit::new(limits.rate_limit_per_second),
            streams: Shares::new(limits.streams_limit),
            verifications: Shares::new(limits.verifications_limit),
            uploads: Shares::new(limits.uploads_limit),
            sandbox_test: SandboxTest::default(),
            audits: Arc::default(),
            stop: watch::channel(false).0,
            workers,
            acceptance,
            registrar,
            store,
            callback_policy,
            data_folder,
            limits,
        }
    }

    /// Counts one request of a caller.
    ///
    /// # Errors
    /// `rate_limited` when the caller makes more requests than it may.
    pub fn admit(&self, caller: &Caller) -> Result<(), ServiceError> {
        self.rate
            .take(caller.name(), Instant::now())
            .map_err(|wait| {
                let detail = "this token makes more requests than it may";
                ServiceError::busy(ErrorCode::RateLimited, detail, wait)
            })
    }

    /// Ends everything that waits: callers get their orders as they are.
    pub fn stop_waiting(&self) {
        self.stop.send_replace(true);
    }

    /// Turns true when nothing may wait any longer.
    #[must_use]
    pub fn stopping(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// How much callers may ask for.
    #[must_use]
    pub fn limits(&self) -> &ServiceLimits {
        &self.limits
    }

    /// The workers.
    #[must_use]
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// What signs receipts.
    #[must_use]
    pub fn registrar(&self) -> &Arc<Registrar> {
        &self.registrar
    }

    /// What the audit of the store has found.
    #[must_use]
    pub fn audits(&self) -> &Arc<Audits> {
        &self.audits
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Journal> {
        self.workers.orchestrator().journal()
    }

    /// Where spans of requests go.
    #[must_use]
    pub fn tracing(&self) -> &Tracing {
        self.workers.orchestrator().tracing()
    }

    pub(crate) fn skill_cache(&self) -> &SkillCache {
        self.workers.orchestrator().skills()
    }
}
