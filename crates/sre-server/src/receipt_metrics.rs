//! Metrics of receipts: how far they are, what others say of them, and whether their bytes are
//! still there.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use sre_service::Service;

type Count = Gauge<u64, AtomicU64>;

/// Gauges that are set when the metrics are read.
#[derive(Default)]
pub(crate) struct ReceiptMetrics {
    due: Count,
    failing: Count,
    issued: Count,
    checked: Count,
    matched: Count,
    disputed: Count,
    log_entries: Count,
    log_pending: Count,
    audited_receipts: Count,
    audited_blobs: Count,
    lost_blobs: Count,
    lost_orders: Count,
}

impl ReceiptMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        for (name, help, gauge) in [
            (
                "receipts_due",
                "Orders that have ended and have no receipt yet",
                &self.due,
            ),
            (
                "receipts_failing",
                "Orders whose receipt could not be issued so far",
                &self.failing,
            ),
            ("issued_receipts", "Receipts issued, ever", &self.issued),
            (
                "checked_receipts",
                "Receipts on which others have given a verdict, ever",
                &self.checked,
            ),
            (
                "matched_receipts",
                "Receipts that others have found to match, ever",
                &self.matched,
            ),
            (
                "disputed_receipts",
                "Receipts that others have found diverged or tampered, ever",
                &self.disputed,
            ),
            (
                "log_entries",
                "Entries of the transparency log",
                &self.log_entries,
            ),
            (
                "log_pending_entries",
                "Entries that wait for the next checkpoint",
                &self.log_pending,
            ),
            (
                "audited_receipts",
                "Receipts whose bytes were read again since the start",
                &self.audited_receipts,
            ),
            (
                "audited_blobs",
                "Blobs that were read again since the start",
                &self.audited_blobs,
            ),
            (
                "lost_blobs",
                "Blobs that the audit found missing or damaged; GET /v1/audit names them",
                &self.lost_blobs,
            ),
            (
                "lost_orders",
                "Orders whose evidence is missing or damaged",
                &self.lost_orders,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
    }

    pub(crate) async fn update(&self, service: &Service) {
        let (journal, registrar) = (service.journal(), service.registrar());
        let audit = service.audits().report();
        if let Ok(due) = journal.count_receipts_due().await {
            self.due.set(due.waiting);
            self.failing.set(due.failing);
        }
        if let Ok(coverage) = journal.coverage().await {
            self.issued.set(coverage.receipts);
            self.checked.set(coverage.checked);
            self.matched.set(coverage.matched);
            self.disputed.set(coverage.disputed);
        }
        let size = registrar.log().checkpoint().0;
        self.log_entries.set(size);
        if let Ok(submitted) = registrar.log().submitted() {
            self.log_pending.set(submitted.saturating_sub(size));
        }
        self.audited_receipts.set(audit.receipts);
        self.audited_blobs.set(audit.blobs);
        self.lost_blobs.set(audit.lost.len() as u64);
        self.lost_orders.set(audit.lost_orders() as u64);
    }
}
