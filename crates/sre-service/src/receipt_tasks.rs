//! What the service does about receipts while it runs: signs them as orders end, and lets the log
//! grow.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sre_da::Store;
use sre_orchestrator::{Batch, Registrar};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::audit::Audit;
use crate::audits::{Audits, LostBlob};

/// How long the last batches may take at a shutdown. What is not done is done by the next start.
const CLOSING_TIME: Duration = Duration::from_secs(5);

/// Lost blobs that the report lists; the log of diagnostics names all of them.
const LOST_LIMIT: usize = 1000;

/// How the store is audited.
pub struct AuditPlan {
    /// Receipts in a round; 0 for no audit.
    pub sample: u32,
    /// Pause between rounds.
    pub period: Duration,
    /// Where the findings go.
    pub audits: Arc<Audits>,
    /// What is read.
    pub store: Arc<dyn Store>,
}

/// The loops. They end with [`ReceiptTasks::shutdown`], or when this is dropped.
pub struct ReceiptTasks {
    registrar: Arc<Registrar>,
    stop: watch::Sender<bool>,
    loops: JoinSet<()>,
}

impl ReceiptTasks {
    /// Starts the loops on the current runtime. The log grows at most once per `log_period`.
    pub fn start(registrar: Arc<Registrar>, log_period: Duration, audit: AuditPlan) -> Self {
        let (stop, mut loops) = (watch::channel(false).0, JoinSet::new());
        let (signs, stopped) = (Arc::clone(&registrar), stop.subscribe());
        loops.spawn(async move { signs.run(stopped).await });
        let log = Arc::clone(registrar.log());
        loops.spawn(async move { log.run(log_period).await });
        if audit.sample > 0 {
            let registrar = Arc::clone(&registrar);
            loops.spawn(async move { keep_auditing(&registrar, &audit).await });
        }
        Self {
            registrar,
            stop,
            loops,
        }
    }

    /// Signs and enters what has ended meanwhile, as far as that can be done now.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        self.loops.shutdown().await;
        let rest = async {
            while self.registrar.issue_due().await? != Batch::Empty {}
            self.registrar.log().integrate().await?;
            Ok::<_, sre_orchestrator::RegistrarError>(())
        };
        match tokio::time::timeout(CLOSING_TIME, rest).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the last receipts are issued by the next start")
            }
            Err(_) => tracing::warn!("the last receipts are issued by the next start"),
        }
    }
}

/// One round after the other.
async fn keep_auditing(registrar: &Registrar, plan: &AuditPlan) {
    loop {
        tokio::time::sleep(plan.period.max(Duration::from_millis(100))).await;
        match Audit::sample(registrar, &*plan.store, plan.sample).await {
            Ok(found) => record(plan, found).await,
            Err(error) => {
                tracing::warn!(%error, "the log cannot be read, and its receipts are not audited")
            }
        }
    }
}

/// Adds what a round found, and removes what is there again.
async fn record(plan: &AuditPlan, found: Audit) {
    let mut lost = plan.audits.report().lost;
    let mut still = Vec::new();
    for blob in lost.drain(..) {
        if plan.store.get(blob.digest).await.is_err() {
            still.push(blob);
        }
    }
    for (digest, blob) in found.lost {
        tracing::error!(%digest, problem = blob.problem, orders = ?blob.orders, "the evidence of orders is lost");
        let has_room = still.len() < LOST_LIMIT;
        match still.iter_mut().find(|known| known.digest == digest) {
            Some(known) => known.orders.extend(blob.orders),
            None if has_room => {
                still.push(LostBlob {
                    digest,
                    problem: blob.problem,
                    orders: blob.orders,
                });
            }
            None => {}
        }
    }
    plan.audits.update(|report| {
        report.audited_at = Some(Timestamp::now());
        report.receipts += found.receipts;
        report.forgotten += found.forgotten;
        report.unread += found.unread.len() as u64;
        report.blobs += found.blobs.len() as u64;
        report.bytes += found.bytes;
        report.lost = still;
    });
}
