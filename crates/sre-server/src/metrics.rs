//! The four golden signals (latency, traffic, errors, saturation) in Prometheus' text form, per
//! route, backend and stage.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use sre_core::{Backend, OrderStatus};
use sre_orchestrator::{Meter, MeteredStage};
use sre_service::Service;

use crate::receipt_metrics::ReceiptMetrics;

/// A quarter of a millisecond to a minute: from a stage that waits for nothing to one that waits
/// for a timeout.
const BUCKETS: [f64; 17] = [
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// What the service measures.
pub struct Metrics {
    registry: Registry,
    requests: Histograms<RequestLabels>,
    requests_in_flight: Gauge,
    stages: Histograms<StageLabels>,
    stage_failures: Family<StageLabels, Counter>,
    orders: Histograms<OrderLabels>,
    callbacks: Histograms<CallbackLabels>,
    open_orders: Family<StateLabels, Gauge>,
    running: Gauge,
    pending_callbacks: Gauge,
    commits: Gauge<u64, AtomicU64>,
    failed_commits: Gauge<u64, AtomicU64>,
    receipts: ReceiptMetrics,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    backend: String,
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrderLabels {
    backend: String,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallbackLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    state: String,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sre");
        let metrics = Self {
            requests: Family::new_with_constructor(histogram),
            requests_in_flight: Gauge::default(),
            stages: Family::new_with_constructor(histogram),
            stage_failures: Family::default(),
            orders: Family::new_with_constructor(histogram),
            callbacks: Family::new_with_constructor(histogram),
            open_orders: Family::default(),
            running: Gauge::default(),
            pending_callbacks: Gauge::default(),
            commits: Gauge::default(),
            failed_commits: Gauge::default(),
            receipts: ReceiptMetrics::default(),
            registry: Registry::default(),
        };
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "http_request_duration",
            "Time to the head of the answer",
            seconds.clone(),
            metrics.requests.clone(),
        );
        registry.register(
            "http_requests_in_flight",
            "Requests being answered",
            metrics.requests_in_flight.clone(),
        );
        registry.register_with_unit(
            "stage_duration",
            "Time in a stage",
            seconds.clone(),
            metrics.stages.clone(),
        );
        registry.register(
            "stage_failures",
            "Stages that failed",
            metrics.stage_failures.clone(),
        );
        registry.register_with_unit(
            "order_duration",
            "Time from acceptance to result",
            seconds.clone(),
            metrics.orders.clone(),
        );
        registry.register_with_unit(
            "callback_duration",
            "Time of one delivery of a callback",
            seconds,
            metrics.callbacks.clone(),
        );
        registry.register(
            "open_orders",
            "Orders without a result",
            metrics.open_orders.clone(),
        );
        registry.register(
            "running_orders",
            "Orders this process works on",
            metrics.running.clone(),
        );
        registry.register(
            "pending_callbacks",
            "Callbacks to be delivered",
            metrics.pending_callbacks.clone(),
        );
        registry.register(
            "journal_commits",
            "Transactions of the journal",
            metrics.commits.clone(),
        );
        registry.register(
            "journal_failed_commits",
            "Transactions that failed",
            metrics.failed_commits.clone(),
        );
        metrics.receipts.register(&mut registry);
        Self {
            registry,
            ..metrics
        }
    }
}

impl Metrics {
    pub(crate) fn request_began(&self) {
        self.requests_in_flight.inc();
    }

    pub(crate) fn request_ended(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests_in_flight.dec();
        let labels = RequestLabels {
            method: method.to_owned(),
            route: route.to_owned(),
            status,
        };
        self.requests
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    /// The text that Prometheus reads.
    pub(crate) async fn encode(&self, service: &Service) -> String {
        let journal = service.journal();
        self.receipts.update(service).await;
        if let Ok(states) = journal.count_by_state().await {
            for state in ["ready", "waiting", "running", "verifying"] {
                let labels = StateLabels {
                    state: state.to_owned(),
                };
                self.open_orders
                    .get_or_create(&labels)
                    .set(states.get(state).copied().unwrap_or(0));
            }
        }
        if let Ok(pending) = journal.pending_callbacks().await {
            self.pending_callbacks.set(pending);
        }
        self.running
            .set(i64::try_from(service.workers().running()).unwrap_or(i64::MAX));
        let stats = journal.write_stats();
        self.commits.set(stats.transactions);
        self.failed_commits.set(stats.failed_transactions);
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Meter for Metrics {
    fn stage_ended(&self, backend: Backend, stage: MeteredStage, took: Duration, failed: bool) {
        let labels = StageLabels {
            backend: backend.to_string(),
            stage: stage.as_str(),
        };
        self.stages
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
        if failed {
            self.stage_failures.get_or_create(&labels).inc();
        }
    }

    fn order_ended(&self, backend: Backend, status: OrderStatus, took: Duration) {
        let labels = OrderLabels {
            backend: backend.to_string(),
            status: status.as_str(),
        };
        self.orders
            .get_or_create(&labels)
            .observe(took.as_secs_f64());
    }

    fn callback_ended(&self, outcome: &'static str, took: Duration) {
        self.callbacks
            .get_or_create(&CallbackLabels { outcome })
            .observe(took.as_secs_f64());
    }
}
