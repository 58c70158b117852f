//! What is done from time to time, whether or not anything has happened.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::pool::Pool;
use crate::orchestrator::RENEW_PERIOD;
use sre_journal::{JournalError, RECOVERY_PERIOD};

/// How often the rest is done.
const PERIOD: Duration = Duration::from_secs(1);

/// Orders that reach the queue's time limit in one transaction.
const EXPIRY_LIMIT: usize = 256;

/// Runs until the pool stops. At first at once: what dead processes left behind is this pool's to
/// finish.
pub(super) async fn maintain(pool: Arc<Pool>) {
    let mut stop = pool.stop.subscribe();
    let (mut recovered, mut renewed) = (None, None);
    while !*stop.borrow() {
        if let Err(error) = pool.orchestrator.journal().check() {
            tracing::error!(%error, "nothing more is accepted");
            return;
        }
        if let Err(error) = round(&pool, &mut recovered, &mut renewed).await {
            tracing::warn!(%error, "the journal cannot be maintained");
        }
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn round(
    pool: &Pool,
    recovered: &mut Option<Instant>,
    renewed: &mut Option<Instant>,
) -> Result<(), JournalError> {
    let journal = pool.orchestrator.journal();
    let is_due =
        |last: &Option<Instant>, period| last.is_none_or(|at: Instant| at.elapsed() >= period);
    if is_due(renewed, RENEW_PERIOD) {
        journal.heartbeat().await?;
        *renewed = Some(Instant::now());
    }
    if is_due(recovered, RECOVERY_PERIOD) {
        let found = journal
            .recover(pool.orchestrator.backoff(), rand::random())
            .await?;
        *recovered = Some(Instant::now());
        if found.holders > 0 {
            let (holders, retried, ended) = (found.holders, found.retried, found.ended);
            tracing::warn!(
                holders,
                retried,
                ended,
                "took over the orders of processes that died"
            );
            pool.wake_all();
            pool.orchestrator.courier().wake();
        }
    }
    journal.tick().await?;
    let expired = journal.expire(EXPIRY_LIMIT).await?;
    if expired > 0 {
        tracing::warn!(
            orders = expired,
            "orders have reached the queue's time limit"
        );
        pool.orchestrator.courier().wake();
    }
    for sequence in journal.cancelling().await? {
        pool.cancel_running(sequence);
    }
    Ok(())
}
