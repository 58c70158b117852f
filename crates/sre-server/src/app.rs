//! What every request can reach.

use std::path::PathBuf;
use std::sync::Arc;

use sre_da::Store;
use sre_journal::Journal;
use sre_orchestrator::{Acceptance, AddressPolicy, Registrar, Workers};
use tokio::sync::watch;

use crate::rate::RateLimit;
use crate::readiness::SandboxTrial;
use crate::share::Shares;
use crate::{Audits, Metrics, ServerOptions, Tokens};

/// The parts of the service.
pub struct App {
    pub(crate) workers: Workers,
    pub(crate) acceptance: Acceptance,
    pub(crate) registrar: Arc<Registrar>,
    pub(crate) audits: Arc<Audits>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) policy: AddressPolicy,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) options: ServerOptions,
    pub(crate) data_folder: PathBuf,
    pub(crate) rate: RateLimit,
    pub(crate) bodies: Shares,
    pub(crate) answers: Shares,
    pub(crate) streams: Shares,
    pub(crate) verifications: Shares,
    pub(crate) sandbox_trial: SandboxTrial,
    pub(crate) stop: watch::Sender<bool>,
}

impl App {
    /// Puts the parts together. While no tokens are required, whoever can connect may do
    /// everything.
    #[must_use]
    pub fn new(
        workers: Workers,
        acceptance: Acceptance,
        registrar: Arc<Registrar>,
        store: Arc<dyn Store>,
        policy: AddressPolicy,
        tokens: Arc<Tokens>,
        metrics: Arc<Metrics>,
        data_folder: PathBuf,
        options: ServerOptions,
    ) -> Arc<Self> {
        Arc::new(Self {
            rate: RateLimit::new(options.rate_limit_per_second),
            bodies: Shares::new(options.bodies_limit_bytes.div_ceil(1024)),
            answers: Shares::new(options.bodies_limit_bytes.div_ceil(1024)),
            streams: Shares::new(options.streams_limit),
            verifications: Shares::new(options.verifications_limit),
            sandbox_trial: SandboxTrial::default(),
            stop: watch::channel(false).0,
            workers,
            acceptance,
            registrar,
            audits: Arc::default(),
            store,
            policy,
            tokens,
            metrics,
            options,
            data_folder,
        })
    }

    /// Where an audit of the store writes what it finds.
    #[must_use]
    pub fn audits(&self) -> &Arc<Audits> {
        &self.audits
    }

    pub(crate) fn journal(&self) -> &Arc<dyn Journal> {
        self.workers.orchestrator().journal()
    }
}
