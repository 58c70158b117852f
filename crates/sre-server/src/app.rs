//! What every request can reach.

use std::sync::Arc;

use sre_service::{Service, Shares};

use crate::{Metrics, ServerOptions, Tokens};

/// The parts of the server.
pub struct App {
    pub(crate) service: Arc<Service>,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) options: ServerOptions,
    /// Kibibytes for requests.
    pub(crate) bodies: Shares,
    /// Kibibytes for answers.
    pub(crate) answers: Shares,
}

impl App {
    /// Puts the parts together. While no tokens are required, every client may do everything.
    #[must_use]
    pub fn new(
        service: Arc<Service>,
        tokens: Arc<Tokens>,
        metrics: Arc<Metrics>,
        options: ServerOptions,
    ) -> Arc<Self> {
        let kibibytes = options.bodies_limit_bytes.div_ceil(1024);
        Arc::new(Self {
            bodies: Shares::new(kibibytes),
            answers: Shares::new(kibibytes),
            service,
            tokens,
            metrics,
            options,
        })
    }
}
