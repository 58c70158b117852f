//! The end of a pool: finish or give back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::Workers;
use super::pool::Running;

impl Workers {
    /// Refuses new orders, claims no more, lets attempts end for `grace`, and gives back those that
    /// have not: their guests are stopped, and the attempt does not count.
    pub async fn shutdown(&self, grace: Duration) {
        let pool = &self.pool;
        pool.stopping.store(true, Ordering::Release);
        pool.stop.send_replace(true);
        pool.slots
            .values()
            .for_each(|slots| slots.wake.notify_one());
        let idle = async {
            for slots in pool.slots.values() {
                let all = u32::try_from(slots.size).unwrap_or(u32::MAX);
                drop(slots.permits.acquire_many(all).await);
            }
        };
        if tokio::time::timeout(grace, idle).await.is_err() {
            let running: Vec<Running> =
                pool.running().drain().map(|(_, running)| running).collect();
            tracing::warn!(
                orders = running.len(),
                "giving back orders that are not done"
            );
            running
                .iter()
                .filter_map(|running| running.task.as_ref())
                .for_each(AbortHandle::abort);
            for slots in pool.slots.values() {
                let all = u32::try_from(slots.size).unwrap_or(u32::MAX);
                drop(
                    tokio::time::timeout(Duration::from_secs(5), slots.permits.acquire_many(all))
                        .await,
                );
            }
        }
        let mut loops = pool.loops.lock().await;
        drop(
            tokio::time::timeout(grace, async { while loops.join_next().await.is_some() {} }).await,
        );
        loops.shutdown().await;
        let journal = pool.orchestrator.journal();
        match journal.release().await {
            Ok(()) => drop(journal.deregister().await),
            Err(error) => tracing::warn!(%error, "orders are given back by the next process"),
        }
    }
}
